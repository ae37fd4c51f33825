"""Notice that the world changed, and forget what no longer holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import MixedEvidence
from opportune.policies.evidence import Sums, arrived, chunks, gather, scores, sigmoid
from opportune.policies.features import mixed, row_keys
from opportune.policies.knowledge import MEMORIES, Knowledge, Model, single
from opportune.policies.layout import Layout
from opportune.policies.model import Batch
from opportune.policies.shrinkage import gaussian, sparse_prior
from opportune.policies.terms import Terms, same_terms

__all__ = ["Evidence", "Glance", "absorbed", "discounted", "evidence", "glance", "stepped"]

CUTS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
"""Shares of the memory that are tried after an alarm."""

KEEP_NATS = 2.0
"""By how much less memory must predict better before it is cut."""

ALARM_DEVIATIONS = 6.0
ALARM_SHARE = 0.1
"""An alarm needs both: residuals so many standard deviations off, and by so much of the total."""

DISCOUNT = 0.6
RESTART_NATS = 12.0
GLANCED_ROWS = 100_000
"""Rows that the first look at a day takes, about, at most."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Glance:
    """A first look at new rows under what is known. It adds.

    ``first``, ``second``: sums of two halves of the glanced rows, linearised at the present point.
    ``rows``: how many there are, glanced or not. Of the glanced rows ``likelihoods``:
    ``(memories,)``, and ``observed``, ``expected``, ``variance``: ``(1 + options,)`` how often all
    and each option were rewarded.
    """

    terms: Terms
    first: Sums
    second: Sums
    rows: float
    likelihoods: Floats
    observed: Floats
    expected: Floats
    variance: Floats

    def __add__(self, other: Glance) -> Glance:
        """The look at both sets of rows."""
        _require_same(self, other)
        return Glance(
            terms=self.terms,
            first=self.first + other.first,
            second=self.second + other.second,
            rows=self.rows + other.rows,
            likelihoods=self.likelihoods + other.likelihoods,
            observed=self.observed + other.observed,
            expected=self.expected + other.expected,
            variance=self.variance + other.variance,
        )

    @property
    def alarm(self) -> bool:
        """Whether the rows contradict what is known."""
        off = self.observed - self.expected
        far = np.abs(off) > ALARM_DEVIATIONS * np.sqrt(self.variance)
        much = np.abs(off) > ALARM_SHARE * np.maximum(self.expected, 1.0)
        return bool((far & much).any())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What rows say, linearised at the policy's point. It adds.

    ``chance``, ``amount``: sums of all rows, and of the rewarded ones for amounts. ``responses``:
    ``(options,)`` rewarded plays. ``trials``: ``(cuts,)`` log-likelihood of each cut of the memory
    on rows it did not see; zeros unless there was an alarm.
    """

    terms: Terms
    chance: Sums
    amount: Sums | None
    responses: Floats
    trials: Floats

    def __add__(self, other: Evidence) -> Evidence:
        """The evidence of both sets of rows."""
        _require_same(self, other)
        amount = self.amount
        if amount is not None and other.amount is not None:
            amount = amount + other.amount
        return Evidence(
            terms=self.terms,
            chance=self.chance + other.chance,
            amount=amount,
            responses=self.responses + other.responses,
            trials=self.trials + other.trials,
        )


def glance(shape: Layout, known: Knowledge, batch: Batch) -> Glance:
    """Look at new rows: how well each memory predicted them, and where they point."""
    half, place = _half(known), _places(batch)
    first, judged = place < half, place < 2.0 * half
    responded = _rewarded(batch)
    means = np.stack([member.whole(shape.size) for member in known.chance.members])
    sample = responded.take(judged)
    likelihoods = np.zeros(len(means))
    observed, expected, variance = np.zeros((3, 1 + shape.options))
    for chunk in chunks(known.terms, shape, sample):
        eta, seen = scores(shape, chunk, means), arrived(sample, chunk.rows)
        y = sample.rewards[chunk.rows]
        likelihoods += _log_likelihood(eta, y, seen)
        chance = sigmoid(eta[known.best]) * seen
        actions = sample.actions[chunk.rows]
        observed += _by_option(shape, actions, y)
        expected += _by_option(shape, actions, chance)
        variance += _by_option(shape, actions, chance * (1.0 - chance))
    halves = [
        gather(shape, known.terms, responded.take(rows), known.point, kind="logit")
        for rows in (first, judged & ~first)
    ]
    return Glance(
        terms=known.terms,
        first=halves[0],
        second=halves[1],
        rows=float(len(place)),
        likelihoods=likelihoods,
        observed=observed,
        expected=expected,
        variance=variance,
    )


def stepped(shape: Layout, known: Knowledge, seen: Glance) -> Knowledge:
    """Weigh the memories by what they predicted, and move the point to where the rows are."""
    _require_mine(shape, known, seen)
    looked = seen.first + seen.second
    more = seen.rows / max(looked.rows, 1.0)
    likelihoods = DISCOUNT * known.likelihoods + seen.likelihoods * more
    known = _restarted(replace(known, likelihoods=likelihoods))
    best, beliefs = known.best, known.chance.beliefs
    active = known.chance.members[best].active
    sums = known.chance.sums[best]
    there = gaussian(sums + looked.times(more), beliefs.precision, beliefs.weight, active)
    trials = np.empty((0, shape.size))
    # What was learned from less than a few times these rows may well be off, and it is no news.
    if seen.alarm and known.rows > 3.0 * seen.rows:
        prior, nothing = sparse_prior(shape, beliefs), np.zeros(shape.size)
        trials = np.stack(
            [
                gaussian(sums.times(cut) + seen.first, prior, nothing, active).whole(shape.size)
                for cut in CUTS
            ]
        )
    return replace(known, point=there.whole(shape.size), trials=trials)


def evidence(shape: Layout, known: Knowledge, batch: Batch) -> Evidence:
    """What the rows say, linearised at the point."""
    responded = _rewarded(batch)
    amount = None
    if known.amount is not None:
        paid = batch.take(batch.rewards > 0)
        logs = replace(paid, rewards=np.log(paid.rewards))
        amount = gather(shape, known.terms, logs, known.point, kind="linear")
    trials = np.zeros(len(CUTS))
    if len(known.trials):
        unseen = responded.take(_places(batch) >= _half(known))
        for chunk in chunks(known.terms, shape, unseen):
            eta, seen = scores(shape, chunk, known.trials), arrived(unseen, chunk.rows)
            trials += _log_likelihood(eta, unseen.rewards[chunk.rows], seen)
    return Evidence(
        terms=known.terms,
        chance=gather(shape, known.terms, responded, known.point, kind="logit"),
        amount=amount,
        responses=_by_option(shape, batch.actions, responded.rewards)[1:],
        trials=trials,
    )


def absorbed(shape: Layout, known: Knowledge, said: Evidence) -> Knowledge:
    """All memories with the evidence added: each forgets its share first."""
    _require_mine(shape, known, said)
    cut = 1.0
    if len(known.trials):
        best = int(said.trials.argmax())
        if said.trials[best] - said.trials[0] > KEEP_NATS:
            cut = CUTS[best]
    seen = said.responses
    if cut < 1.0:
        known = _cut(shape, known, cut)
        # These rows were played by what no longer holds: they know little of other options, so the
        # next ones are played at full width.
        seen = np.zeros_like(seen)
    responses = np.array(
        [keep * known.responses[place] + seen for place, keep in enumerate(MEMORIES)]
    )
    amount = known.amount
    if amount is not None and said.amount is not None:
        amount = _added(amount, said.amount)
    return replace(
        known,
        chance=_added(known.chance, said.chance),
        amount=amount,
        responses=responses,
        rows=known.rows + said.chance.rows,
        last_rows=said.chance.rows,
        trials=np.empty((0, shape.size)),
    )


def discounted(known: Knowledge, share: float) -> Knowledge:
    """Every memory as if it had ``share`` of every row."""

    def less(model: Model) -> Model:
        return replace(model, sums=tuple(single(each.times(share)) for each in model.sums))

    return replace(
        known,
        chance=less(known.chance),
        amount=None if known.amount is None else less(known.amount),
        responses=known.responses * share,
        rows=known.rows * share,
    )


def _require_same(one: Glance | Evidence, other: Glance | Evidence) -> None:
    if _shape(one) != _shape(other) or not same_terms(one.terms, other.terms):
        raise MixedEvidence(
            "The evidence was gathered by two policies that differ in options, reward, features "
            "or their scale. Gather all shards with the same policy, after `prepared`."
        )


def _require_mine(shape: Layout, known: Knowledge, given: Glance | Evidence) -> None:
    mine = (shape.size, isinstance(given, Evidence) and known.amount is not None)
    if _shape(given) != mine or not same_terms(known.terms, given.terms):
        raise MixedEvidence(
            "The evidence was gathered by a policy of other options, reward, features or scale. "
            "Gather all shards with the policy that learns from them."
        )


def _shape(given: Glance | Evidence) -> tuple[int, bool]:
    """How many coefficients, and whether there are sums of amounts."""
    if isinstance(given, Glance):
        return len(given.first.weighted), False
    return len(given.chance.weighted), given.amount is not None


def _added(model: Model, sums: Sums) -> Model:
    kept = zip(MEMORIES, model.sums, strict=True)
    return replace(model, sums=tuple(single(each.times(keep) + sums) for keep, each in kept))


def _cut(shape: Layout, known: Knowledge, share: float) -> Knowledge:
    """Forget most of everything; which coefficients matter is still believed."""
    best = known.best

    def forgotten(model: Model) -> Model:
        beliefs = replace(
            model.beliefs,
            precision=sparse_prior(shape, model.beliefs),
            weight=np.zeros(shape.size),
        )
        sums = model.sums[best].times(share)
        return replace(model, beliefs=beliefs, sums=(sums,) * len(MEMORIES))

    return replace(
        known,
        chance=forgotten(known.chance),
        amount=None if known.amount is None else forgotten(known.amount),
        likelihoods=np.zeros(len(MEMORIES)),
        responses=np.zeros_like(known.responses),
        alarms=known.alarms + 1,
    )


def _restarted(known: Knowledge) -> Knowledge:
    """A longer memory that predicts far worse than a shorter one starts again from that one."""
    weights = known.log_weights
    source = list(range(len(MEMORIES)))
    for long in range(len(MEMORIES)):
        later = range(long + 1, len(MEMORIES))
        better = [short for short in later if weights[short] - weights[long] > RESTART_NATS]
        if better:
            source[long] = max(better, key=lambda short: weights[short])
    if source == list(range(len(MEMORIES))):
        return known

    def taken(model: Model) -> Model:
        return replace(
            model,
            sums=tuple(model.sums[place] for place in source),
            members=tuple(model.members[place] for place in source),
        )

    return replace(
        known,
        chance=taken(known.chance),
        amount=None if known.amount is None else taken(known.amount),
        likelihoods=known.likelihoods[source],
        responses=known.responses[source],
    )


def _half(known: Knowledge) -> float:
    """The share of rows in each half of a glance."""
    return min(0.5, 0.5 * GLANCED_ROWS / max(known.last_rows, 1.0))


def _places(batch: Batch) -> Floats:
    """A number in [0, 1) for each row that follows from what it holds.

    Of rows that hold the same (few features, of few values) each has its own, by its turn.
    """
    keys = row_keys(batch)
    order = np.argsort(keys, kind="stable")
    alike = keys[order]
    turns = np.arange(len(keys)) - np.searchsorted(alike, alike)
    keys[order] ^= mixed(turns.astype(np.uint64))
    return np.asarray((keys >> np.uint64(11)) * 2.0**-53)


def _rewarded(batch: Batch) -> Batch:
    return replace(batch, rewards=(batch.rewards > 0).astype(np.float64))


def _by_option(shape: Layout, actions: NDArray[np.int16], values: Floats) -> Floats:
    """The sum over all rows, then over the rows of each option: ``(1 + options,)``."""
    counts = [np.array([values.sum()])]
    for d, size in enumerate(shape.sizes):
        counts.append(np.bincount(actions[:, d], weights=values, minlength=size))
    return np.concatenate(counts)


def _log_likelihood(eta: Floats, y: Floats, seen: Floats | float) -> Floats:
    """Log-likelihood ``(M,)`` of rewards whose chances are ``seen`` times the sigmoid of eta.

    ``eta``: ``(M, n)``. ``seen``: 1 or ``(n,)``, the shares that have arrived.
    """
    eta = np.clip(eta, -30.0, 30.0)
    found = y * eta - np.logaddexp(0.0, eta)
    if not isinstance(seen, float):
        found += y * np.log(seen) + (1.0 - y) * np.log1p((1.0 - seen) * np.exp(eta))
    return np.asarray(found.sum(axis=1))
