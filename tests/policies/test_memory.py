"""Memories of different length, the alarm that cuts them, and rows that count for less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lessons import rewarded, rows_of, space_of
from opportune.policies import BadPolicySetting, Batch, FactoredThompson, everything
from opportune.policies.knowledge import MEMORIES, Knowledge
from opportune.policies.memory import CUTS, DISCOUNT

SPACE = space_of(3, 2)
LIKES = np.array([0.8, -0.4, -0.4])
FRESH = FactoredThompson(SPACE, 0, reward="binary")

Floats = NDArray[np.float64]


def day(number: int, likes: Floats = LIKES, *, count: int = 600) -> Batch:
    rows = rows_of(SPACE, count, seed=number, features=0)
    # Without features rows are told apart by their propensity only.
    spread = np.random.default_rng(number).uniform(0.1, 0.2, count)
    rows = replace(rows, propensities=spread)
    return rewarded(rows, -1 + likes[rows.actions[:, 0]], seed=10_000 + number)


def after(days: int, policy: FactoredThompson = FRESH, *, first: int = 0) -> FactoredThompson:
    for number in range(first, first + days):
        policy = policy.update(day(number))
    return policy


def known(policy: FactoredThompson) -> Knowledge:
    assert policy.knowledge is not None
    return policy.knowledge


def expected(policy: FactoredThompson) -> list[float]:
    """What each option of the first dimension is expected to bring."""
    found = policy.expected(np.zeros((6, 0)), SPACE.actions())
    return found.reshape(3, 2).mean(axis=1).tolist()


SETTLED = after(6)


def test_each_memory_forgets_its_share_at_every_update() -> None:
    before, later = known(SETTLED), known(SETTLED.update(day(50)))
    for keep, old, new in zip(MEMORIES, before.chance.sums, later.chance.sums, strict=True):
        assert new.rows == pytest.approx(keep * old.rows + 600)
    rows = day(50)
    plays = np.bincount(rows.actions[:, 0], weights=rows.rewards, minlength=3)
    for place, keep in enumerate(MEMORIES):
        found = later.responses[place, :3] - keep * before.responses[place, :3]
        assert found.tolist() == pytest.approx(plays.tolist())
    assert (later.rows, later.last_rows) == (before.rows + 600, 600)


def test_memories_are_weighed_by_how_well_they_predicted_the_last_days() -> None:
    rows = day(50)
    found = SETTLED.glance(rows)
    before, later = known(SETTLED), known(SETTLED.stepped(found))
    for place, member in enumerate(before.chance.members):
        alone = replace(before, likelihoods=-1e3 * (np.arange(len(MEMORIES)) != place))
        # A policy that trusts only this memory expects what this memory says.
        p = replace(SETTLED, knowledge=alone).expected(rows.features, rows.actions)
        assert known(replace(SETTLED, knowledge=alone)).best == place
        log = np.where(rows.rewards == 1, np.log(p), np.log1p(-p)).sum()
        assert found.likelihoods[place] == pytest.approx(log, rel=1e-9)
        assert member.mean.shape == member.active.shape
    np.testing.assert_allclose(
        later.likelihoods, DISCOUNT * before.likelihoods + found.likelihoods, rtol=1e-9
    )


def test_a_step_moves_the_point_towards_new_rows_and_learns_nothing() -> None:
    stepped = SETTLED.stepped(SETTLED.glance(day(50)))
    before, later = known(SETTLED), known(stepped)
    assert not np.array_equal(later.point, before.point)
    assert later.rows == before.rows
    assert expected(stepped) == expected(SETTLED)
    for old, new in zip(before.chance.sums, later.chance.sums, strict=True):
        assert np.array_equal(old.precision, new.precision)
    # From nothing, one step goes most of the way to where all rows together point.
    first = FRESH.prepared(FRESH.summary(day(0, count=4_000)))
    rows = day(0, count=4_000)
    there = known(first.stepped(first.glance(rows))).point
    learned = known(first.update(rows))
    best = learned.chance.members[learned.best].whole(len(there))
    start = known(first).point
    assert np.linalg.norm(there - best) < 0.5 * np.linalg.norm(start - best)


def test_a_step_without_rows_changes_nothing() -> None:
    nothing = day(1).take(slice(0))
    assert SETTLED.stepped(SETTLED.glance(nothing)).to_bytes() == SETTLED.to_bytes()
    assert FRESH.stepped(FRESH.glance(nothing)).to_bytes() == FRESH.to_bytes()


@pytest.mark.parametrize("last_rows", [600.0, 2e6])
def test_rows_that_hold_the_same_are_looked_at_in_both_halves(last_rows: float) -> None:
    policy = replace(SETTLED, knowledge=replace(known(SETTLED), last_rows=last_rows))
    rows = rows_of(SPACE, 6_000, seed=1, features=0)
    assert len(np.unique(rows.propensities)) == 1
    found = policy.glance(rows)
    share = min(0.5, 50_000 / last_rows)
    for half in (found.first, found.second):
        assert half.rows == pytest.approx(6_000 * share, rel=0.2)
        assert (np.diag(half.precision) > 0).all()


def test_a_flip_raises_the_alarm_and_memory_is_cut() -> None:
    flipped = SETTLED.update(day(60, -LIKES))
    found = known(flipped)
    assert found.alarms == 1
    assert len({sums.rows for sums in found.chance.sums}) > 1
    assert found.chance.sums[0].rows < 600 + 0.3 * known(SETTLED).rows
    assert len(found.trials) == 0
    # Nobody is known well any more: the next rows are played at full width.
    assert known(SETTLED).responses.sum() > 0
    assert not found.responses.any()
    first, *rest = expected(SETTLED)
    assert first > max(rest)
    first, *rest = expected(flipped)
    assert first < min(rest)


def test_a_flip_in_shards_on_other_machines_cuts_as_in_one_place() -> None:
    rows = day(60, -LIKES)
    shards = [rows.take(slice(None, 200)), rows.take(slice(200, None))]
    looked = SETTLED.glance(shards[1]) + SETTLED.glance(shards[0])
    assert looked.alarm
    stepped = SETTLED.stepped(looked)
    assert len(known(stepped).trials) == len(CUTS)
    # The policy travels as bytes to where the shards are.
    workers = [FactoredThompson.from_bytes(stepped.to_bytes()) for _ in shards]
    one, two = (each.evidence(shard) for each, shard in zip(workers, shards, strict=True))
    together = stepped.absorb(one + two)
    assert known(together).alarms == 1
    assert expected(together) == pytest.approx(expected(SETTLED.update(rows)), rel=1e-6)


def test_nothing_is_cut_while_nothing_changes() -> None:
    alarms = 0
    for market in range(20):
        policy = FRESH
        for number in range(6):
            policy = policy.update(day(100 * (market + 1) + number, count=200))
        alarms += known(policy).alarms
        assert known(policy).best == 0
    assert alarms == 0


def test_what_was_learned_from_few_rows_is_no_reason_for_an_alarm() -> None:
    young = FRESH.update(day(0))
    rows = day(60, -LIKES, count=400)
    assert known(young).rows <= 3 * len(rows.rewards)
    found = young.update(rows)
    assert known(found).alarms == 0
    assert known(found).rows == 1_000


def test_an_alarm_over_a_false_lead_keeps_the_memory() -> None:
    seen = SETTLED.glance(day(60))
    # Somebody saw a change where the rows themselves show none.
    alarmed = replace(seen, observed=seen.expected + 100 * np.sqrt(seen.variance))
    assert alarmed.alarm
    assert not seen.alarm
    stepped = SETTLED.stepped(alarmed)
    assert len(known(stepped).trials) == len(CUTS)
    found = known(stepped.absorb(stepped.evidence(day(60))))
    assert found.alarms == 0
    assert found.chance.sums[0].rows == pytest.approx(known(SETTLED).chance.sums[0].rows + 600)


def test_a_memory_that_predicts_far_worse_starts_again_from_a_shorter_one() -> None:
    before = known(SETTLED)
    seen = SETTLED.glance(day(60))
    seen = replace(seen, likelihoods=np.array([-90.0, -90.0, 0.0, -90.0]))
    later = known(SETTLED.stepped(seen))
    assert [each.rows for each in later.chance.sums] == [
        before.chance.sums[place].rows for place in (2, 2, 2, 3)
    ]
    assert later.likelihoods[0] == later.likelihoods[1] == later.likelihoods[2]
    assert later.best == 0
    assert np.array_equal(later.responses[0], before.responses[2])


def test_a_shorter_memory_takes_over_while_it_predicts_better() -> None:
    seen = SETTLED.glance(day(60))
    better = replace(seen, likelihoods=np.array([-10.0, 0.0, -10.0, -10.0]))
    assert known(SETTLED.stepped(better)).best == 1
    amounts = FactoredThompson(SPACE, 0, reward="amount").update(day(0)).update(day(1))
    seen = amounts.glance(day(2))
    worse = replace(seen, likelihoods=np.array([-90.0, -90.0, -90.0, 0.0]))
    model = known(amounts.stepped(worse)).amount
    before = known(amounts).amount
    assert model is not None
    assert before is not None
    assert model.sums[0].rows == before.sums[3].rows


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_discounted_rows_count_for_less(reward: str) -> None:
    whole = after(2, FactoredThompson.start(SPACE, features=0, reward=reward))  # type: ignore[arg-type] # both kinds
    half = whole.discounted(0.5)
    before, found = known(whole), known(half)
    assert found.rows == before.rows / 2
    for old, new in zip(before.chance.sums, found.chance.sums, strict=True):
        assert (new.rows, new.squares) == (old.rows / 2, old.squares / 2)
        np.testing.assert_allclose(new.precision, old.precision / 2, rtol=1e-6)
    assert np.array_equal(found.responses, before.responses / 2)
    if before.amount is not None and found.amount is not None:
        assert found.amount.sums[0].rows == before.amount.sums[0].rows / 2
    assert np.argmax(expected(half)) == 0
    assert max(expected(half)) < max(expected(whole))


def test_rows_that_count_nothing_leave_play_uniform() -> None:
    none = SETTLED.discounted(0.0)
    play = none.distribution(np.zeros((4, 0)), everything(SPACE, 4), seed=1)
    assert play.uniform_share == 1.0
    assert known(none).rows == 0
    assert FRESH.discounted(0.5).to_bytes() == FRESH.to_bytes()
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadPolicySetting, match="allowed is 0 to 1"):
            SETTLED.discounted(share)


def test_a_warm_start_that_is_contradicted_is_cut() -> None:
    warm = SETTLED.discounted(0.6)
    found = warm.update(day(60, -LIKES))
    assert known(found).alarms == 1
    first, *rest = expected(found)
    assert first < min(rest)
