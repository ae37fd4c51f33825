"""All that a factored policy has learned: sums of several memories, and what they mean together.

A *memory* forgets: before each update its sums are multiplied by its share. Long memories know
most while nothing changes, short ones follow a change; each is weighed by how well it predicted the
last days (prequential log-likelihood, Dawid 1984).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from opportune.policies.evidence import Sums, no_sums
from opportune.policies.layout import Layout
from opportune.policies.shrinkage import (
    Beliefs,
    Gaussian,
    fit,
    gaussian,
    posterior,
    prior_beliefs,
    sparse_prior,
)
from opportune.policies.terms import Terms

__all__ = ["MEMORIES", "Knowledge", "Model", "nothing_known", "refitted", "single"]

MEMORIES = (1.0, 0.95, 0.8, 0.5)
"""What each memory keeps from one update to the next."""

PRIOR_NATS = np.array([0.0, -4.0, -8.0, -12.0])
"""Log-weight of each memory before it predicted anything: change is rare."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One linearised model (of the chance, or of the amount) in every memory.

    ``members``: the posterior of each memory, which follows from the sums, the beliefs and which
    memory is trusted most.
    """

    sums: tuple[Sums, ...]
    beliefs: Beliefs
    members: tuple[Gaussian, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knowledge:
    """``chance``: the logistic model. ``amount``: of the logarithm of amounts, None for binary.

    ``likelihoods``: ``(memories,)`` discounted prequential log-likelihood. ``responses``:
    ``(memories, options)`` rewarded plays of each option. ``point``: ``(p,)`` where the next rows
    are linearised. ``rows``: learned in all, ``last_rows``: with the last update. ``alarms``: how
    often a change was noticed and memory cut. ``trials``: ``(cuts, p)`` means with less memory,
    while it is being tried whether they predict better.
    """

    terms: Terms
    chance: Model
    amount: Model | None
    likelihoods: Floats
    responses: Floats
    point: Floats
    rows: float
    last_rows: float
    alarms: int
    trials: Floats

    @property
    def log_weights(self) -> Floats:
        """How much each memory is trusted, relative to the most trusted one."""
        weights = self.likelihoods + PRIOR_NATS
        return np.asarray(weights - weights.max())

    @property
    def models(self) -> tuple[Model, ...]:
        """The model of the chance, and that of the amount where there is one."""
        return (self.chance,) if self.amount is None else (self.chance, self.amount)

    @property
    def best(self) -> int:
        """The memory that is trusted most."""
        return int(self.log_weights.argmax())


def nothing_known(shape: Layout, terms: Terms, *, amount: bool, intercept: float) -> Knowledge:
    """The prior; ``intercept``: the logit to linearise at first."""
    point = np.zeros(shape.size)
    point[0] = intercept
    empty = tuple(no_sums(shape) for _ in MEMORIES)
    beliefs = prior_beliefs(shape)
    model = Model(sums=empty, beliefs=beliefs, members=())
    memories = len(MEMORIES)
    known = Knowledge(
        terms=terms,
        chance=model,
        amount=model if amount else None,
        likelihoods=np.zeros(memories),
        responses=np.zeros((memories, shape.options)),
        point=point,
        rows=0.0,
        last_rows=0.0,
        alarms=0,
        trials=np.empty((0, shape.size)),
    )
    return refitted(shape, known, learn=False)


def single(sums: Sums) -> Sums:
    """The sums as they are kept: H in single precision is exact enough beside any prior."""
    return replace(sums, precision=sums.precision.astype(np.float32))


def refitted(
    shape: Layout, known: Knowledge, *, learn: bool = True, to_decide: bool = False
) -> Knowledge:
    """Beliefs and posteriors that follow from the sums.

    ``to_decide``: nothing will be learned after, so only the memory that is played by is refitted,
    and the others forget their rows.
    """
    again = partial(_refitted, shape, best=known.best, learn=learn, others=not to_decide)
    amount = known.amount
    return replace(
        known,
        chance=again(known.chance, amount=False),
        amount=None if amount is None else again(amount, amount=True),
    )


def _refitted(
    shape: Layout, model: Model, *, best: int, learn: bool, others: bool, amount: bool
) -> Model:
    beliefs = model.beliefs
    if learn:
        beliefs, found = fit(shape, model.sums[best], beliefs, estimate_noise=amount)
    else:
        found = posterior(shape, model.sums[best], beliefs)
    if not others:
        members = (*model.members[:best], found, *model.members[best + 1 :])
        nobody = single(no_sums(shape))
        kept = tuple(sums if place == best else nobody for place, sums in enumerate(model.sums))
        return replace(model, sums=kept, beliefs=beliefs, members=members)
    # The other memories know which coefficients matter, but take no value from the best one.
    prior, nothing = sparse_prior(shape, beliefs), np.zeros(shape.size)
    members = tuple(
        found
        if place == best
        else gaussian(sums, prior, nothing, found.active, noise=beliefs.noise)
        for place, sums in enumerate(model.sums)
    )
    return replace(model, beliefs=beliefs, members=members)
