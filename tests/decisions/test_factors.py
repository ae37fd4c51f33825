"""Reasons for one decision add up to its advantage; those of a day are noted for who looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from opportune import policies, reports
from opportune.decisions import (
    Answer,
    Decided,
    Feature,
    Person,
    Question,
    UseCase,
    decide,
    decide_asked,
    in_words,
    make_decider,
    snapshot,
)
from opportune.decisions.factors import MOST_FACTORS
from opportune.profiles import snapshot as profiles_snapshot
from opportune.reports.choices import movers
from opportune.storage import Stores

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
PLANS = ("basic", "plus")
Make = Callable[..., UseCase]


def taught(use_case: UseCase) -> policies.FactoredThompson:
    """Who has plan plus answers to tv, and sms is better for everybody."""
    random, count = np.random.default_rng(1), 20_000
    plan = random.integers(0, 2, count)
    features = np.stack([random.normal(size=count), plan == 0, plan == 1], axis=1).astype(float)
    actions = np.stack([random.integers(0, 3, count), random.integers(0, 2, count)], axis=1)
    chance = 0.1 + 0.25 * ((actions[:, 0] == 0) & (plan == 1)) + 0.1 * (actions[:, 1] == 1)
    start = policies.FactoredThompson.start(use_case.space, features=3, reward="binary")
    return start.update(
        policies.Batch(
            features=features,
            actions=actions.astype(np.int16),
            rewards=(random.random(count) < chance).astype(np.float64),
            propensities=np.full(count, 1 / 6),
        )
    )


def answer(case: UseCase, policy: policies.Policy, **traits: object) -> Answer:
    decider = make_decider(case, policy, day=DAY, policy_version="v", trained_through=None)
    person = Person(
        profile_id=7,
        user_id="u7",
        traits=traits,
        segments=frozenset({"everybody"}),
        last_seen_at=NOW,
        answer=None,
    )
    asked = Question(use_case="next", kind="user_id", value="u7", request_id="r")
    (found,) = decide_asked(decider, [(asked, person)], now=NOW)
    assert isinstance(found, Decided)
    return found.answer


def test_reasons_add_up_and_the_weightiest_come_first(use_case: Make) -> None:
    case = use_case()
    found = answer(case, taught(case), plan="plus", n=0.5)
    assert found.action == {"offer": "tv", "channel": "sms"}
    assert found.advantage is not None
    assert found.advantage > 0.5
    sizes = [abs(each.adds) for each in found.factors]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(each.adds for each in found.factors) == pytest.approx(found.advantage, abs=1e-12)
    said = {in_words(each): each.adds for each in found.factors}
    assert said["offer tv where plan is plus"] > 0.2
    assert said["channel sms for everybody"] > 0.1
    assert "offer tv with channel sms" in said


def test_what_is_not_known_is_said_and_the_rest_is_one_reason(use_case: Make) -> None:
    many = tuple(Feature(trait=f"n{k}", one_of=()) for k in range(30))
    case = use_case(features=(Feature(trait="plan", one_of=PLANS), *many))
    random, count = np.random.default_rng(2), 4_000
    start = policies.FactoredThompson.start(case.space, features=32, reward="binary")
    policy = start.update(
        policies.Batch(
            features=random.normal(size=(count, 32)),
            actions=random.integers(0, 2, (count, 2)).astype(np.int16),
            rewards=(random.random(count) < 0.2).astype(np.float64),
            propensities=np.full(count, 1 / 4),
        )
    )
    found = answer(case, policy, **{f"n{k}": 1.5 for k in range(30)})
    assert len(found.factors) == MOST_FACTORS + 1
    assert found.advantage is not None
    assert sum(each.adds for each in found.factors) == pytest.approx(found.advantage, abs=1e-12)
    assert in_words(found.factors[-1]) == "everything smaller together"
    unknown = replace(found.factors[0], trait="plan", value=None, options={"offer": "tv"})
    assert in_words(unknown) == "offer tv where plan is none of its values"


def test_a_policy_that_cannot_say_why_gives_no_reasons(use_case: Make) -> None:
    case = use_case()
    found = answer(case, policies.Fixed(case.space, ("tv", "sms")))
    assert (found.advantage, found.factors) == (None, ())


def test_a_day_notes_what_moved_its_choices_and_the_report_shows_it(
    stores: Stores, people: Callable[..., None], use_case: Make
) -> None:
    people(range(400), [{"plan": PLANS[place % 2], "n": place % 3} for place in range(400)])
    case = use_case(random_share=0.2)
    snapshot(stores, case, DAY, profiles_snapshot(stores.state))
    told: dict[str, Any] = {"policy_version": "v", "now": NOW}
    assert decide(stores, case, DAY, policy=taught(case), **told)
    found = movers(stores, case, since=DAY)
    (first, second), by_name = found[:2], {(each.dimension, each.trait) for each in found}
    assert (first.dimension, first.trait) == ("offer", "plan")
    assert first.moved > second.moved > 0
    assert {("channel", None), ("offer with channel", None)} <= by_name
    assert isinstance(first, reports.Mover)
    # Another version, or later days, have none of it.
    assert movers(stores, replace(case, version=2), since=DAY) == ()
    assert movers(stores, case, since=date(2026, 3, 2)) == ()


def test_of_a_policy_that_cannot_say_why_nothing_is_noted(
    stores: Stores, people: Callable[..., None], use_case: Make
) -> None:
    people(range(40), {"plan": "plus"})
    case = use_case()
    snapshot(stores, case, DAY, profiles_snapshot(stores.state))
    fixed = policies.Fixed(case.space, ("tv", "sms"))
    assert decide(stores, case, DAY, policy=fixed, policy_version="v", now=NOW)
    assert movers(stores, case, since=DAY) == ()
