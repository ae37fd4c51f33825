"""Let further policies live through the days of a replay, and set them beside what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

from opportune import learning, plugins, policies
from opportune.replay.assess import edge_over
from opportune.replay.enter import Told
from opportune.replay.model import Campaign, Replayed, Rival
from opportune.replay.run import FIRST_DAY, Play, ask, begin, draw_key, split
from opportune.storage import Stores

__all__ = ["check_policies", "compare"]


def check_policies(campaign: Campaign, names: Sequence[str]) -> None:
    """Raise what starting one of the policies would raise: unknown, not installed, too large."""
    for name in names:
        _start(name, campaign.schema.space, features=0, reward="binary")


def compare(
    stores: Stores, campaign: Campaign, replayed: Replayed, names: Sequence[str], *, told: Told
) -> Replayed:
    """Return ``replayed`` with the policies ``names`` as rivals, each with its default settings.

    On the same stores: every rival is taught the same days in the same order and asked about the
    same rows. Its doubly robust value rests on the same reward model as all the others. Nothing of
    a rival is kept. `check_policies` says before whether they can be started.
    """
    _, held_out = split(campaign, replayed.seed)
    play = begin(stores, campaign, replayed.outcome, seed=replayed.seed, told=told)
    last_day = FIRST_DAY + timedelta(days=replayed.days)
    log = ask(play, held_out, last_day)
    kept = learning.train(stores, play.use_case, play.metric, last_day)
    model = cast(policies.FactoredThompson, kept.policy).expected
    best = next(each for each in replayed.singles if each.name == replayed.best_single)
    rivals = []
    for name in names:
        policy = _taught(name, play, replayed.days, told=told)
        seed = policies.seed(draw_key(play, last_day))
        target = policy.distribution(log.features, log.eligible, seed=seed)
        found = learning.evaluate(log, target, name=name, model=model)
        edge = edge_over(best, found, of=len(replayed.singles))
        rivals.append(Rival(policy=name, found=found, edge=edge))
    return replace(replayed, rivals=tuple(rivals))


def _start(
    name: str, space: policies.ActionSpace, *, features: int, reward: str
) -> policies.Policy:
    kind = cast(learning.PolicyKind, plugins.load(plugins.POLICIES, name))
    return kind.start(space, features=features, reward=reward, settings={})


def _taught(name: str, play: Play, days: int, *, told: Told) -> policies.Policy:
    use_case = play.use_case
    reward = learning.reward_kind(play.metric)
    policy = _start(name, use_case.space, features=use_case.feature_count, reward=reward)
    for place in range(days):
        told(f"{play.outcome.name}: days taught to a rival", place, days)
        day = FIRST_DAY + timedelta(days=place)
        policy = policy.update(
            learning.lessons(play.stores, use_case, play.metric, day, versions=[use_case.version])
        )
    told(f"{play.outcome.name}: days taught to a rival", days, days)
    return policy
