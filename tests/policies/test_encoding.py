from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.policies import (
    ActionSpace,
    Dimension,
    FactoredThompson,
    Fixed,
    Uniform,
    UnreadablePolicy,
)

SPACE = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
STORED = Uniform(SPACE).to_bytes()


def sealed(document: object) -> bytes:
    """Bytes with a right mark and digest, whatever they hold."""
    body = msgspec.msgpack.encode(document)
    return b"OPPOLICY" + hashlib.blake2b(body, digest_size=16).digest() + body


def uniform_with(**changes: object) -> bytes:
    document = {
        "kind": "uniform",
        "version": 1,
        "settings": {"space": [["hour", ["09", "18"]]]},
        "arrays": {},
    }
    return sealed({**document, **changes})


def test_the_format_is_as_documented() -> None:
    assert uniform_with() == STORED


@given(st.binary(max_size=80))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePolicy, match=f"{len(data)} bytes are not a policy"):
        Uniform.from_bytes(data)


@given(st.integers(0, len(STORED) - 1))
def test_a_cut_or_changed_policy_is_refused(place: int) -> None:
    changed = bytearray(STORED)
    changed[place] ^= 1
    for data in (STORED[:place], bytes(changed)):
        with pytest.raises(UnreadablePolicy, match="cut short or changed"):
            Uniform.from_bytes(data)


def test_another_kind_and_another_version_are_refused() -> None:
    with pytest.raises(UnreadablePolicy, match="is a 'uniform' of version 1; this program reads"):
        Fixed.from_bytes(STORED)
    with pytest.raises(UnreadablePolicy, match="'uniform' of version 2"):
        Uniform.from_bytes(uniform_with(version=2))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"space": 3}},
        {"settings": {}},
        {"arrays": 1},
        {"more": 1},
        {"arrays": {"mean": {"shape": [2], "data": b"", "more": 1}}},
    ],
)
def test_other_fields_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UnreadablePolicy, match="does not have the fields"):
        Uniform.from_bytes(uniform_with(**changes))


@pytest.mark.parametrize(("shape", "size"), [([2], 8), ([-1, -1], 8), ([], 0)])
def test_an_array_of_another_size_than_it_says_is_refused(shape: list[int], size: int) -> None:
    arrays = {"mean": {"shape": shape, "data": bytes(size)}}
    with pytest.raises(UnreadablePolicy, match=f"Array 'mean' .* but {size} bytes"):
        Uniform.from_bytes(uniform_with(arrays=arrays))


def test_arrays_of_another_layout_are_refused() -> None:
    settings = {
        "space": [["hour", ["09", "18"]]],
        "n_features": 1,
        "reward": "binary",
        "draws": 2,
        "uniform_share": 0.5,
    }
    arrays = {"mean": {"shape": [1], "data": np.zeros(1).tobytes()}}
    with pytest.raises(UnreadablePolicy, match="arrays have shapes"):
        FactoredThompson.from_bytes(
            uniform_with(kind="factored_thompson", settings=settings, arrays=arrays)
        )
