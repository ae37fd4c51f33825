"""How one accepted request lies in a segment of the log: a frame and its bytes.

A frame is a fixed head, the source id, the kind and the body. The head, little-endian::

    magic 4 | crc u32 | length u32 | group start u64 | received us i64 | source u16 | kind u8

``length`` counts the bytes after the head, ``source`` and ``kind`` are the lengths of those two
texts, and the CRC-32 is over everything after itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["MAX_FRAME_BYTES", "Frame", "decode", "encode", "size", "whole_frames"]

# 0xFF is in no UTF-8 text, so no body can be taken for the start of a frame.
MAGIC = b"\xffOPF"
CRC_AT = len(MAGIC)
CHECKED_AT = CRC_AT + 4
CHECKED = struct.Struct("<IQqHB")
HEAD_BYTES = CHECKED_AT + CHECKED.size
MAX_FRAME_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One accepted request body.

    ``received_at_us`` counts microseconds since 1970 UTC, ``kind`` says how to decode ``body``.
    ``segment`` and ``offset`` (bytes) say where a frame was read; they are empty before and do not
    make frames differ.
    """

    received_at_us: int
    source_id: str
    kind: str
    body: bytes
    segment: str = field(default="", compare=False)
    offset: int = field(default=0, compare=False)


def size(frame: Frame) -> int:
    """Return the bytes that ``frame`` takes in a segment (exact for ASCII source and kind)."""
    return HEAD_BYTES + len(frame.source_id) + len(frame.kind) + len(frame.body)


def encode(frame: Frame, *, group_at: int) -> bytes:
    """Return the bytes of ``frame`` in the group that starts at ``group_at`` of its segment."""
    source, kind = frame.source_id.encode(), frame.kind.encode()
    length = len(source) + len(kind) + len(frame.body)
    head = CHECKED.pack(length, group_at, frame.received_at_us, len(source), len(kind))
    checked = b"".join([head, source, kind, frame.body])
    return b"".join([MAGIC, zlib.crc32(checked).to_bytes(4, "little"), checked])


def decode(
    data: bytes, at: int, *, segment: str = "", base: int = 0
) -> tuple[Frame, int, int] | None:
    """Read the frame at ``data[at:]``: (frame, group start, bytes used), None if it is not whole.

    ``segment`` and ``base`` (the offset of ``data`` in it) become the frame's place.
    """
    text_at = at + HEAD_BYTES
    if len(data) < text_at or data[at : at + CRC_AT] != MAGIC:
        return None
    checked_at = at + CHECKED_AT
    length, group_at, received_at_us, sources, kinds = CHECKED.unpack_from(data, checked_at)
    end = text_at + length
    if end > len(data) or sources + kinds > length:
        return None
    checksum = int.from_bytes(data[at + CRC_AT : checked_at], "little")
    if zlib.crc32(memoryview(data)[checked_at:end]) != checksum:
        return None
    kind_at = text_at + sources
    frame = Frame(
        received_at_us=received_at_us,
        source_id=data[text_at:kind_at].decode(),
        kind=data[kind_at : kind_at + kinds].decode(),
        body=data[kind_at + kinds : end],
        segment=segment,
        offset=base + at,
    )
    return frame, group_at, end - at


def whole_frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Search ``data`` for frames, whatever lies between them: (where it starts, group start)."""
    at = data.find(MAGIC)
    while at >= 0:
        decoded = decode(data, at)
        used = 1
        if decoded is not None:
            _, group_at, used = decoded
            yield at, group_at
        at = data.find(MAGIC, at + used)
