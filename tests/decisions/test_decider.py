"""What is the same for every question is made ready once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest

from opportune import policies
from opportune.decisions import Decided, Person, Question, UseCase, decide_asked, make_decider
from opportune.decisions.asked import InvalidQuestion

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
        return partial(self._inner.distribution, seed=seed)

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
