"""A learner as bytes: nothing is lost, and what does not fit is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from lessons import rows_of, space_of
from opportune.policies import (
    Costs,
    FactoredThompson,
    RewardKind,
    UnreadablePolicy,
    everything,
)
from opportune.policies.encoding import pack
from opportune.policies.stored import arrays_of

SPACE = space_of(3, 2)


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_a_policy_survives_a_round_trip(reward: RewardKind) -> None:
    fresh = FactoredThompson.start(SPACE, features=2, reward=reward)
    rows = rows_of(SPACE, 300, seed=1)
    prepared = fresh.prepared(fresh.summary(rows))
    taught = fresh.update(rows)
    stepped = taught.stepped(taught.glance(rows_of(SPACE, 200, seed=5)))
    for policy in (fresh, prepared, taught, stepped, taught.update(rows)):
        again = FactoredThompson.from_bytes(policy.to_bytes())
        assert again.to_bytes() == policy.to_bytes()
        free = Costs(sent=(np.zeros(3), np.array([0.0, 0.1])), rewarded=(np.zeros(3), np.zeros(2)))
        for costs in (None, free):
            before, after = (
                each.distribution(rows.features, everything(SPACE, 300), seed=2, costs=costs)
                for each in (policy, again)
            )
            assert np.array_equal(before.support, after.support)
        assert np.array_equal(
            again.expected(rows.features, rows.actions),
            policy.expected(rows.features, rows.actions),
        )
        next_day = rows_of(SPACE, 200, seed=2)
        assert again.update(next_day).to_bytes() == policy.update(next_day).to_bytes()


def test_what_was_gathered_with_a_stored_policy_is_evidence_for_the_kept_one() -> None:
    rows = rows_of(SPACE, 200, seed=1)
    policy = FactoredThompson(SPACE, 2, reward="binary").update(rows)
    again = FactoredThompson.from_bytes(policy.to_bytes())
    total = policy.evidence(rows) + again.evidence(rows)
    assert policy.absorb(total).to_bytes() == again.absorb(total).to_bytes()


TAUGHT = FactoredThompson(SPACE, 2, reward="amount").update(rows_of(SPACE, 100, seed=1))


def stored(**changes: object) -> bytes:
    """The policy with other arrays; None leaves one out."""
    assert TAUGHT.knowledge is not None
    arrays = {**arrays_of(TAUGHT.knowledge), **changes}
    start = TAUGHT.to_bytes()[24:]
    settings = msgspec.Raw(msgspec.msgpack.encode(msgspec.msgpack.decode(start)["settings"]))
    kept = {name: array for name, array in arrays.items() if array is not None}
    return pack("factored_thompson", msgspec.msgpack.decode(settings, type=_Settings), kept)  # type: ignore[arg-type] # arrays


class _Settings(msgspec.Struct):
    space: list[tuple[str, list[str]]]
    n_features: int
    reward: str
    draws: int
    uniform_share: float


def test_the_same_arrays_are_the_same_policy() -> None:
    assert stored() == TAUGHT.to_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "center",
        "products",
        "levels",
        "averages",
        "likelihoods",
        "responses",
        "point",
        "trials",
        "counts",
        "chance_site_precision",
        "chance_slabs",
        "chance_shares",
        "chance_noise",
        "chance_precision_0",
        "chance_weighted_3",
        "chance_counts_1",
        "amount_inclusion",
        "amount_precision_2",
    ],
)
def test_an_array_that_is_missing_or_of_another_shape_is_refused(name: str) -> None:
    with pytest.raises(UnreadablePolicy, match=f"Array '{name}' of the policy has shape None"):
        FactoredThompson.from_bytes(stored(**{name: None}))
    for strange in (np.zeros((6, 5)), np.zeros(13), np.zeros((1, 1, 1))):
        with pytest.raises(UnreadablePolicy, match="of the policy has shape"):
            FactoredThompson.from_bytes(stored(**{name: strange}))


@pytest.mark.parametrize("name", ["products", "steps"])
def test_terms_of_features_that_there_are_not_are_refused(name: str) -> None:
    assert TAUGHT.knowledge is not None
    array = arrays_of(TAUGHT.knowledge)[name]
    for stray in (2, -1):
        changed = array.copy()
        changed.flat[0] = stray
        with pytest.raises(UnreadablePolicy, match=f"'{name}' names features .* 0 to 1"):
            FactoredThompson.from_bytes(stored(**{name: changed}))


def test_settings_that_no_policy_has_are_refused() -> None:
    start = msgspec.msgpack.decode(TAUGHT.to_bytes()[24:])
    for changes in ({"more": 1}, {"reward": "counts"}, {"draws": "many"}):
        document = {**start, "settings": {**start["settings"], **changes}}
        body = msgspec.msgpack.encode(document)
        data = b"OPPOLICY" + hashlib.blake2b(body, digest_size=16).digest() + body
        with pytest.raises(UnreadablePolicy, match="does not have the fields"):
            FactoredThompson.from_bytes(data)
    assert replace(TAUGHT, draws=3).to_bytes() != TAUGHT.to_bytes()
