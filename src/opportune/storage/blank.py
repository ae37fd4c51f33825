"""Blank what the log has handed on: frames keep place and length, and say nothing any more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from opportune.storage.frame import HEAD_BYTES, Frame, decode, encode
from opportune.storage.log import MAGIC, end_offsets

__all__ = ["blank"]

READ_BYTES = 32 * 1024 * 1024


def blank(folder: Path, offsets: Mapping[str, int]) -> int:
    """Overwrite each segment up to its offset with empty frames; return how many bytes those were.

    Only what every reader has passed may be given. The segment may be one that is being written:
    its writer is further on. Each frame is replaced by an empty one of the same length and group,
    so that whoever reads from the beginning finds a whole segment with nothing in it.
    """
    done = 0
    for name, bytes_there in end_offsets(folder).items():
        end = min(offsets.get(name, 0), bytes_there)
        if end > len(MAGIC):
            with (folder / name).open("r+b", buffering=0) as file:
                _blank(file.fileno(), end)
                os.fsync(file.fileno())
            done += end - len(MAGIC)
    return done


def _blank(descriptor: int, end: int) -> None:
    at = len(MAGIC)
    while at < end:
        data = os.pread(descriptor, min(READ_BYTES, end - at), at)
        used = 0
        pieces = []
        while used < len(data) and (found := decode(data, used)) is not None:
            _, group_at, length = found
            pieces.append(_empty(length, group_at))
            used += length
        if not used:
            # Damaged, or torn by a blanking that was killed: nobody can read it, now or before.
            pieces, used = [bytes(len(data))], len(data)
        os.pwrite(descriptor, b"".join(pieces), at)
        at += used


def _empty(length: int, group_at: int) -> bytes:
    frame = Frame(received_at_us=0, source_id="", kind="", body=bytes(length - HEAD_BYTES))
    return encode(frame, group_at=group_at)
