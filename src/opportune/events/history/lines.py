"""Read messages of the tracking protocol, one JSON object a line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa
from msgspec import Raw

from opportune.events.decode import decode_segment
from opportune.events.history.model import Part, RefusedRow, Request, SchemaMissing, Tally
from opportune.events.model import LIMITS
from opportune.files import opened, position
from opportune.storage import Frame

__all__ = ["Line", "check_messages", "line_parts", "numbered", "read_object"]

PART_LINES = 2_000
LINES_LOOKED_AT = 100
# Enough to see that a line is too long for a message; what is beyond is passed over.
LINE_BYTES = 4 * LIMITS.message_bytes
MOST_PAYLOADS = 1_000
# When it happened, as exports name it: the first that is there. What was corrected stays corrected.
TIMES = ("timestamp", "originalTimestamp", "receivedAt", "sentAt")
# Said by whoever sent it at that time; nothing of it holds for an import.
DROPPED = ("writeKey", *TIMES)

_OBJECT = msgspec.json.Decoder(dict[str, Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that is not empty, counted from 1; the end of a very long one is cut off."""

    number: int
    text: bytes


def check_messages(path: Path) -> None:
    """Refuse JSON lines of which the first ones are no messages. Raises ``SchemaMissing``."""
    with opened(path) as stream:
        first = islice(numbered(stream), LINES_LOOKED_AT)
        read = [read_object(line, most_bytes=LINE_BYTES) for line in first]
    objects = [said for said in read if isinstance(said, dict)]
    if objects and not any("type" in said for said in objects):
        raise SchemaMissing(
            f"The lines of {path.name} are no messages of the tracking protocol: they have no "
            "'type'. Say with --schema what their keys mean; the page 'Import history' shows how."
        )


def line_parts(request: Request, *, now_us: int, after_row: int) -> Iterator[Part]:
    """Read the JSON lines of ``request``; rows are lines, those up to ``after_row`` make nothing.

    A message without an id gets one made from the line. Raises ``UnusableFile``.
    """
    size = max(1, request.path.stat().st_size)
    with opened(request.path) as stream:
        lines: list[Line] = []
        for line in numbered(stream):
            if line.number > after_row:
                lines.append(line)
            if len(lines) == PART_LINES:
                yield _part(lines, request, min(1.0, position(stream) / size), now_us)
                lines = []
        if lines:
            yield _part(lines, request, 1.0, now_us)


def numbered(stream: IO[bytes]) -> Iterator[Line]:
    """Read the lines that are not empty."""
    number = 0
    while text := stream.readline(LINE_BYTES):
        number += 1
        rest = text
        while not rest.endswith(b"\n") and (rest := stream.readline(LINE_BYTES)):
            pass
        text = text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text
        if text := text.strip():
            yield Line(number=number, text=text)


def _part(lines: list[Line], request: Request, share: float, now_us: int) -> Part:
    part = Part(
        last_row=lines[-1].number,
        share=share,
        messages=[],
        refused=[],
        tally=Tally(rows=len(lines)),
    )
    read: list[tuple[Line, bytes]] = []
    for line in lines:
        message = _message(line, request.source_id)
        if isinstance(message, bytes):
            read.append((line, message))
        else:
            _refuse(part, line, *message)
    part.messages.append(pa.array(_sound(read, part, request, now_us), pa.string()))
    return part


def _message(line: Line, source_id: str) -> bytes | tuple[str, str]:
    """The message of a line as it goes into the log, or the code and reason why there is none."""
    said = read_object(line, most_bytes=LIMITS.message_bytes)
    if not isinstance(said, dict):
        return said
    times = [said.pop(name) for name in TIMES if name in said]
    known = [time for time in times if bytes(time) != b"null"]
    if not known:
        return "timestamp_missing", "a message of history needs its 'timestamp'."
    for name in DROPPED:
        said.pop(name, None)
    said["timestamp"] = known[0]
    if bytes(said.get("messageId", Raw(b"null"))) in (b"null", b'""'):
        digest = hashlib.blake2b(f"{source_id}/".encode(), digest_size=16)
        digest.update(line.text)
        said["messageId"] = Raw(f'"import-{digest.hexdigest()}"'.encode())
    return msgspec.json.encode(said)


def read_object(line: Line, *, most_bytes: int) -> dict[str, Raw] | tuple[str, str]:
    """Return what a line says by key, or the code and reason why it cannot be read."""
    if len(line.text) > most_bytes:
        return "message_too_large", f"it has more than {most_bytes} bytes."
    try:
        # Bytes and escapes that stand for no character are found only when they are looked at.
        if not line.text.isascii():
            line.text.decode()
        if b"\\u" in line.text:
            msgspec.json.decode(line.text)
        return _OBJECT.decode(line.text)
    except msgspec.ValidationError:
        return "message_not_object", "a line must be a JSON object."
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        return "bad_request", f"this is not JSON: {cause}."


def _sound(
    read: list[tuple[Line, bytes]], part: Part, request: Request, now_us: int
) -> list[bytes]:
    """The messages that break no rule of the protocol, by the decoder that takes them in."""
    if not read:
        return []
    body = b'{"batch":[' + b",".join(message for _, message in read) + b"]}"
    frame = Frame(received_at_us=now_us, source_id=request.source_id, kind="batch", body=body)
    decoded = decode_segment(frame)
    bad = {reject.index: reject for reject in decoded.rejects}
    for place, reject in bad.items():
        _refuse(part, read[place][0], reject.code, reject.reason)
    for event in decoded.events:
        part.tally.count(event.type, event.event or "", 1)
        part.tally.saw(event.occurred_at_us)
        part.tally.late += event.occurred_at_us == now_us
    return [message for place, (_, message) in enumerate(read) if place not in bad]


def _refuse(part: Part, line: Line, code: str, reason: str) -> None:
    part.tally.refuse(code, 1)
    if len(part.refused) < MOST_PAYLOADS:
        payload = _shown(line.text).decode(errors="replace")[: LIMITS.message_bytes]
        part.refused.append(RefusedRow(row=line.number, code=code, reason=reason, payload=payload))


def _shown(text: bytes) -> bytes:
    """A line as it may be kept: without its write key, and not at all where that cannot be told."""
    if b"writeKey" not in text:
        return text
    try:
        said = _OBJECT.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b""
    said.pop("writeKey", None)
    return msgspec.json.encode(said)
