"""A decision that was made, made again from what was kept: what it could be, and how likely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import policies, rules
from opportune.decisions.asked import Candidate
from opportune.decisions.budget import explored
from opportune.decisions.combinations import parts, quiet_options
from opportune.decisions.factors import Factor, factors_of
from opportune.decisions.groups import CHAMPION, players
from opportune.decisions.judge import Excluded
from opportune.decisions.model import Dimension, Option, UseCase

__all__ = ["MOST_CANDIDATES", "Known", "OptionChance", "Replayed", "exclusions", "replayed"]

# So many combinations are all shown; of more, the likeliest.
MOST_CANDIDATES = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the lake keeps of one decision.

    ``group`` is whose player chose: in shadow too, where the log has no groups. ``eligible`` are
    the masks that it was drawn from, ``allowed`` those before a budget; ``cooled`` what it had too
    lately. ``forbidden``, ``recent``: as in the snapshot. ``asked``: on request.
    """

    day: date
    group: str
    action: tuple[str, ...]
    values: tuple[float, ...]
    eligible: tuple[int, ...]
    allowed: tuple[int, ...]
    cooled: tuple[int, ...]
    forbidden: int
    recent: tuple[int, ...]
    shadow_price: float | None
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionChance:
    """How likely one option of a dimension was, whatever the others."""

    dimension: str
    option: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How likely each action was, and why the chosen one.

    ``propensity`` is that of the chosen action, worked out again. ``candidates``: every combination
    where they are at most 60, else the likeliest; ``chances``: each eligible option by itself.
    ``advantage`` is the log-odds of the action above the average of all, which ``factors`` add up
    to; None for a policy that does not say why.
    """

    propensity: float
    eligible_actions: int
    uniform_share: float
    candidates: tuple[Candidate, ...]
    chances: tuple[OptionChance, ...]
    advantage: float | None
    factors: tuple[Factor, ...]


def replayed(use_case: UseCase, policy: policies.Policy, known: Known) -> Replayed:
    """Make a decision again with the policy that made it, to say what it weighed."""
    space = use_case.space
    values = np.array([known.values]).reshape(1, -1)
    eligible = _eligibility(use_case, known)
    player = players(use_case).get(known.group)
    if player is not None:
        play = player.distribution(values, eligible, seed=0)
    else:
        seed = policies.seed(f"{use_case.name}:{known.day}")
        costs = _costs(use_case, known)
        play = policy.distribution(values, eligible, seed=seed, costs=costs)
    is_action = known.group == CHAMPION and player is not None
    play = explored(play, 0.0 if is_action else use_case.exploration_min)
    action = np.array([space.indices(known.action)], dtype=np.int16)
    count = float(eligible.counts(space)[0])
    advantage, factors = _factors(use_case, policy, values, action, eligible)
    return Replayed(
        propensity=float(policies.probability(play, action)[0]),
        eligible_actions=int(count),
        uniform_share=float(play.uniform_share),
        candidates=_candidates(use_case, policy, values, play, count),
        chances=tuple(_chances(use_case, play)),
        advantage=advantage,
        factors=factors,
    )


def exclusions(use_case: UseCase, known: Known, *, asks_consent: bool) -> tuple[Excluded, ...]:
    """Return each option and combination that could not be chosen, with the rule that barred it.

    The lake keeps what was barred, not by which of several rules: where more than one may have been
    it, all are named. ``asks_consent``: channels must be allowed.
    """
    quiet = quiet_options(use_case).tolist()
    found = []
    for d, dimension in enumerate(use_case.dimensions):
        for o, option in enumerate(dimension.options):
            if (known.eligible[d] >> o) & 1:
                continue
            because = " or ".join(
                ["its cost did not fit into what was left of the budget"]
                if (known.allowed[d] >> o) & 1
                else _barred(dimension, option, known, (d, o), quiet[d], asks_consent=asks_consent)
            )
            found.append(Excluded(options={dimension.name: option.name}, because=because))
    return (*found, *_forbidden(use_case, known), *_recent(use_case, known))


def _barred(
    dimension: Dimension,
    option: Option,
    known: Known,
    place: tuple[int, int],
    quiet: int,
    *,
    asks_consent: bool,
) -> Sequence[str]:
    """What is certain comes alone; otherwise whatever may have been it."""
    d, o = place
    if not option.is_valid(known.day):
        first, last = option.valid_from or "the beginning", option.valid_until or "the end"
        return [f"only from {first} to {last}"]
    if not (quiet >> o) & 1:
        return ["it is in the quiet hours"]
    if (known.cooled[d] >> o) & 1:
        return ["cool-down: the profile had it too lately"]
    may_be = []
    if option.eligible is not None:
        may_be.append(f"only where {rules.words(option.eligible)}")
    if dimension.meaning == "channel" and asks_consent and not option.nothing:
        may_be.append("the person did not allow this channel")
    if known.asked and option.cost:
        may_be.append("it costs money of a budget, of which too little was left")
    return may_be or ["a rule of that day that is not in this version of the use case"]


def _forbidden(use_case: UseCase, known: Known) -> Iterator[Excluded]:
    for place, each in enumerate(use_case.constraints.forbidden):
        if (known.forbidden >> place) & 1:
            together = {name: " or ".join(named) for name, named in each.options.items()}
            when = "" if each.when is None else f" where {rules.words(each.when)}"
            yield Excluded(options=together, because=f"forbidden together{when}")


def _recent(use_case: UseCase, known: Known) -> Iterator[Excluded]:
    actions = use_case.space.actions() if known.recent else np.empty((0, 0), dtype=np.int16)
    for code in known.recent:
        named = _named(use_case, actions[code].tolist())
        yield Excluded(options=named, because="cool-down: the profile had this very action lately")


def _eligibility(use_case: UseCase, known: Known) -> policies.Eligibility:
    options = np.array([known.eligible], dtype=np.int64)
    forbidden = np.array([known.forbidden], dtype=np.int64)
    lately = list(known.recent) or None
    recent = pa.array([lately], pa.list_(pa.int64()))
    ((_, eligible),) = parts(use_case, options, forbidden, recent)
    return eligible


def _costs(use_case: UseCase, known: Known) -> policies.Costs | None:
    """What costs weighed: as the reward's unit, and with the shadow price of the day."""
    costs, budget = use_case.costs, use_case.budget
    if costs is None or (known.asked and budget is not None and known.shadow_price is None):
        # Once, nothing that costs was given away on request.
        return None
    weight = 0.0 if budget is not None and budget.unit else 1.0
    weight += known.shadow_price or 0.0
    if weight == 0:
        return None
    return policies.Costs(
        sent=tuple(each * weight for each in costs.sent),
        rewarded=tuple(each * weight for each in costs.rewarded),
    )


def _factors(
    use_case: UseCase,
    policy: policies.Policy,
    values: Floats,
    action: NDArray[np.int16],
    eligible: policies.Eligibility,
) -> tuple[float | None, tuple[Factor, ...]]:
    if not isinstance(policy, policies.Explaining):
        return None, ()
    found = policy.contributions(values, action, eligible)
    names = list(_named(use_case, action[0].tolist()).values())
    return float(found.total[0]), factors_of(use_case, [names], values, found)[0]


def _candidates(
    use_case: UseCase,
    policy: policies.Policy,
    values: Floats,
    play: policies.ActionDistribution,
    count: float,
) -> tuple[Candidate, ...]:
    shares: dict[tuple[int, ...], float] = {}
    weighed = zip(play.support[0].tolist(), play.weights[0].tolist(), strict=True)
    for action, weight in weighed:
        shares[tuple(action)] = shares.get(tuple(action), 0.0) + weight
    listed = [action for action, share in shares.items() if share > 0]
    if count <= MOST_CANDIDATES or not listed:
        (allowed,) = [flags for _, flags in play.eligible.alike(use_case.space)]
        every = use_case.space.actions()[np.flatnonzero(allowed)[:MOST_CANDIDATES]]
        listed = [tuple(action) for action in every.tolist()]
    listed.sort(key=lambda action: (-shares.get(action, 0.0), action))
    listed = listed[:MOST_CANDIDATES]
    expect = getattr(policy, "expected", None)
    scores: list[float | None] = [None] * len(listed)
    if expect is not None and listed:
        rows = np.repeat(values, len(listed), axis=0)
        scores = expect(rows, np.array(listed, dtype=np.int16)).tolist()
    return tuple(
        Candidate(
            action=_named(use_case, action),
            probability=shares.get(action, 0.0) + play.uniform_share / count,
            score=score,
        )
        for action, score in zip(listed, scores, strict=True)
    )


def _chances(use_case: UseCase, play: policies.ActionDistribution) -> Iterator[OptionChance]:
    sizes = use_case.space.sizes
    by_option = [
        policies.dimension_probability(
            play, np.array([[min(o, size - 1) for size in sizes]], dtype=np.int16)
        )[0]
        for o in range(max(sizes))
    ]
    masks = play.eligible.options[0].tolist()
    for d, dimension in enumerate(use_case.dimensions):
        for o, option in enumerate(dimension.options):
            if (masks[d] >> o) & 1:
                yield OptionChance(
                    dimension=dimension.name,
                    option=option.name,
                    probability=float(by_option[o][d]),
                )


def _named(use_case: UseCase, action: Sequence[int]) -> Mapping[str, str]:
    return {
        dimension.name: dimension.options[option].name
        for dimension, option in zip(use_case.dimensions, action, strict=True)
    }
