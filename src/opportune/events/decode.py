"""From an accepted request to events and rejects, by the rules of Segment's tracking protocol.

Pure: the collector asks before it answers, the normaliser asks again behind the log, and both hear
the same. Null means absent everywhere. What is not listed here is never a reason to refuse.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec import Raw

from opportune.errors import InvalidInput
from opportune.events.model import LIMITS, Decoded, Event, Limits, Reject
from opportune.storage.log import Frame

__all__ = ["TYPES", "EmptyBatch", "MalformedBody", "decode_segment"]

T = TypeVar("T")
TYPES = ("alias", "group", "identify", "page", "screen", "track")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# The year 1, the earliest time that every reader of the lake can hold.
EARLIEST_US = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
# An object with n keys is at least this many bytes a key: `"a":1,` and once `"":1,`.
FIELD_BYTES = 5
# The index of identifiers holds 2 704 bytes, and a character may take four.
ID_CHARACTERS = 500
ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
UNUSABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})")


class MalformedBody(InvalidInput):
    """The request as a whole cannot be read: not JSON, or without a list of messages."""

    code = "bad_request"


class EmptyBatch(InvalidInput):
    """A batch without a message."""

    code = "empty_batch"


class _Batch(msgspec.Struct, gc=False):
    batch: list[Raw]
    context: Raw = Raw()
    sentAt: object = None  # noqa: N815 - the wire's name


class _Message(msgspec.Struct, gc=False):
    """Untyped on purpose: a wrong type must become a reject with a code, not an exception."""

    type: object = None
    userId: object = None  # noqa: N815
    anonymousId: object = None  # noqa: N815
    messageId: object = None  # noqa: N815
    event: object = None
    timestamp: object = None
    sentAt: object = None  # noqa: N815
    name: object = None
    category: object = None
    groupId: object = None  # noqa: N815
    previousId: object = None  # noqa: N815
    properties: Raw = Raw()
    traits: Raw = Raw()
    context: Raw = Raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What the messages of one request share."""

    frame: Frame
    limits: Limits
    context: dict[str, Raw]
    sent_us: int | None


_BATCH = msgspec.json.Decoder(_Batch)
_MESSAGE = msgspec.json.Decoder(_Message)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def decode_segment(frame: Frame, *, limits: Limits = LIMITS) -> Decoded:
    """Decode a frame of kind "batch", or of a message type, into events and rejects.

    A message without an id of its own gets one made from the frame's place and content, the same at
    each reading. Times are corrected for the client's clock: received - (sent - original), never
    later than received. Raises ``MalformedBody`` or ``EmptyBatch`` when there are no messages.

    >>> frame = Frame(received_at_us=0, source_id="shop", kind="track",
    ...               body=b'{"userId": "c1", "event": "Order Completed"}')
    >>> decode_segment(frame).events[0].event
    'Order Completed'
    """
    try:
        return _decode(frame, limits)
    except RecursionError as cause:
        raise MalformedBody("The body is nested too deeply.") from cause


def _decode(frame: Frame, limits: Limits) -> Decoded:
    body = _usable(frame.body)
    if frame.kind == "batch":
        batch = _read(body, _BATCH)
        messages: list[bytes | Raw] = list(batch.batch)
        context = _batch_context(batch.context)
        sent_us = _epoch_us(batch.sentAt)
        request = _Request(frame=frame, limits=limits, context=context, sent_us=sent_us)
    else:
        _read(body, _MESSAGE)
        messages = [body]
        request = _Request(frame=frame, limits=limits, context={}, sent_us=None)
    if not messages:
        raise EmptyBatch("The batch has no message. Send at least one.")
    events: list[Event] = []
    rejects: list[Reject] = []
    for index, message in enumerate(messages):
        outcome = _decode_message(message, index, request)
        if isinstance(outcome, Event):
            events.append(outcome)
        else:
            rejects.append(outcome)
    return Decoded(events=events, rejects=rejects)


def _usable(body: bytes) -> bytes:
    """Replace what JSON may escape but no database can hold: NUL and half surrogate pairs."""
    try:
        body.decode()
    except UnicodeDecodeError as cause:
        raise MalformedBody(f"The body is not UTF-8 (byte {cause.start}). Send JSON.") from cause
    if rb"\u" in body and UNUSABLE.search(body):
        return ESCAPE.sub(_replace_unusable, body)
    return body


def _replace_unusable(match: re.Match[bytes]) -> bytes:
    escape = match[0]
    return rb"\ufffd" if len(escape) == 6 and UNUSABLE.match(escape) else escape


def _read(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as cause:
        raise MalformedBody(f"The body cannot be read: {cause}. Send JSON, UTF-8.") from cause


def _batch_context(raw: Raw) -> dict[str, Raw]:
    return _OBJECT.decode(raw) if _kind(raw) == "object" else {}


def _kind(raw: Raw) -> str:
    """Say what a raw JSON value is: "absent" (or null), "object" or "other"."""
    if not len(raw):
        return "absent"
    first = memoryview(raw)[0]
    if first == 0x7B:
        return "object"
    return "absent" if first == 0x6E else "other"


def _decode_message(raw: bytes | Raw, index: int, request: _Request) -> Event | Reject:
    limits = request.limits
    if len(raw) > limits.message_bytes:
        reason = f"The message has {len(raw)} bytes; at most {limits.message_bytes} are allowed."
        return _reject(raw, index, request, ("message_too_large", reason))
    if index >= limits.messages:
        reason = f"Only the first {limits.messages} messages of a batch are taken."
        return _reject(raw, index, request, ("too_many_messages", reason))
    try:
        message = _MESSAGE.decode(raw)
    except msgspec.ValidationError:
        return _reject(raw, index, request, ("message_not_object", "A message must be an object."))
    if request.frame.kind != "batch":
        message.type = request.frame.kind
    problem = _problem(message, limits)
    if problem is not None:
        return _reject(raw, index, request, problem)
    occurred_at_us = _occurred_at_us(message, request)
    if occurred_at_us is None:
        reason = "timestamp must be an ISO-8601 text such as 2026-01-15T09:30:00Z."
        return _reject(raw, index, request, ("timestamp_invalid", reason))
    return _event(message, index, request, occurred_at_us)


def _problem(message: _Message, limits: Limits) -> tuple[str, str] | None:
    """Return the first rule that ``message`` breaks, as (code, reason), or None."""
    kind = message.type
    if kind not in TYPES:
        return "unknown_type", f"type must be one of {', '.join(TYPES)}."
    if problem := _id_problem(message):
        return problem
    message_id = message.messageId
    if not (message_id is None or isinstance(message_id, str)):
        return "message_id_not_string", "messageId must be a text."
    if message_id and len(message_id) > limits.message_id:
        return "message_id_too_long", f"messageId may have {limits.message_id} characters."
    problem = (
        _object_problem("properties", message.properties, limits.fields)
        or _object_problem("traits", message.traits, limits.fields)
        or _object_problem("context", message.context, limits.message_bytes)
    )
    if problem:
        return problem
    if kind == "track":
        return _event_problem(message.event)
    return None if kind == "identify" else _problem_of_type(message, limits)


def _id_problem(message: _Message) -> tuple[str, str] | None:
    for name, value in (("userId", message.userId), ("anonymousId", message.anonymousId)):
        if not (value is None or isinstance(value, str)):
            return "id_not_string", f"{name} must be a text."
        if value and len(value) > ID_CHARACTERS:
            return "id_too_long", f"{name} may have {ID_CHARACTERS} characters."
    if not message.userId and not message.anonymousId:
        return "no_user_anon_id", "A message needs a userId or an anonymousId that is not empty."
    return None


def _object_problem(name: str, raw: Raw, fields: int) -> tuple[str, str] | None:
    size = len(raw)
    if not size:
        return None
    if _kind(raw) == "other":
        return f"{name}_not_object", f"{name} must be an object."
    if size > fields * FIELD_BYTES and (count := len(_fields(raw))) > fields:
        return "too_many_fields", f"{name} has {count} fields; at most {fields} are allowed."
    return None


def _event_problem(event: object) -> tuple[str, str] | None:
    if event is not None and not isinstance(event, str):
        return "event_not_string", "event must be a text."
    return None if event else ("event_not_defined", "A track message needs the name of its event.")


def _problem_of_type(message: _Message, limits: Limits) -> tuple[str, str] | None:
    if message.type in ("page", "screen"):
        for name, value in (("name", message.name), ("category", message.category)):
            if value is not None and not isinstance(value, str):
                return f"{name}_not_string", f"{name} must be a text."
        return None
    name, value = ("groupId", message.groupId)
    if message.type == "alias":
        name, value = ("previousId", message.previousId)
    if value is not None and not isinstance(value, str):
        return "id_not_string", f"{name} must be a text."
    if not value or (message.type == "alias" and not message.userId):
        needed = name if not value else "userId"
        return "id_required", f"A message of type {message.type} needs {needed}."
    if message.type == "group" and len(value) > limits.group_id:
        return "id_too_long", f"groupId may have {limits.group_id} characters."
    return None


def _occurred_at_us(message: _Message, request: _Request) -> int | None:
    """Return when it happened by our clock, None where the message's time cannot be read."""
    received_us = request.frame.received_at_us
    if message.timestamp is None:
        return received_us
    original_us = _epoch_us(message.timestamp)
    if original_us is None:
        return None
    # A sentAt that cannot be read says nothing of the client's clock: trust the time as given.
    sent_us = request.sent_us if message.sentAt is None else _epoch_us(message.sentAt)
    occurred_at_us = original_us if sent_us is None else received_us - (sent_us - original_us)
    return max(EARLIEST_US, min(occurred_at_us, received_us))


def _epoch_us(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - EPOCH) // MICROSECOND


def _event(message: _Message, index: int, request: _Request, occurred_at_us: int) -> Event:
    kind = str(message.type)
    context = _text(message.context)
    if request.context:
        own = _fields(message.context) if context else {}
        context = msgspec.json.encode({**request.context, **own}).decode()
    traits = _text(message.traits)
    if traits is None and kind == "identify" and context:
        traits = _text(_OBJECT.decode(context).get("traits", Raw()))
    return Event(
        message_id=_str(message.messageId) or _made_id(index, request.frame),
        type=kind,
        event=_str(message.event) if kind == "track" else None,
        user_id=_str(message.userId),
        anonymous_id=_str(message.anonymousId),
        occurred_at_us=occurred_at_us,
        properties=_text(message.properties) if kind == "track" else _properties(message),
        traits=traits,
        context=context,
    )


def _properties(message: _Message) -> str | None:
    """Join to the properties what messages of some types say beside them; properties win."""
    beside = {
        "page": {"name": message.name, "category": message.category},
        "screen": {"name": message.name, "category": message.category},
        "group": {"groupId": message.groupId},
        "alias": {"previousId": message.previousId},
    }.get(str(message.type), {})
    said = {name: value for name, value in beside.items() if value}
    if not said:
        return _text(message.properties)
    own = _fields(message.properties) if _text(message.properties) else {}
    return msgspec.json.encode({**said, **own}).decode()


def _made_id(index: int, frame: Frame) -> str:
    place = f"{frame.received_at_us}/{frame.source_id}/{frame.kind}/{frame.segment}/{frame.offset}"
    digest = hashlib.blake2b(f"{place}/{index}/".encode(), digest_size=16)
    digest.update(frame.body)
    return f"made-{digest.hexdigest()}"


def _reject(raw: bytes | Raw, index: int, request: _Request, problem: tuple[str, str]) -> Reject:
    code, reason = problem
    try:
        said = _fields(raw)
    except msgspec.ValidationError:
        said = {}
    payload = bytes(raw)
    if said.pop("writeKey", None) is not None:
        payload = msgspec.json.encode(said)
    message_id = msgspec.json.decode(said.get("messageId", b"null"))
    if not isinstance(message_id, str) or len(message_id) > request.limits.message_id:
        message_id = None
    return Reject(
        index=index,
        message_id=message_id,
        code=code,
        reason=reason,
        payload=payload.decode()[: request.limits.message_bytes],
    )


def _fields(raw: bytes | Raw) -> dict[str, Raw]:
    return _OBJECT.decode(raw)


def _text(raw: Raw) -> str | None:
    return str(raw, "utf-8") if _kind(raw) == "object" else None


def _str(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
