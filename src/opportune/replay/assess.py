"""Compare a learned policy with every simpler thing on rows that it never saw."""

from __future__ import annotations

from collections import Counter
from typing import cast

import numpy as np

from opportune import learning, policies, stats
from opportune.replay.model import Campaign, Outcome, Replayed

__all__ = ["assess", "edge_over"]

CONFIDENCE = 0.95
# Of more actions than this only those that were played most are listed one by one.
MOST_SINGLES = 50


def assess(
    log: learning.Logged,
    trained: learning.Trained,
    *,
    campaign: Campaign,
    outcome: Outcome,
    seed: int,
    draw_key: str,
) -> Replayed:
    """Estimate on ``log`` what the policy, each single action and the campaign itself earn.

    The reward model of the doubly robust estimates is the policy's own, which has seen training
    rows only. ``draw_key`` is what the policy would draw its committee with.
    """
    policy = cast(policies.FactoredThompson, trained.policy)
    target = policy.distribution(log.features, log.eligible, seed=policies.seed(draw_key))
    learned = learning.evaluate(log, target, name="learned policy", model=policy.expected)
    singles = tuple(_single(log, names, policy) for names in _listed(campaign))
    best = max(singles, key=lambda each: _standing(each.doubly_robust))
    return Replayed(
        outcome=outcome,
        seed=seed,
        training_rows=campaign.rows - len(log.rewards),
        held_out_rows=len(log.rewards),
        days=campaign.schema.batches,
        learned=learned,
        control=_single(log, campaign.schema.control, policy),
        singles=singles,
        logged=learning.evaluate_log(log, name="as it was run"),
        best_single=best.name,
        edge=edge_over(best, learned, of=len(singles)),
        sample_ratio=_sample_ratio(campaign),
    )


def edge_over(best: learning.Evaluated, policy: learning.Evaluated, *, of: int) -> stats.Interval:
    """How much more a row ``policy`` earns than ``best``, the best of that many single actions.

    That one was picked after looking: each of the comparisons must hold at once (Bonferroni).
    """
    confidence = 1 - (1 - CONFIDENCE) / max(1, of)
    return learning.difference(policy, best, confidence=confidence)


def _listed(campaign: Campaign) -> list[tuple[str, ...]]:
    """Names of the actions to list: those played most, in the order of the schema."""
    space = campaign.schema.space
    actions = space.actions()
    played, counts = np.unique(campaign.actions, axis=0, return_counts=True)
    often = Counter(dict(zip(map(tuple, played.tolist()), counts.tolist(), strict=True)))
    most = {action for action, _ in often.most_common(MOST_SINGLES)}
    return [
        tuple(space.dimensions[d].options[option] for d, option in enumerate(action))
        for action in map(tuple, actions.tolist())
        if action in most
    ]


def _single(
    log: learning.Logged, names: tuple[str, ...], policy: policies.FactoredThompson
) -> learning.Evaluated:
    fixed = policies.Fixed(log.space, names)
    target = fixed.distribution(log.features, log.eligible, seed=0)
    return learning.evaluate(log, target, name=" + ".join(names), model=policy.expected)


def _standing(estimate: stats.Estimate) -> tuple[bool, float]:
    """What can be trusted comes before what cannot, however large."""
    value = -np.inf if estimate.value is None else estimate.value
    return estimate.trustworthy, value


def _sample_ratio(campaign: Campaign) -> stats.SampleRatio | None:
    if not campaign.planned_shares:
        return None
    space = campaign.schema.space
    played, counts = np.unique(campaign.actions, axis=0, return_counts=True)
    found = {
        tuple(space.dimensions[d].options[option] for d, option in enumerate(action)): count
        for action, count in zip(played.tolist(), counts.tolist(), strict=True)
    }
    total = sum(campaign.planned_shares.values())
    shares = {" + ".join(names): share / total for names, share in campaign.planned_shares.items()}
    return stats.sample_ratio(
        {" + ".join(names): found.get(names, 0) for names in campaign.planned_shares}, shares
    )
