"""What a policy would have earned, read from rows that another played (off-policy evaluation)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opportune import policies, stats

__all__ = [
    "Evaluated",
    "Logged",
    "RewardModel",
    "Weighed",
    "difference",
    "evaluate",
    "evaluate_log",
    "expected_under",
    "judged",
    "weigh",
]

Floats = NDArray[np.float64]
Actions = NDArray[np.int16]

RewardModel = Callable[[Floats, Actions], Floats]
"""Features ``(n, q)`` and actions ``(n, D)`` -> the reward to expect ``(n,)``."""

CAP = 100.0
"""Most weight that a row may have in `stats.switch_dr`."""

UNIFORM_POINTS = 32
"""Combinations a row, evenly spread, that stand for uniform play over too many to ask for all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Logged:
    """Decided rows whose rewards are known; no row here may have taught the policy or the model.

    ``features``: ``(n, q)``, NaN is missing. ``eligible``: who might get what. ``actions``:
    ``(n, D)`` option indices. ``propensities``: ``(n,)`` probability of that action when it was
    chosen. ``rewards``: ``(n,)``. ``dimension_propensities``: ``(n, D)`` of each option by itself,
    None or with NaN where only the whole action's is known.
    """

    space: policies.ActionSpace
    features: Floats
    eligible: policies.Eligibility
    actions: Actions
    propensities: Floats
    rewards: Floats
    dimension_propensities: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighed:
    """Rows of a log beside what a target would have played there, ``(n,)`` each.

    ``supported``: the target's probability that lies on actions which the log can tell of.
    ``option_propensities``, ``option_targets``: ``(n, D)``, None where they are not known.
    """

    rewards: Floats
    propensities: Floats
    targets: Floats
    predicted: Floats
    expected: Floats
    supported: Floats
    option_propensities: Floats | None
    option_targets: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluated:
    """One policy's mean reward by each estimator, in the unit of the rewards.

    ``pseudo_inverse`` and ``pseudo_inverse_dr``: None for a single dimension, where they would be
    ``ips`` and ``doubly_robust``, and where the log lacks the propensities of the options.
    ``supported_share``: 0..1, the target's probability that lies on actions which occur in the
    log; of the rest no weight tells anything, however large the effective sample size.
    ``terms``: ``(n,)``, the rows whose mean is the doubly robust value, for `difference`.
    """

    name: str
    ips: stats.Estimate
    snips: stats.Estimate
    doubly_robust: stats.Estimate
    switch_dr: stats.Estimate
    pseudo_inverse: stats.Estimate | None
    pseudo_inverse_dr: stats.Estimate | None
    supported_share: float
    terms: Floats

    @property
    def effective_sample_size(self) -> float:
        """Rows of the target's own play that the log is worth."""
        return self.ips.effective_sample_size


def evaluate(
    log: Logged,
    target: policies.ActionDistribution,
    *,
    name: str,
    model: RewardModel,
    confidence: float = 0.95,
) -> Evaluated:
    """Estimate what ``target`` would have earned on the rows of ``log``, with intervals.

    ``target`` are the probabilities of a policy for the same rows in the same order. Estimators and
    their sources: `stats.ips`, `stats.snips`, `stats.doubly_robust`, `stats.switch_dr`,
    `stats.pseudo_inverse`, `stats.pseudo_inverse_dr`. A poor model costs `stats.doubly_robust`
    width, not truth, as long as propensities are true; `stats.switch_dr` leans on it where weights
    are above 100. Raises ``InvalidPropensity`` or ``InvalidSample`` for rows that cannot be
    weighed.

    >>> from opportune.policies import ActionSpace, Dimension, Fixed, everything
    >>> space = ActionSpace(dimensions=(Dimension(name="mail", options=("no", "yes")),))
    >>> log = Logged(
    ...     space=space, features=np.zeros((4, 0)), eligible=everything(space, 4),
    ...     actions=np.array([[0], [1], [0], [1]], dtype=np.int16),
    ...     propensities=np.full(4, 0.5), rewards=np.array([0.0, 1.0, 1.0, 1.0]),
    ... )
    >>> mail = Fixed(space, ("yes",)).distribution(log.features, log.eligible, seed=1)
    >>> nothing = lambda features, actions: np.zeros(len(actions))
    >>> evaluate(log, mail, name="always mail", model=nothing).snips.value
    1.0
    """
    return judged([weigh(log, target, model=model)], name=name, confidence=confidence)


def weigh(
    log: Logged,
    target: policies.ActionDistribution,
    *,
    model: RewardModel,
    played: NDArray[np.int64] | None = None,
) -> Weighed:
    """Set beside each row of ``log`` what ``target`` would have played there, and the model's view.

    ``played``: the codes of all actions that the log has, where ``log`` is a part of it.
    """
    expected, supported = _under(log, target, model, played)
    known = _known_options(log)
    by_option = None if known is None else policies.dimension_probability(target, log.actions)
    return Weighed(
        rewards=log.rewards,
        propensities=log.propensities,
        targets=policies.probability(target, log.actions),
        predicted=model(log.features, log.actions),
        expected=expected,
        supported=supported,
        option_propensities=known,
        option_targets=by_option,
    )


def judged(parts: Sequence[Weighed], *, name: str, confidence: float = 0.95) -> Evaluated:
    """Estimate from all ``parts`` of a log together what the target would have earned."""

    def column(of: str) -> Floats:
        return np.concatenate([getattr(each, of) for each in parts])

    rewards, expected, predicted = map(column, ("rewards", "expected", "predicted"))
    whole = {"propensities": column("propensities"), "targets": column("targets")}
    modelled = {"predicted": predicted, "expected": expected}
    plain, robust = None, None
    if all(each.option_propensities is not None for each in parts):
        each = {
            "propensities": column("option_propensities"),
            "targets": column("option_targets"),
        }
        plain = stats.pseudo_inverse(rewards, **each, confidence=confidence)
        robust = stats.pseudo_inverse_dr(rewards, **each, **modelled, confidence=confidence)
    return Evaluated(
        name=name,
        ips=stats.ips(rewards, **whole, confidence=confidence),
        snips=stats.snips(rewards, **whole, confidence=confidence),
        doubly_robust=stats.doubly_robust(rewards, **whole, **modelled, confidence=confidence),
        switch_dr=stats.switch_dr(rewards, **whole, **modelled, cap=CAP, confidence=confidence),
        pseudo_inverse=plain,
        pseudo_inverse_dr=robust,
        supported_share=min(float(column("supported").mean()), 1.0) if len(rewards) else 0.0,
        terms=expected + whole["targets"] / whole["propensities"] * (rewards - predicted),
    )


def evaluate_log(log: Logged, *, name: str, confidence: float = 0.95) -> Evaluated:
    """What the rows did earn: the plain mean, by every estimator, as all weights are 1."""
    mean = stats.ips(
        log.rewards,
        propensities=log.propensities,
        targets=log.propensities,
        confidence=confidence,
    )
    by_option = mean if _known_options(log) is not None else None
    return Evaluated(
        name=name,
        ips=mean,
        snips=mean,
        doubly_robust=mean,
        switch_dr=mean,
        pseudo_inverse=by_option,
        pseudo_inverse_dr=by_option,
        supported_share=1.0,
        terms=log.rewards,
    )


def difference(one: Evaluated, other: Evaluated, *, confidence: float = 0.95) -> stats.Interval:
    """How much more ``one`` earns than ``other`` per row: doubly robust, compared row by row.

    Rows on which both play alike cancel, so this interval is narrower than the two beside each
    other. Both must come from the same log. No bounds where either has none.
    """
    found = stats.skewed_interval(one.terms - other.terms, confidence=confidence)
    weak = [each for each in (one, other) if not each.doubly_robust.trustworthy]
    if found.reason or not weak:
        return found
    reason = f"'{weak[0].name}': {weak[0].doubly_robust.reason}"
    return replace(found, low=None, high=None, reason=reason)


def expected_under(
    log: Logged, target: policies.ActionDistribution, model: RewardModel
) -> tuple[Floats, float]:
    """The model's mean reward under the target's probabilities ``(n,)``, and the supported share.

    The target's candidates are asked for one by one, and of its uniform part 32 combinations a row:
    evenly spread over the eligible ones from a start that differs by row, so without bias. Where
    asking for each combination there is takes fewer questions, that is done, and is exact.
    """
    expected, supported = _under(log, target, model, None)
    return expected, min(float(supported.mean()), 1.0) if len(supported) else 0.0


def _under(
    log: Logged,
    target: policies.ActionDistribution,
    model: RewardModel,
    played: NDArray[np.int64] | None,
) -> tuple[Floats, Floats]:
    """As `expected_under`, the supported share of each row: of actions it might have got."""
    known = np.unique(log.space.codes(log.actions)) if played is None else played
    expected, supported = np.zeros((2, len(log.rewards)))
    for actions, shares in _played_by(log, target):
        if not shares.any():
            continue
        expected += shares * model(log.features, actions)
        tells = np.isin(log.space.codes(actions), known) & log.eligible.allows(log.space, actions)
        supported += np.where(tells, shares, 0.0)
    return expected, supported


def _played_by(
    log: Logged, target: policies.ActionDistribution
) -> Iterator[tuple[Actions, Floats]]:
    """Actions ``(n, D)`` with their shares ``(n,)`` of the target's play: together all of it."""
    rows, candidates = target.support.shape[:2]
    points = UNIFORM_POINTS if target.uniform_share else 0
    if log.space.combinations <= candidates + points:
        for action in log.space.actions():
            chosen = np.broadcast_to(action, log.actions.shape)
            yield chosen, policies.probability(target, chosen)
        return
    for candidate in range(candidates):
        yield target.support[:, candidate], target.weights[:, candidate]
    start = policies.uniforms("evaluate", np.arange(rows))
    for point in range(points):
        share = np.full(rows, target.uniform_share / points)
        yield target.eligible.at(log.space, (start + point) / points), share


def _known_options(log: Logged) -> Floats | None:
    """The propensities of the options ``(n, D)``, if there are several dimensions and all known."""
    known = log.dimension_propensities
    if len(log.space.dimensions) == 1 or known is None or np.isnan(known).any():
        return None
    return known
