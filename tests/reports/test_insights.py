"""What was chosen in a past that is known, for whom, and what became of it."""

from __future__ import annotations

import json
from datetime import date
from types import ModuleType

import numpy as np
import pytest

from opportune.reports import Insights, delivery_counts, insights, to_document
from opportune.storage import Stores


@pytest.fixture
def report(stores: Stores, history: ModuleType) -> Insights:
    history.write(stores, history.past())
    return insights(stores, history.use_case(), now=history.NOW)


def test_choices_are_those_of_treatment_in_the_order_of_the_options(
    report: Insights, history: ModuleType
) -> None:
    told = history.past()
    sms = told.sms[~told.control]
    channel = report.choices[1]
    assert [each.dimension for each in report.choices] == ["offer", "channel", "hour"]
    assert [(each.option, each.decisions) for each in channel.overall] == [
        ("email", int((~sms).sum())),
        ("sms", int(sms.sum())),
    ]
    assert [day.shares[1] for day in channel.days] == pytest.approx(sms.mean(axis=0).tolist())
    assert channel.days[0].day == date(2026, 1, 1)


def test_the_strongest_contrast_names_who_got_what(report: Insights, history: ModuleType) -> None:
    told = history.past()
    treated = ~told.control & ~np.isnan(told.features[:, 0])
    cut = np.median(told.features[~np.isnan(told.features[:, 0]), 0])
    above = treated & (told.features[:, 0] > cut)
    below = treated & (told.features[:, 0] <= cut)
    first = report.contrasts[1]
    assert report.contrasts_since == date(2026, 1, 6)
    assert (first.feature, first.dimension) == ("tenure_months", "channel")
    assert first.option == "sms"
    assert first.group == f"tenure_months over {cut:g}"
    assert first.others == f"tenure_months up to {cut:g}"
    assert (first.group_decisions, first.others_decisions) == (5 * above.sum(), 5 * below.sum())
    share = told.sms[:, 5:]
    assert first.group_share == pytest.approx(share[above].mean())
    assert first.others_share == pytest.approx(share[below].mean())
    found = [(each.dimension, each.option, each.group, each.others) for each in report.contrasts]
    assert found == [
        ("hour", "18", "has_tv: yes", "has_tv: no"),
        ("channel", "sms", f"tenure_months over {cut:g}", f"tenure_months up to {cut:g}"),
    ]
    gaps = [abs(each.group_share - each.others_share) for each in report.contrasts]
    assert gaps == sorted(gaps, reverse=True)


def test_explored_shares_are_those_of_treatment(report: Insights, history: ModuleType) -> None:
    told = history.past()
    shares = told.explored[~told.control].mean(axis=0).tolist()
    assert [each.day.day for each in report.days] == list(range(1, 11))
    assert [each.decisions for each in report.days] == [1600] * 10
    assert [each.exploration_share for each in report.days] == pytest.approx(shares)


def test_the_document_is_json_and_says_the_same(report: Insights) -> None:
    document = json.loads(json.dumps(to_document(report), allow_nan=False))
    assert document["choices"][1]["overall"][1]["option"] == "sms"
    assert document["days"][0]["day"] == "2026-01-01"


def test_an_empty_lake_has_no_insights(stores: Stores, history: ModuleType) -> None:
    report = insights(stores, history.use_case(), now=history.NOW)
    assert (report.days, report.choices, report.contrasts, report.movers) == ((), (), (), ())
    assert report.contrasts_since is None
    assert delivery_counts(stores.state, "next_offer") == ()
    assert stores.lake.folder.exists() is False


def test_deliveries_are_counted_by_state_and_reason(report: Insights, stores: Stores) -> None:
    assert [
        (each.state, each.reason, each.count)
        for each in delivery_counts(stores.state, report.use_case)
    ] == [
        ("sent", "", 7),
        ("pending", "", 3),
        ("failed", "invalid external_user_id", 2),
    ]
