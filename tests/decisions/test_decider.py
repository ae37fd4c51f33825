"""What is the same for every question is made ready once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opportune import policies
from opportune.decisions import (
    Answer,
    Budget,
    Decided,
    Person,
    Question,
    UseCase,
    decide_asked,
    make_decider,
)
from opportune.decisions.asked import InvalidQuestion
from opportune.decisions.history import Lately
from opportune.decisions.limits import Held, Limits

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Prepared:
    """A policy that is asked for one seed once, and never for a distribution."""

    name = "prepared"

    def __init__(self, inner: policies.Policy) -> None:
        self._inner = inner
        self.seeds: list[int] = []

    def seeded(self, seed: int) -> Callable[..., policies.ActionDistribution]:
        self.seeds.append(seed)
        return self._inner.seeded(seed)

    def distribution(self, *_: Any, **__: Any) -> policies.ActionDistribution:
        raise AssertionError("it was prepared for its seed")


def person(number: int) -> Person:
    return Person(
        profile_id=number,
        user_id=f"u{number}",
        traits={"n": number},
        segments=frozenset({"everybody"}),
        last_seen_at=NOW,
        answer=None,
    )


def question(number: int) -> Question:
    return Question(use_case="next", kind="user_id", value=f"u{number}", request_id="r")


def test_a_policy_is_prepared_once_for_all_questions_of_a_day(
    use_case: Callable[..., UseCase],
) -> None:
    case = use_case()
    inner = policies.FactoredThompson.start(
        case.space, features=case.feature_count, reward="binary"
    )
    prepared = Prepared(inner)
    told: dict[str, Any] = {"day": DAY, "policy_version": "v", "trained_through": None}
    asked = [(question(n), person(n)) for n in range(30)]
    plain = make_decider(case, inner, **told)
    expected = [
        each.answer.action
        for each in decide_asked(plain, asked, now=NOW)
        if isinstance(each, Decided)
    ]
    decider = make_decider(case, prepared, **told)  # type: ignore[arg-type]  # it cannot learn
    found = [
        each.answer.action
        for pair in asked
        for each in decide_asked(decider, [pair], now=NOW)
        if isinstance(each, Decided)
    ]
    assert found == expected
    assert len({str(action) for action in found}) > 1
    assert prepared.seeds == [policies.seed(f"next:{DAY}")]


def test_a_question_has_limits() -> None:
    told: dict[str, Any] = {"use_case": "next", "kind": "user_id", "value": "u"}
    with pytest.raises(InvalidQuestion, match="needs a request_id of its own"):
        Question(**told)
    with pytest.raises(InvalidQuestion, match="'traits' is 201 long; at most 200 is allowed"):
        Question(**told, dry_run=True, traits={str(n): n for n in range(201)})
    with pytest.raises(InvalidQuestion, match="'request_id' is 201 long"):
        Question(**told, request_id="r" * 201)
    assert Question(**told, dry_run=True).request_id == ""


def answers(case: UseCase, count: int, *, granted: int | None = None) -> list[Answer]:
    told: dict[str, Any] = {"day": DAY, "policy_version": "v", "trained_through": None}
    always = policies.Fixed(case.space, ("fiber", "sms"))
    decider = make_decider(case, always, **told)
    fiber = [replace(person(n), traits={"fiber": True}) for n in range(count)]
    asked = [(question(n), each) for n, each in enumerate(fiber)]
    held = None
    if granted is not None:
        nobody = np.empty((0, 2), dtype=np.int64)
        recent = pa.nulls(0, pa.list_(pa.int64()))
        had = Lately(row_of={}, cooled=nobody, recent=recent, waiting=np.empty(0, dtype=bool))
        limits = Limits(epoch=1, lately=had, left=granted, shadow_price=0.0)
        decider = replace(decider, limits=limits)
        held = Held(granted=granted, spare=0, contacts={})
    decided = decide_asked(decider, asked, now=NOW, held=held)
    return [each.answer for each in decided if isinstance(each, Decided)]


def test_what_costs_more_than_what_is_held_of_a_budget_is_not_chosen(
    use_case: Callable[..., UseCase],
) -> None:
    offer, channel = use_case().dimensions
    dear = replace(offer, options=(offer.options[0], replace(offer.options[1], cost=2.0)))
    budget = Budget(per_day=10.0, total=None, unit=None)
    (free,) = answers(use_case(dimensions=(dear, channel)), 1)
    case = use_case(dimensions=(dear, channel), budget=budget)
    assert free.action == {"offer": "fiber", "channel": "sms"}
    found = answers(case, 3, granted=4_999_999)
    assert [(each.action or {})["offer"] for each in found] == ["fiber", "fiber", "tv"]
    assert [[(each.options, each.because) for each in told.excluded] for told in found] == [
        [],
        [],
        [({"offer": "fiber"}, "its cost did not fit into what was left of the budget")],
    ]


def test_the_random_group_gets_anything_on_request_as_well(
    use_case: Callable[..., UseCase],
) -> None:
    found = answers(use_case(random_share=0.3, control_share=0.1), 400)
    assert len(found) == 400
    random = [each for each in found if each.group == "random"]
    assert 80 < len(random) < 160
    assert {each.propensity for each in random} == {1 / 6}
    assert len({str(each.action) for each in random}) == 6
    assert {each.propensity for each in found if each.group == "treatment"} == {1.0}


def test_what_is_tried_out_has_its_expectation_too(use_case: Callable[..., UseCase]) -> None:
    case = use_case(exploration_min=0.5, random_share=0.2, control_share=0.1)
    actions = np.array([[0, 0], [2, 1]] * 50, dtype=np.int16)
    learned = policies.EpsilonGreedy.start(
        case.space, features=case.feature_count, reward="binary", settings={"epsilon": 0.0}
    ).update(
        policies.Batch(
            features=np.tile(np.arange(100.0)[:, None], case.feature_count),
            actions=actions,
            rewards=(actions[:, 0] == 2).astype(np.float64),
            propensities=np.full(100, 0.5),
        )
    )
    told: dict[str, Any] = {"day": DAY, "policy_version": "v", "trained_through": DAY}
    decider = make_decider(case, learned, **told)
    asked = [(question(n), person(n)) for n in range(60)]
    found = [each for each in decide_asked(decider, asked, now=NOW) if isinstance(each, Decided)]
    assert len(found) == 60
    tried, names = 0, [[o.name for o in each.options] for each in case.dimensions]
    for each in found:
        expected, action = each.record["expected"], each.answer.action
        assert action is not None
        if each.answer.group == "random":
            assert expected is None
            continue
        places = [row.index(name) for row, name in zip(names, action.values(), strict=True)]
        values = np.array([each.record["values"]], dtype=np.float64)
        (true,) = learned.expected(values, np.array([places], dtype=np.int16)).tolist()
        assert expected == pytest.approx(true, rel=1e-12)
        assert each.answer.explored or each.answer.candidates[0].score == expected
        tried += action not in [one.action for one in each.answer.candidates]
    assert tried > 10
