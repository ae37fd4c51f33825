"""Decide for single profiles: all that is the same for each of them is made ready once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.asked import (
    Answer,
    Candidate,
    Decided,
    NotInAudience,
    OnlyByTheDay,
    Person,
    Question,
)
from opportune.decisions.budget import RANDOM, explored
from opportune.decisions.combinations import breaking
from opportune.decisions.decide import NoOption, variants
from opportune.decisions.judge import Judged, eligibility, judge
from opportune.decisions.model import UseCase
from opportune.decisions.read_traits import features_of
from opportune.errors import OpportuneError
from opportune.policies import ActionDistribution, Draw, Eligibility

__all__ = ["Decider", "decide_asked", "make_decider"]

TEST_PERSON = "test_person"
MOST_CANDIDATES = 50

Floats = NDArray[np.float64]
Play = Callable[[Floats, Eligibility, policies.Costs | None], ActionDistribution]
Expect = Callable[[Floats, NDArray[np.int16]], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """One version of a use case on one day, with the policy that decides that day.

    ``play`` gives the probabilities that the day's run would: the draws of the policy's
    coefficients depend on nothing else, and are made once. ``expect`` is None for a policy that
    expects nothing. ``broken``: which combinations break each forbidden one.
    """

    use_case: UseCase
    day: date
    policy: str
    policy_version: str
    trained_through: date | None
    space: policies.ActionSpace
    play: Play
    expect: Expect | None
    broken: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A question whose profile may get something."""

    place: int
    question: Question
    person: Person
    values: list[float]
    judged: Judged
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """What came out for several profiles at once, in their order."""

    distribution: ActionDistribution
    drawn: Draw
    candidates: list[tuple[Candidate, ...]]
    # How many actions each may get.
    counts: list[float]


def make_decider(
    use_case: UseCase,
    policy: policies.Policy,
    *,
    day: date,
    policy_version: str,
    trained_through: date | None,
) -> Decider:
    """Make ready what decides ``day``; a policy that can be prepared for a seed is.

    ``OnlyByTheDay`` where that is not possible: what a profile had lately and what channels it
    allows are known to the day's run alone.
    """
    _check_possible(use_case)
    policies.warm_up()
    seed = policies.seed(f"{use_case.name}:{day}")
    prepare = getattr(policy, "seeded", None)
    play = _plain(policy, seed) if prepare is None else prepare(seed)
    return Decider(
        use_case=use_case,
        day=day,
        policy=policy.name,
        policy_version=policy_version,
        trained_through=trained_through,
        space=use_case.space,
        play=cast(Play, play),
        expect=cast("Expect | None", getattr(policy, "expected", None)),
        broken=breaking(use_case),
    )


def _plain(policy: policies.Policy, seed: int) -> Play:
    def play(
        features: Floats, eligible: Eligibility, costs: policies.Costs | None
    ) -> ActionDistribution:
        return policy.distribution(features, eligible, seed=seed, costs=costs)

    return play


def _check_possible(use_case: UseCase) -> None:
    reasons = {
        "cool-downs": bool(use_case.constraints.cooldowns),
        "a dimension that means the frequency": use_case.place_of("frequency") is not None,
        "a dimension that means the channel": use_case.place_of("channel") is not None,
    }
    found = [reason for reason, holds in reasons.items() if holds]
    if found:
        raise OnlyByTheDay(
            f"Use case '{use_case.name}' has {' and '.join(found)}, which only the day's run can "
            "keep. Take the decisions of the day, or ask a use case without."
        )


def decide_asked(
    decider: Decider, asked: Sequence[tuple[Question, Person]], *, now: datetime
) -> list[Decided | OpportuneError]:
    """Decide for each of some profiles, or say why not (``NotInAudience``, ``NoOption``).

    The features, rules, probabilities and groups are those of the day's run; chance comes from a
    hash of (use case, day, request, profile) alone. Nothing is kept here.
    """
    found: list[Decided | OpportuneError | None] = [None] * len(asked)
    ready: list[_Asked] = []
    for place, (question, person) in enumerate(asked):
        try:
            ready.append(_ready(decider, place, question, person))
        except OpportuneError as refusal:
            found[place] = refusal
    for by_chance in (False, True):
        mine = [each for each in ready if (each.group == RANDOM) is by_chance]
        if not mine:
            continue
        played = _play(decider, mine, by_chance=by_chance)
        for row, each in enumerate(mine):
            answer = _answer(decider, each, played, row)
            found[each.place] = _decided(decider, each, Answer(**answer, decided_at=now))
    return [each for each in found if each is not None]


def _play(decider: Decider, ready: Sequence[_Asked], *, by_chance: bool) -> _Played:
    eligible = eligibility([each.judged for each in ready], decider.broken)
    values = np.array([each.values for each in ready]).reshape(len(ready), -1)
    if by_chance:
        distribution = policies.Uniform(decider.space).distribution(values, eligible, seed=0)
    else:
        # Under a budget nothing that costs is left to choose.
        costs = decider.use_case.costs if decider.use_case.budget is None else None
        played = decider.play(values, eligible, costs)
        distribution = explored(played, decider.use_case.exploration_min)
    counts = eligible.counts(decider.space).tolist()
    return _Played(
        distribution=distribution,
        drawn=policies.draw(distribution, _chances(decider, ready)),
        candidates=_candidates(decider, ready, distribution, counts),
        counts=counts,
    )


def _ready(decider: Decider, place: int, question: Question, person: Person) -> _Asked:
    use_case = decider.use_case
    traits = {**person.traits, **question.traits} if question.traits else person.traits
    _check_audience(use_case, person, traits)
    judged = judge(use_case, traits, decider.day)
    for mask, dimension in zip(judged.options, use_case.dimensions, strict=True):
        if not mask:
            reasons = "; ".join(
                f"{each.options[dimension.name]}: {each.because}"
                for each in judged.excluded
                if dimension.name in each.options
            )
            raise NoOption(
                f"Use case '{use_case.name}': no option of dimension '{dimension.name}' is "
                f"allowed for this profile ({reasons}). Nothing was decided."
            )
    if judged.forbidden and not eligibility([judged], decider.broken).counts(decider.space)[0]:
        raise NoOption(
            f"Use case '{use_case.name}': every combination of this profile's options is "
            "forbidden. Nothing was decided."
        )
    ids = np.array([person.profile_id], dtype=np.int64)
    return _Asked(
        group=str(variants(use_case, ids)[0]),
        place=place,
        question=question,
        person=person,
        values=features_of(use_case, traits),
        judged=judged,
    )


def _check_audience(use_case: UseCase, person: Person, traits: Mapping[str, object]) -> None:
    """Refuse whom the day's run leaves out."""
    away = sorted(person.segments.intersection(use_case.minus))
    if person.user_id is None:
        reason = "it has no user id"
    elif _is_true(traits.get(TEST_PERSON)):
        reason = "it only tests, and is in no group"
    elif away:
        reason = f"it is in segment '{away[0]}', which is taken away"
    elif not person.segments.intersection(use_case.audience):
        reason = f"it is in none of the segments {', '.join(use_case.audience)}"
    else:
        return
    raise NotInAudience(
        f"Use case '{use_case.name}' does not decide for this profile: {reason}. Nothing was "
        "decided."
    )


def _is_true(given: object) -> bool:
    return given is True or given == "true"


def _chances(decider: Decider, ready: Sequence[_Asked]) -> Floats:
    # A dry run without a request is what the day's run would draw.
    today = f"{decider.use_case.name}:{decider.day}"
    return np.concatenate(
        [
            policies.uniforms(
                f"{today}:{each.question.request}" if each.question.request_id else today,
                np.array([each.person.profile_id], dtype=np.int64),
            )
            for each in ready
        ]
    )


def _answer(decider: Decider, each: _Asked, played: _Played, row: int) -> dict[str, Any]:
    use_case, drawn = decider.use_case, played.drawn
    propensities = drawn.dimension_propensities[row].tolist()
    names = [dimension.name for dimension in use_case.dimensions]
    return {
        "decision_id": None if each.question.dry_run else _decision_id(decider, each),
        "use_case": use_case.name,
        "version": use_case.version,
        "day": decider.day,
        "group": each.group,
        "action": _named(decider, drawn.actions[row].tolist()),
        "propensity": float(drawn.propensities[row]),
        "dimension_propensities": dict(zip(names, propensities, strict=True)),
        "explored": bool(drawn.explored[row]),
        "policy": decider.policy,
        "policy_version": decider.policy_version,
        "trained_through": decider.trained_through,
        "uniform_share": float(played.distribution.uniform_share),
        "eligible_actions": int(played.counts[row]),
        "candidates": played.candidates[row],
        "excluded": each.judged.excluded,
        "last_event_at": each.person.last_seen_at,
        "dry_run": each.question.dry_run,
    }


def _candidates(
    decider: Decider,
    ready: Sequence[_Asked],
    distribution: ActionDistribution,
    counts: Sequence[float],
) -> list[tuple[Candidate, ...]]:
    """What the policy plays, each with its whole probability: the uniform part counts, too."""
    ranked = [
        _ranked(support, weights)
        for support, weights in zip(
            distribution.support.tolist(), distribution.weights.tolist(), strict=True
        )
    ]
    actions = [action for row in ranked for action, _ in row]
    scores: list[float | None] = [None] * len(actions)
    if decider.expect is not None and actions:
        rows = [each.values for each, row in zip(ready, ranked, strict=True) for _ in row]
        features = np.array(rows).reshape(len(rows), -1)
        scores = decider.expect(features, np.array(actions, dtype=np.int16)).tolist()
    told = iter(scores)
    return [
        tuple(
            Candidate(
                action=_named(decider, action),
                probability=share + distribution.uniform_share / count,
                score=next(told),
            )
            for action, share in row
        )
        for row, count in zip(ranked, counts, strict=True)
    ]


def _ranked(support: list[list[int]], weights: list[float]) -> list[tuple[tuple[int, ...], float]]:
    """The likeliest actions first, each once."""
    shares: dict[tuple[int, ...], float] = {}
    for action, weight in zip(map(tuple, support), weights, strict=True):
        if weight > 0:
            shares[action] = shares.get(action, 0.0) + weight
    ranked = sorted(shares.items(), key=lambda each: (-each[1], each[0]))
    return ranked[:MOST_CANDIDATES]


def _named(decider: Decider, action: Sequence[int]) -> dict[str, str]:
    return {
        dimension.name: dimension.options[option].name
        for dimension, option in zip(decider.use_case.dimensions, action, strict=True)
    }


def _decision_id(decider: Decider, each: _Asked) -> str:
    """Name the decision; the profile's id is last, as in every id of a decision."""
    day, profile_id = f"{decider.day:%Y%m%d}", each.person.profile_id & (2**64 - 1)
    return f"{decider.use_case.name}:{day}:{each.question.request}:{profile_id:016x}"


def _decided(decider: Decider, each: _Asked, answer: Answer) -> Decided:
    action = decider.space.indices(tuple((answer.action or {}).values()))
    record = {
        **_cost(decider.use_case.costs, action),
        "forbidden": each.judged.forbidden,
        "user_id": each.person.user_id,
        # NaN is no JSON.
        "values": [None if math.isnan(value) else value for value in each.values],
        "eligible": each.judged.options,
    }
    return Decided(
        use_case=answer.use_case,
        profile_id=each.person.profile_id,
        request=each.question.request,
        decided_at=answer.decided_at,
        answer=answer,
        record=record,
    )


def _cost(costs: policies.Costs | None, action: Sequence[int]) -> dict[str, float]:
    if costs is None:
        return {"cost": 0.0, "cost_rewarded": 0.0}
    sent = sum(float(each[o]) for each, o in zip(costs.sent, action, strict=True))
    rewarded = sum(float(each[o]) for each, o in zip(costs.rewarded, action, strict=True))
    return {"cost": sent, "cost_rewarded": rewarded}
