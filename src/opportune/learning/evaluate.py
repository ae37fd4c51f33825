"""What a policy would have earned, read from rows that another played (off-policy evaluation)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune import policies, stats

__all__ = ["Evaluated", "Logged", "RewardModel", "difference", "evaluate", "evaluate_log"]

Floats = NDArray[np.float64]
Actions = NDArray[np.int16]

RewardModel = Callable[[Floats, Actions], Floats]
"""Features ``(n, q)`` and actions ``(n, D)`` -> the reward to expect ``(n,)``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Logged:
    """Decided rows whose rewards are known; no row here may have taught the policy or the model.

    ``features``: ``(n, q)``, NaN is missing. ``eligible``: who might get what. ``actions``:
    ``(n, D)`` option indices. ``propensities``: ``(n,)`` probability of that action when it was
    chosen. ``rewards``: ``(n,)``.
    """

    space: policies.ActionSpace
    features: Floats
    eligible: policies.Eligibility
    actions: Actions
    propensities: Floats
    rewards: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluated:
    """One policy's mean reward by three estimators, in the unit of the rewards.

    ``supported_share``: 0..1, the target's probability that lies on actions which occur in the
    log; of the rest no weight tells anything, however large the effective sample size.
    ``terms``: ``(n,)``, the rows whose mean is the doubly robust value, for `difference`.
    """

    name: str
    ips: stats.Estimate
    snips: stats.Estimate
    doubly_robust: stats.Estimate
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
    their sources: `stats.ips`, `stats.snips`, `stats.doubly_robust`. The model only narrows the
    last: a poor one costs width, not truth, as long as propensities are true. Raises
    ``InvalidPropensity`` or ``InvalidSample`` for rows that cannot be weighed.

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
    targets = policies.probability(target, log.actions)
    expected, supported_share = _means(log, target, model)
    predicted = model(log.features, log.actions)
    return Evaluated(
        name=name,
        ips=stats.ips(
            log.rewards, propensities=log.propensities, targets=targets, confidence=confidence
        ),
        snips=stats.snips(
            log.rewards, propensities=log.propensities, targets=targets, confidence=confidence
        ),
        doubly_robust=stats.doubly_robust(
            log.rewards,
            propensities=log.propensities,
            targets=targets,
            predicted=predicted,
            expected=expected,
            confidence=confidence,
        ),
        supported_share=supported_share,
        terms=expected + targets / log.propensities * (log.rewards - predicted),
    )


def evaluate_log(log: Logged, *, name: str, confidence: float = 0.95) -> Evaluated:
    """What the rows did earn: the plain mean, by every estimator, as all weights are 1."""
    mean = stats.ips(
        log.rewards,
        propensities=log.propensities,
        targets=log.propensities,
        confidence=confidence,
    )
    return Evaluated(
        name=name,
        ips=mean,
        snips=mean,
        doubly_robust=mean,
        supported_share=1.0,
        terms=log.rewards,
    )


def difference(one: Evaluated, other: Evaluated, *, confidence: float = 0.95) -> stats.Interval:
    """How much more ``one`` earns than ``other`` per row: doubly robust, compared row by row.

    Rows on which both play alike cancel, so this interval is narrower than the two beside each
    other. Both must come from the same log.
    """
    evidence = stats.moments(one.terms - other.terms)
    return stats.mean_interval(evidence, confidence=confidence, method="fixed")


def _means(
    log: Logged, target: policies.ActionDistribution, model: RewardModel
) -> tuple[Floats, float]:
    """The model's reward under the target's probabilities ``(n,)``, and the supported share.

    One pass over the combinations: none but those the target may play asks the model.
    """
    played = {tuple(action) for action in np.unique(log.actions, axis=0).tolist()}
    expected = np.zeros(len(log.rewards))
    supported = 0.0
    for action in log.space.actions():
        chosen = np.broadcast_to(action, log.actions.shape)
        shares = policies.probability(target, chosen)
        if not shares.any():
            continue
        expected += shares * model(log.features, chosen)
        if tuple(action.tolist()) in played:
            supported += float(shares.mean())
    return expected, min(supported, 1.0)
