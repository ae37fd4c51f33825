"""Policies as bytes: versioned, checksummed, and reading them runs no code.

8 bytes of mark, 16 bytes BLAKE2b of the rest, then one MessagePack map: kind, version,
settings, arrays (little-endian kind, shape and bytes). A policy outlives the program that wrote it:
change the meaning of anything here only together with `VERSION`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import UnreadablePolicy
from opportune.policies.space import ActionSpace, Dimension

__all__ = ["VERSION", "StoredSpace", "pack", "space_of", "stored_space", "unpack"]

VERSION = 2
MARK = b"OPPOLICY"
DIGEST_BYTES = 16

StoredSpace = list[tuple[str, tuple[str, ...]]]
Settings = TypeVar("Settings", bound=msgspec.Struct)


_Kind = Literal["<f4", "<f8", "<i8"]
_KINDS: tuple[_Kind, ...] = get_args(_Kind)


class _Array(msgspec.Struct, forbid_unknown_fields=True):
    kind: _Kind
    shape: tuple[int, ...]
    data: bytes


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    version: int
    settings: msgspec.Raw
    arrays: dict[str, _Array]


def pack(kind: str, settings: msgspec.Struct, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write one policy."""
    document = _Document(
        kind=kind,
        version=VERSION,
        settings=msgspec.Raw(msgspec.msgpack.encode(settings)),
        arrays={
            name: _Array(kind=_kind(array), shape=array.shape, data=_little(array))
            for name, array in arrays.items()
        },
    )
    body = msgspec.msgpack.encode(document)
    return MARK + _digest(body) + body


def unpack(
    data: bytes, kind: str, settings: type[Settings]
) -> tuple[Settings, dict[str, NDArray[Any]]]:
    """Read one policy of this kind; `UnreadablePolicy` says what is wrong with anything else."""
    start = len(MARK) + DIGEST_BYTES
    body = data[start:]
    if data[: len(MARK)] != MARK or data[len(MARK) : start] != _digest(body):
        raise UnreadablePolicy(
            f"{len(data)} bytes are not a policy, or were cut short or changed. "
            "Read them again from where they were stored, or train a new policy."
        )
    try:
        document = msgspec.msgpack.decode(body, type=_Document)
        if (document.kind, document.version) != (kind, VERSION):
            raise UnreadablePolicy(
                f"The policy is a '{document.kind}' of version {document.version}; this program "
                f"reads '{kind}' of version {VERSION}. Use the program that wrote it."
            )
        found = msgspec.msgpack.decode(document.settings, type=settings)
    except msgspec.DecodeError as error:
        raise UnreadablePolicy(
            f"The policy does not have the fields of a '{kind}': {error}. Train a new policy."
        ) from error
    return found, {name: _array(name, stored) for name, stored in document.arrays.items()}


def stored_space(space: ActionSpace) -> StoredSpace:
    """An action space as plain lists."""
    return [(dimension.name, dimension.options) for dimension in space.dimensions]


def space_of(stored: StoredSpace) -> ActionSpace:
    """The action space again."""
    return ActionSpace(
        dimensions=tuple(Dimension(name=name, options=options) for name, options in stored)
    )


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


def _kind(array: NDArray[Any]) -> _Kind:
    found = array.dtype.newbyteorder("<").str
    for kind in _KINDS:
        if found == kind:
            return kind
    raise TypeError(f"Arrays of {array.dtype} are not kept; allowed are {', '.join(_KINDS)}.")


def _little(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _array(name: str, stored: _Array) -> NDArray[Any]:
    kind = np.dtype(stored.kind)
    size = math.prod(stored.shape) * kind.itemsize
    if min(stored.shape, default=0) < 0 or size != len(stored.data):
        raise UnreadablePolicy(
            f"Array '{name}' of the policy has shape {stored.shape} but {len(stored.data)} bytes. "
            "Train a new policy."
        )
    flat = np.frombuffer(stored.data, dtype=kind).astype(kind.newbyteorder("="))
    return flat.reshape(stored.shape)
