"""Decide for single profiles: all that is the same for each of them is made ready once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.asked import (
    Answer,
    Candidate,
    Decided,
    NotOnRequest,
    NotStarted,
    Person,
    Question,
)
from opportune.decisions.budget import explored, millionths
from opportune.decisions.decide import SHADOW
from opportune.decisions.dues import dues
from opportune.decisions.factors import Factor, factors_of
from opportune.decisions.groups import CHAMPION, RANDOM, UNSENT, players, variants
from opportune.decisions.judge import eligibility, judge_of
from opportune.decisions.limits import Held
from opportune.decisions.may_ask import Asking, asking
from opportune.decisions.model import UseCase
from opportune.decisions.prepared import Decider, Expect, Play
from opportune.errors import OpportuneError
from opportune.policies import ActionDistribution, Draw, Eligibility
from opportune.profiles import ConsentRules

__all__ = ["decide_asked", "make_decider"]

MOST_CANDIDATES = 50

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """What came out for several profiles at once, in their order."""

    distribution: ActionDistribution
    drawn: Draw
    candidates: list[tuple[Candidate, ...]]
    # What the policy expects of the drawn actions; None: it does not say, or another one played.
    expected: list[float | None]
    advantages: list[float | None]
    factors: list[tuple[Factor, ...]]
    # How many actions each may get.
    counts: list[float]


def make_decider(
    use_case: UseCase,
    policy: policies.Policy,
    *,
    day: date,
    policy_version: str,
    trained_through: date | None,
    consent: ConsentRules | None = None,
) -> Decider:
    """Make ready what decides ``day``; a policy that can be prepared for a seed is.

    Where `is_limited`, it decides once it has ``limits``. Raises ``NotOnRequest`` where a cap
    counts sends.
    """
    if use_case.constraints.caps:
        raise NotOnRequest(
            f"Use case '{use_case.name}' has a cap on sends: how many a profile had, of all use "
            "cases together, is known to the day's run alone. Make a use case without one to be "
            "asked."
        )
    policies.warm_up()
    seed = policies.seed(f"{use_case.name}:{day}")
    prepare = getattr(policy, "seeded", None)
    play = partial(policy.distribution, seed=seed) if prepare is None else prepare(seed)
    ready = getattr(policy, "conclusions", lambda: policy)()
    return Decider(
        use_case=use_case,
        day=day,
        policy=policy.name,
        policy_version=policy_version,
        trained_through=trained_through,
        space=use_case.space,
        judge=judge_of(use_case, day),
        play=cast(Play, play),
        expect=cast("Expect | None", getattr(ready, "expected", None)),
        explain=ready.contributions if isinstance(ready, policies.Explaining) else None,
        consent=consent,
    )


def decide_asked(
    decider: Decider,
    asked: Sequence[tuple[Question, Person]],
    *,
    now: datetime,
    held: Held | None = None,
) -> list[Decided | OpportuneError]:
    """Decide for each of some profiles, or say why not: ``NotInAudience``, ``NoOption``, `TooSoon`.

    The features, rules, probabilities and groups are those of the day's run; chance comes from a
    hash of (use case, day, request, profile) alone. ``held`` is what was held for them of the
    decider's limits. Nothing is kept here.
    """
    found: list[Decided | OpportuneError | None] = [None] * len(asked)
    ready: list[Asking] = []
    for judged in asking(decider, asked, held):
        if isinstance(judged.outcome, OpportuneError):
            found[judged.place] = judged.outcome
        else:
            ready.append(judged.outcome)
    ids = np.array([each.person.profile_id for each in ready], dtype=np.int64)
    groups = variants(decider.use_case, ids).tolist()
    kinds = [group * (group in (RANDOM, CHAMPION)) for group in groups]
    for kind in sorted(set(kinds)):
        places = [row for row, each in enumerate(kinds) if each == kind]
        player = _player(decider, kind)
        if player is None:
            for place in places:
                found[ready[place].place] = _not_started(decider.use_case)
            continue
        played = _play(player, [ready[row] for row in places], kind=kind)
        for row, place in enumerate(places):
            each = ready[place]
            said = _answer(player, each, played, row)
            group = SHADOW if decider.use_case.is_shadow else groups[place]
            answer = Answer(**said, group=group, decided_at=now)
            found[each.place] = _decided(decider, each, answer, expected=played.expected[row])
    return [each for each in found if each is not None]


def _player(decider: Decider, kind: str) -> Decider | None:
    """What decides for the group ``kind``; None: its policy has not begun."""
    if kind != CHAMPION or not decider.use_case.champion_policy:
        return decider
    return decider.champion and replace(decider.champion, limits=decider.limits)


def _not_started(use_case: UseCase) -> NotStarted:
    return NotStarted(
        f"Use case '{use_case.name}': this profile is in the champion's group, and the champion "
        f"'{use_case.champion_policy}' has no policy before its first day. Nothing was decided; "
        "ask again after the day's run."
    )


def _play(decider: Decider, ready: Sequence[Asking], *, kind: str) -> _Played:
    """The policy's play, or that of the group ``kind``'s own player, as the day's run has it."""
    use_case = decider.use_case
    eligible = eligibility(use_case, [each.judged for each in ready])
    values = np.array([each.values for each in ready]).reshape(len(ready), -1)
    player = players(use_case).get(kind)
    if player is not None:
        play = player.distribution(values, eligible, seed=0)
    else:
        play = decider.play(values, eligible, costs=_costs(decider))
    is_action = kind == CHAMPION and player is not None
    play = explored(play, 0.0 if is_action else use_case.exploration_min)
    counts = eligible.counts(decider.space).tolist()
    drawn = policies.draw(play, _chances(decider, ready))
    advantages, factors = _factors(decider, values, drawn.actions, eligible)
    candidates, expected = _candidates(decider, ready, play, counts, drawn=drawn.actions)
    return _Played(
        distribution=play,
        drawn=drawn,
        candidates=candidates,
        expected=[None] * len(ready) if kind else expected,
        advantages=advantages,
        factors=factors,
        counts=counts,
    )


def _costs(decider: Decider) -> policies.Costs | None:
    """What options cost, as the day's run weighs it: with the shadow price of the newest day."""
    costs, budget = decider.use_case.costs, decider.use_case.budget
    weight = 0.0 if budget is not None and budget.unit else 1.0
    weight += 0.0 if decider.limits is None else decider.limits.shadow_price
    if costs is None or weight in (0.0, 1.0):
        return costs if weight else None
    return policies.Costs(
        sent=tuple(each * weight for each in costs.sent),
        rewarded=tuple(each * weight for each in costs.rewarded),
    )


def _factors(
    decider: Decider, values: Floats, actions: NDArray[np.int16], eligible: Eligibility
) -> tuple[list[float | None], list[tuple[Factor, ...]]]:
    """Why each action is worth more, or less, than the average of what its profile may get."""
    if decider.explain is None:
        return [None] * len(actions), [()] * len(actions)
    found = decider.explain(values, actions, eligible)
    names = [list(_named(decider, action).values()) for action in actions.tolist()]
    return found.total.tolist(), factors_of(decider.use_case, names, values, found)


def _chances(decider: Decider, ready: Sequence[Asking]) -> Floats:
    # A dry run without a request is what the day's run would draw.
    today = f"{decider.use_case.name}:{decider.day}"
    keys = [
        f"{today}:{each.question.request}" if each.question.request_id else today for each in ready
    ]
    return policies.uniforms(keys, np.array([each.person.profile_id for each in ready], np.int64))


def _answer(decider: Decider, each: Asking, played: _Played, row: int) -> dict[str, Any]:
    use_case, drawn = decider.use_case, played.drawn
    propensities = drawn.dimension_propensities[row].tolist()
    names = [dimension.name for dimension in use_case.dimensions]
    return {
        "decision_id": None if each.question.dry_run else _decision_id(decider, each),
        "use_case": use_case.name,
        "version": use_case.version,
        "day": decider.day,
        "action": _named(decider, drawn.actions[row].tolist()),
        "parameters": _parameters(decider, drawn.actions[row].tolist()),
        "propensity": float(drawn.propensities[row]),
        "dimension_propensities": dict(zip(names, propensities, strict=True)),
        "explored": bool(drawn.explored[row]),
        "policy": decider.policy,
        "policy_version": decider.policy_version,
        "trained_through": decider.trained_through,
        "uniform_share": float(played.distribution.uniform_share),
        "eligible_actions": int(played.counts[row]),
        "candidates": played.candidates[row],
        "advantage": played.advantages[row],
        "factors": played.factors[row],
        "excluded": each.judged.excluded,
        "last_event_at": each.person.last_seen_at,
        "dry_run": each.question.dry_run,
    }


def _candidates(
    decider: Decider,
    ready: Sequence[Asking],
    distribution: ActionDistribution,
    counts: Sequence[float],
    *,
    drawn: NDArray[np.int16],
) -> tuple[list[tuple[Candidate, ...]], list[float | None]]:
    """What the policy plays, each with its whole probability: the uniform part counts, too.

    And what it expects of what was ``drawn``, asked for in the same breath: it may be none of them.
    """
    ranked = [
        _ranked(support, weights)
        for support, weights in zip(
            distribution.support.tolist(), distribution.weights.tolist(), strict=True
        )
    ]
    if distribution.uniform_share == 1.0:
        ranked = _eligible(decider, distribution.eligible)
    actions = [action for row in ranked for action, _ in row] + drawn.tolist()
    scores: list[float | None] = [None] * len(actions)
    if decider.expect is not None and actions:
        rows = [each.values for each, row in zip(ready, ranked, strict=True) for _ in row]
        rows += [each.values for each in ready]
        features = np.array(rows).reshape(len(rows), -1)
        scores = decider.expect(features, np.array(actions, dtype=np.int16)).tolist()
    told = iter(scores)
    candidates = [
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
    return candidates, list(told)


def _eligible(decider: Decider, eligible: Eligibility) -> list[list[tuple[tuple[int, ...], float]]]:
    """The first actions that each may get: any is played with the same probability."""
    actions = decider.space.actions()
    found: list[list[tuple[tuple[int, ...], float]]] = [[] for _ in range(len(eligible))]
    for rows, allowed in eligible.alike(decider.space):
        first = actions[np.flatnonzero(allowed)[:MOST_CANDIDATES]]
        for row in rows.tolist():
            found[row] = [(tuple(action), 0.0) for action in first.tolist()]
    return found


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


def _parameters(
    decider: Decider, action: Sequence[int]
) -> dict[str, Mapping[str, str | int | float | bool]]:
    return {
        dimension.name: dimension.options[option].parameters
        for dimension, option in zip(decider.use_case.dimensions, action, strict=True)
        if dimension.options[option].parameters
    }


def _decision_id(decider: Decider, each: Asking) -> str:
    """Name the decision; the profile's id is last, as in every id of a decision."""
    day, profile_id = decider.day.isoformat().replace("-", ""), each.person.profile_id & (2**64 - 1)
    return f"{decider.use_case.name}:{day}:{each.question.request}:{profile_id:016x}"


def _decided(decider: Decider, each: Asking, answer: Answer, *, expected: float | None) -> Decided:
    use_case, limits = decider.use_case, decider.limits
    due = {} if use_case.is_shadow else dues(use_case, answer.action or {})
    record: dict[str, object] = {
        "user_id": each.person.user_id,
        # NaN is no JSON.
        "values": [None if math.isnan(value) else value for value in each.values],
        "expected": None if expected is None or math.isnan(expected) else expected,
        "eligible": each.judged.options,
        "forbidden": each.judged.forbidden,
        **due,
    }
    decided = Decided(
        use_case=answer.use_case,
        profile_id=each.person.profile_id,
        request=each.question.request,
        decided_at=answer.decided_at,
        answer=answer,
        record=record,
    )
    if limits is None or each.past is None:
        return decided
    known = {"cooled": each.past.cooled, "recent": each.past.recent}
    price = {} if limits.left is None else {"shadow_price": limits.shadow_price}
    spends = not use_case.is_shadow and answer.group not in UNSENT
    cost = sum(millionths(float(due.get(name) or 0)) for name in ("cost", "cost_rewarded"))
    return replace(
        decided,
        record=record | known | price,
        user_id=each.person.user_id,
        contact=each.number,
        had=None if use_case.is_shadow or "due_at" in due else _contact(use_case, answer),
        cost=cost if spends else 0,
    )


def _contact(use_case: UseCase, answer: Answer) -> dict[str, object]:
    """What is said of an answer to whoever decides for the same person next."""
    place = use_case.place_of("frequency")
    action = answer.action or {}
    cadence = () if place is None else use_case.dimensions[place].options
    name = "" if place is None else action[use_case.dimensions[place].name]
    days = next((option.days for option in cadence if option.name == name), 0)
    return {"day": answer.day.isoformat(), "action": action, "days": days}
