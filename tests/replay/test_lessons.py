"""A campaign's rows as decisions of a live use case, and why they may not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, time
from typing import Any

import numpy as np
import pytest

from opportune import pipeline, policies
from opportune.decisions import Activation, Dimension, Feature, Option, UseCase
from opportune.events import Metric
from opportune.learning import WarmStart, newest
from opportune.policies import FactoredThompson
from opportune.replay import (
    DoesNotFit,
    Lessons,
    UnknownOutcome,
    lessons,
    read_campaign,
    warm_start,
)
from opportune.storage import Stores

BOUGHT = Metric(
    name="bought", title="Bought", event="Order", property=None, unit="orders", window_days=2
)
REVENUE = replace(BOUGHT, name="revenue", property="revenue")
PLAN = {"column": "plan", "name": "tariff", "one_of": ["basic", "plus"]}
FEATURES = [{"column": "visits", "name": "sessions"}, PLAN]
Read = Callable[..., Lessons]


def use_case(*dimensions: tuple[str, tuple[str, ...]], **changes: Any) -> UseCase:
    """A use case that chooses a mail; further dimensions, and fields that are otherwise."""
    named = dimensions or (("mail", ("sale", "news", "nothing")),)
    made = UseCase(
        name="letters",
        version=1,
        title="Letters",
        success_metric="bought",
        audience=(),
        minus=(),
        features=(
            Feature(trait="tariff", one_of=("plus", "basic")),
            Feature(trait="sessions", one_of=()),
        ),
        dimensions=tuple(
            Dimension(
                name=name,
                meaning="choice",
                options=tuple(Option(name=each, eligible=None) for each in options),
            )
            for name, options in named
        ),
        control_share=0.1,
        policy="factored_thompson",
        decide_at=time(6),
        activation=Activation(connector="", config={}),
    )
    return replace(made, **changes)


@pytest.fixture
def read(spring: Any) -> Read:
    """Read ten rows, or some columns of them changed, as lessons of a use case."""

    def read(
        wanted: UseCase | None = None,
        metric: Metric = BOUGHT,
        outcome: str | None = None,
        *,
        columns: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Lessons:
        schema = spring.schema(**{"features": FEATURES, "categorical": [], **changes})
        file = spring.written(columns or spring.few())
        return lessons(read_campaign(file, schema), wanted or use_case(), metric, outcome)

    return read


def whole(found: Lessons) -> policies.Batch:
    parts = found.batches
    return policies.Batch(
        features=np.concatenate([each.features for each in parts]),
        actions=np.concatenate([each.actions for each in parts]),
        rewards=np.concatenate([each.rewards for each in parts]),
        propensities=np.concatenate([each.propensities for each in parts]),
    )


def refusal(read: Read, *given: Any, **changes: Any) -> list[str]:
    with pytest.raises(DoesNotFit) as refused:
        read(*given, **changes)
    assert refused.value.message == "\n".join(refused.value.problems)
    return list(refused.value.problems)


def test_columns_become_features_options_and_rewards_of_the_use_case(
    read: Read, spring: Any
) -> None:
    columns = spring.few(
        visits=[4.0, None, 2.0, 1.0, 0.0, 9.0, 8.0, 7.0, 6.0, 5.0],
        plan=["basic", "plus", None, "gold", *["plus"] * 6],
        letter=["none", "sale", "news", "none", *["sale"] * 6],
        bought=[True, False, True, *[False] * 7],
        day=[f"2026-01-{day:02}" for day in (4, 3, 2, 1, 5, 6, 7, 8, 9, 10)],
    )
    found = read(columns=columns, time="day")
    rows = whole(found)
    assert (found.rows, found.left_out, found.unused) == (10, {}, ())
    assert [len(each.rewards) for each in found.batches] == [2, 3, 2, 3]
    # In the order of the time; the category comes first in the use case, plus before basic.
    nan = np.nan
    first = [[0, 0, 1], [nan, nan, 2], [1, 0, nan], [0, 1, 4]]
    np.testing.assert_array_equal(rows.features[:4], first)
    assert rows.actions[:4, 0].tolist() == [2, 1, 0, 2]
    assert rows.rewards[:4].tolist() == [0, 1, 0, 1]
    assert rows.propensities.tolist() == [1 / 3] * 10


def test_rows_of_options_that_are_unknown_are_left_out_and_counted(read: Read) -> None:
    everything = read()
    fewer = read(use_case(("mail", ("sale", "nothing"))))
    assert set(fewer.left_out) == {"mail: news"}
    assert 0 < fewer.rows == everything.rows - fewer.left_out["mail: news"]
    assert set(whole(fewer).actions[:, 0].tolist()) == {0, 1}


def test_dimensions_need_not_be_the_same_where_nothing_is_chosen(read: Read, spring: Any) -> None:
    only = use_case(("mail", ("sale", "news", "nothing")), ("hour", ("09",)))
    assert whole(read(only)).actions[:, 1].tolist() == [0] * 10
    options = {"none": "nothing", "sale": "sale", "news": "news"}
    mail = {"name": "mail", "column": "letter", "options": options}
    hour = {"name": "hour", "column": "sent", "options": {"9": "09"}}
    found = read(
        columns=spring.few(sent=[9] * 10),
        dimensions=[mail, hour],
        control={"letter": "none", "sent": "9"},
    )
    assert (found.rows, found.unused) == (10, ("hour",))


def test_an_amount_says_whether_anything_happened_but_not_the_other_way(
    read: Read, spring: Any
) -> None:
    columns = spring.few(spent=[-3.0, 0.0, 2.5, *[0.0] * 7])
    assert sorted(whole(read(use_case(), REVENUE, "spent", columns=columns)).rewards)[-2:] == [
        0.0,
        2.5,
    ]
    counted = whole(read(use_case(), BOUGHT, "spent", columns=columns)).rewards
    assert sorted(counted) == [0.0] * 9 + [1.0]
    assert refusal(read, use_case(), REVENUE, "bought") == [
        "outcome: 'bought' says whether anything happened, but metric 'revenue' sums 'revenue'. "
        "Of kind amount: spent."
    ]


def test_the_outcome_is_the_one_called_like_the_metric_or_the_only_one(read: Read) -> None:
    assert read().outcome.name == "bought"
    only = [{"column": "spent", "kind": "amount"}]
    assert read(use_case(), REVENUE, outcomes=only).outcome.name == "spent"
    with pytest.raises(UnknownOutcome, match="Did you mean 'bought'"):
        read(use_case(), BOUGHT, "bougth")
    assert refusal(read, use_case(), replace(BOUGHT, name="orders")) == [
        "outcome: s has 2 and none is called 'orders', as the success metric is. Choose one: "
        "bought, spent."
    ]


def test_everything_that_does_not_fit_is_listed_at_once(read: Read) -> None:
    wanted = use_case(
        ("mial", ("sale", "news")),
        features=(
            Feature(trait="session", one_of=()),
            Feature(trait="tariff", one_of=()),
            Feature(trait="visits", one_of=("1", "2")),
        ),
    )
    features = [*FEATURES[:1], {**PLAN, "name": "tariff"}, {"column": "spent", "name": "visits"}]
    only = [{"column": "bought", "kind": "binary"}]
    assert refusal(read, wanted, features=features, outcomes=only) == [
        "feature 'session' of 'letters': s has none of this name. Did you mean 'sessions'? "
        'Allowed: sessions, tariff, visits. Say which column it is, with { column = "...", name = '
        '"session" }, or take it out of the use case.',
        "feature 'tariff': a number in the use case, a category in column 'plan'. Take it out of "
        "'categorical', or change the use case.",
        "feature 'visits': a category in the use case, numbers in column 'spent'. List it under "
        "'categorical', or change the use case.",
        "dimension 'mial' of 'letters': s has none of this name. Did you mean 'mail'? Allowed: "
        "mail. Say which column tells it; if everybody got the same, add a column with that one "
        "value.",
    ]


def test_categories_and_options_of_other_names_are_no_silent_zeros(read: Read) -> None:
    other = (Feature(trait="tariff", one_of=("Basic", "Plus")),)
    assert refusal(read, use_case(features=other)) == [
        "feature 'tariff': no row has one of Basic, Plus in column 'plan'. Write the categories as "
        "the trait has them."
    ]
    assert refusal(read, use_case(("mail", ("Sale", "News")))) == [
        "No row of spring.parquet got options of 'letters'. They are mail Sale, News; s has mail "
        "nothing, sale, news. Give options the same names."
    ]


def test_the_kept_model_is_what_the_library_makes_of_the_rows(stores: Stores, spring: Any) -> None:
    pipeline.create_tables(stores)
    schema = spring.schema(features=FEATURES, categorical=[], propensity=1 / 3)
    campaign = read_campaign(spring.written(spring.made(rows=1_200)), schema)
    mails = use_case(("mail", ("sale", "news")))
    told: list[tuple[object, ...]] = []
    defined = (mails, BOUGHT)
    found = warm_start(stores, campaign, defined, share=0.4, told=lambda *each: told.append(each))
    expected: policies.Policy = FactoredThompson.start(mails.space, features=3, reward="binary")
    for batch in lessons(campaign, mails, BOUGHT).batches:
        expected = expected.update(batch)
    assert isinstance(expected, FactoredThompson)
    kept = newest(stores, mails, BOUGHT, date(2026, 1, 1))
    assert kept is not None
    assert kept.policy.to_bytes() == expected.discounted(0.4).to_bytes()
    rows = found.lessons.rows
    assert (
        kept.warm_start
        == found.started.warm_start
        == WarmStart(
            source="spring.parquet",
            digest=campaign.digest,
            meaning=found.started.warm_start.meaning,
            outcome="bought",
            rows=rows,
            left_out=1_200 - rows,
            share=0.4,
        )
    )
    assert (told[0], told[-1]) == (("rows learned", 0, rows), ("rows learned", rows, rows))
    left_out = f"{1_200 - rows} rows left out: 'letters' has no option mail: nothing."
    assert found.warnings == (left_out,)
    assert not warm_start(stores, campaign, defined, share=0.4, told=lambda *_: None).started.kept


def test_rows_that_a_rule_chose_come_with_a_warning(stores: Stores, spring: Any) -> None:
    pipeline.create_tables(stores)
    campaign = read_campaign(
        spring.written(spring.few()), spring.schema(features=[PLAN, "visits"], categorical=[])
    )
    wanted = use_case(features=(Feature(trait="tariff", one_of=("plus", "basic")),))
    found = warm_start(stores, campaign, (wanted, BOUGHT), told=lambda *_: None)
    assert found.warnings == (
        "Who got what followed a rule of the log ('chance'), not a fixed chance. 'letters' must "
        "have every feature that this rule looked at: what else it looked at is taken for an "
        "effect of the options. It does not read visits of the log.",
    )
