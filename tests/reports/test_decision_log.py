"""The list of decisions counts what it shows, whatever is asked for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from types import ModuleType

import numpy as np
import pytest

from opportune import reports
from opportune.reports import DecisionFilter, DecisionLog, InvalidDecisionFilter
from opportune.storage import Stores

Asks = Callable[..., DecisionLog]
PEOPLE = 100


@pytest.fixture
def asks(stores: Stores, history: ModuleType) -> Asks:
    history.write(stores, history.past(profiles=PEOPLE))
    _define(stores, history)

    def ask(chosen: DecisionFilter | None = None, first: int = 0, limit: int = 1000) -> DecisionLog:
        return reports.decision_log(
            stores,
            history.use_case(),
            chosen or DecisionFilter(),
            now=history.NOW,
            first=first,
            limit=limit,
        )

    return ask


def _define(stores: Stores, history: ModuleType) -> None:
    body = {
        "title": "Next offer",
        "success_metric": "orders",
        "features": [],
        "audience": {"segments": ["everybody"]},
        "groups": {"control_share": 0.2},
        "activation": {"connector": "file", "file": "out.jsonl"},
        "dimensions": [
            {"name": name, "options": [{"name": option} for option in options]}
            for name, options in history.OPTIONS.items()
        ],
    }
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('use_case', 'next_offer', 1, %(body)s::jsonb, %(now)s)",
        {"body": json.dumps(body), "now": history.NOW},
    )


def test_every_page_together_is_the_whole_list_and_the_total(asks: Asks) -> None:
    pages = [asks(first=first, limit=300) for first in range(0, 1000, 300)]
    ids = [each.decision_id for page in pages for each in page.decisions]
    assert [page.total for page in pages] == [10 * PEOPLE] * 4
    assert [len(page.decisions) for page in pages] == [300, 300, 300, 100]
    assert len(set(ids)) == 10 * PEOPLE
    assert ids == [each.decision_id for each in asks().decisions]
    days = [each.day for page in pages for each in page.decisions]
    assert days == sorted(days, reverse=True)
    assert (asks(first=5000).total, asks(first=5000).decisions) == (10 * PEOPLE, ())


def test_a_filter_counts_what_the_past_has(asks: Asks, history: ModuleType) -> None:
    told = history.past(profiles=PEOPLE)
    day = date(2026, 1, 3)
    expected = {
        DecisionFilter(variant="control"): 10 * told.control.sum(),
        DecisionFilter(explored=True): told.explored.sum(),
        DecisionFilter(explored=False): (~told.explored).sum(),
        DecisionFilter(dimension="channel", option="sms"): told.sms.sum(),
        DecisionFilter(first_day=day, last_day=day): PEOPLE,
        DecisionFilter(
            variant="treatment", dimension="channel", option="sms", explored=True, first_day=day
        ): (told.sms & told.explored & ~told.control[:, None])[:, 2:].sum(),
    }
    for chosen, count in expected.items():
        log = asks(chosen)
        assert (log.total, len(log.decisions)) == (count, count), chosen
    assert np.all([each.action["channel"] == "sms" for each in log.decisions])


def test_a_decision_says_what_was_logged_and_what_became_of_it(
    asks: Asks, stores: Stores, history: ModuleType
) -> None:
    newest = asks(limit=1).decisions[0]
    stores.state.rows(
        "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
        " due_at, state, reason) values (%(key)s, 'next_offer', '2026-01-10', 'braze', 1, 'u',"
        " '{}', now(), 'failed', 'no_consent')",
        {"key": newest.decision_id},
    )
    each = asks(limit=1).decisions[0]
    assert each.decision_id == f"next_offer:20260110:{PEOPLE - 1:016x}"
    assert (each.day, each.variant, each.version) == (date(2026, 1, 10), "treatment", 1)
    assert list(each.action) == ["offer", "channel", "hour"]
    assert (each.propensity, each.policy_version) == (0.1, "p")
    assert (each.delivery, each.reason) == ("failed", "no_consent")
    # Nobody has this id any more.
    assert (each.profile_id, each.user_id) == (None, None)
    assert asks(DecisionFilter(profile_id=77)).total == 0


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (DecisionFilter(variant="everybody"), "Allowed: treatment, control, random"),
        (DecisionFilter(dimension="colour", option="red"), "Allowed: channel, hour, offer"),
        (DecisionFilter(option="red"), "Give both"),
        (
            DecisionFilter(first_day=date(2026, 1, 2), last_day=date(2026, 1, 1)),
            "is after the last day",
        ),
    ],
)
def test_what_no_decision_can_be_is_refused(asks: Asks, chosen: DecisionFilter, said: str) -> None:
    with pytest.raises(InvalidDecisionFilter, match=said):
        asks(chosen)


def test_a_file_has_a_row_a_decision_and_a_column_a_dimension(asks: Asks) -> None:
    log = asks(DecisionFilter(variant="control"))
    rows = list(csv.DictReader(io.StringIO(reports.decisions_csv(log))))
    assert len(rows) == log.total
    assert [row["decision_id"] for row in rows] == [each.decision_id for each in log.decisions]
    assert [row["chosen_channel"] for row in rows] == [
        each.action["channel"] for each in log.decisions
    ]
    document = json.loads(json.dumps(reports.to_document(log)))
    assert [row["action"] for row in document["decisions"]] == [
        dict(each.action) for each in log.decisions
    ]


def test_a_text_that_a_spreadsheet_would_run_is_quoted(asks: Asks) -> None:
    log = asks(limit=1)
    odd = reports.DecisionLog(
        as_of=log.as_of,
        use_case=log.use_case,
        total=1,
        first=0,
        decisions=tuple(
            reports.LoggedDecision(
                **{
                    **{name: getattr(each, name) for name in each.__slots__},
                    "action": {"offer": "=1+1"},
                }
            )
            for each in log.decisions
        ),
    )
    assert reports.decisions_csv(odd).endswith(",'=1+1\n")


def test_before_anything_was_decided_the_list_is_empty(stores: Stores, history: ModuleType) -> None:
    log = reports.decision_log(stores, history.use_case(), DecisionFilter(), now=history.NOW)
    assert (log.total, log.decisions) == (0, ())
    assert stores.lake.folder.exists() is False
