from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from opportune.policies import (
    ActionSpace,
    Dimension,
    Fixed,
    Uniform,
    UnreadablePolicy,
)
from opportune.policies.encoding import pack, unpack

SPACE = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
STORED = Uniform(SPACE).to_bytes()


def sealed(document: object) -> bytes:
    """Bytes with a right mark and digest, whatever they hold."""
    body = msgspec.msgpack.encode(document)
    return b"OPPOLICY" + hashlib.blake2b(body, digest_size=16).digest() + body


def uniform_with(**changes: object) -> bytes:
    document = {
        "kind": "uniform",
        "version": 2,
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
    with pytest.raises(UnreadablePolicy, match="is a 'uniform' of version 2; this program reads"):
        Fixed.from_bytes(STORED)
    with pytest.raises(UnreadablePolicy, match="'uniform' of version 3"):
        Uniform.from_bytes(uniform_with(version=3))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"space": 3}},
        {"settings": {}},
        {"arrays": 1},
        {"more": 1},
        {"arrays": {"mean": {"kind": "<f8", "shape": [2], "data": b"", "more": 1}}},
        {"arrays": {"mean": {"kind": "<c16", "shape": [0], "data": b""}}},
    ],
)
def test_other_fields_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UnreadablePolicy, match="does not have the fields"):
        Uniform.from_bytes(uniform_with(**changes))


@pytest.mark.parametrize(("shape", "size"), [([2], 8), ([-1, -1], 8), ([], 0)])
def test_an_array_of_another_size_than_it_says_is_refused(shape: list[int], size: int) -> None:
    arrays = {"mean": {"kind": "<f8", "shape": shape, "data": bytes(size)}}
    with pytest.raises(UnreadablePolicy, match=f"Array 'mean' .* but {size} bytes"):
        Uniform.from_bytes(uniform_with(arrays=arrays))


def test_arrays_keep_their_kind_and_shape_and_others_are_refused() -> None:
    arrays: dict[str, NDArray[Any]] = {
        "single": np.array([[1.5, 2.5]], dtype=np.float32),
        "double": np.array(np.pi),
        "whole": np.array([-1, 1 << 60]),
        "empty": np.empty((0, 3)),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "big": np.array([1.0, 2.0], dtype=">f8"),
    }
    _, found = unpack(pack("kind", _Nothing(), arrays), "kind", _Nothing)
    for name, array in arrays.items():
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype.newbyteorder("=")
    with pytest.raises(TypeError, match=r"bool are not kept; allowed are <f4, <f8, <i8"):
        pack("kind", _Nothing(), {"mask": np.zeros(1, dtype=bool)})


class _Nothing(msgspec.Struct):
    pass
