"""One message of the tracking protocol as it stands on the wire, and the rules that it may break.

Null means absent everywhere. What is not listed here is never a reason to refuse.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from opportune.events.model import Limits

__all__ = [
    "KINDS",
    "MESSAGE",
    "TYPES",
    "Message",
    "epoch_us",
    "fields",
    "is_sound",
    "problem",
    "text",
    "time_of",
]

TYPES = ("alias", "group", "identify", "page", "screen", "track")
# The kinds of frames that hold such messages: one of a type, or a list.
KINDS = ("batch", *TYPES)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# An object with n keys is at least this many bytes a key: `"a":1,` and once `"":1,`.
FIELD_BYTES = 5
# The index of identifiers holds 2 704 bytes, and a character may take four.
ID_CHARACTERS = 500

Id = Annotated[str, Meta(max_length=ID_CHARACTERS)]


class Message(msgspec.Struct, gc=False):
    """Untyped on purpose: a wrong type must become a reject with a code, not an exception."""

    type: object = None
    userId: object = None  # noqa: N815 - the wire's names, here and below
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


class _Object(msgspec.Struct, gc=False):
    """Any JSON object; what is in it is passed over."""


class _Sound(msgspec.Struct, gc=False):
    """A message of the frequent types with nothing wrong in its types, as nearly all are."""

    type: Literal["identify", "page", "screen", "track"]
    userId: Id | None = None  # noqa: N815
    anonymousId: Id | None = None  # noqa: N815
    messageId: str | None = None  # noqa: N815
    event: str | None = None
    timestamp: str | None = None
    sentAt: object = None  # noqa: N815
    name: str | None = None
    category: str | None = None
    groupId: object = None  # noqa: N815
    previousId: object = None  # noqa: N815
    properties: _Object | None = None
    traits: _Object | None = None
    context: _Object | None = None


class _Wide(msgspec.Struct, gc=False):
    properties: dict[str, Raw] | None = None
    traits: dict[str, Raw] | None = None


MESSAGE = msgspec.json.Decoder(Message)
_SOUND = msgspec.json.Decoder(_Sound)
_WIDE = msgspec.json.Decoder(_Wide)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def is_sound(raw: bytes | Raw, limits: Limits) -> bool:
    """Say quickly that one message of a batch breaks no rule; False: ask `problem` for the truth.

    What is sound here, `problem` finds nothing wrong with; the converse does not hold.
    """
    if len(raw) > limits.message_bytes:
        return False
    try:
        message = _SOUND.decode(raw)
        if message.timestamp is not None:
            datetime.fromisoformat(message.timestamp)
    except ValueError:
        return False
    if not (message.userId or message.anonymousId):
        return False
    if message.messageId and len(message.messageId) > limits.message_id:
        return False
    if message.type == "track" and not message.event:
        return False
    return len(raw) <= limits.fields * FIELD_BYTES or _is_narrow(raw, limits)


def problem(message: Message, limits: Limits) -> tuple[str, str] | None:
    """Return the first rule that ``message`` breaks, as (code, reason), or None."""
    kind = message.type
    if kind not in TYPES:
        return "unknown_type", f"type must be one of {', '.join(TYPES)}."
    if found := _id_problem(message):
        return found
    message_id = message.messageId
    if not (message_id is None or isinstance(message_id, str)):
        return "message_id_not_string", "messageId must be a text."
    if message_id and len(message_id) > limits.message_id:
        return "message_id_too_long", f"messageId may have {limits.message_id} characters."
    found = (
        _object_problem("properties", message.properties, limits.fields)
        or _object_problem("traits", message.traits, limits.fields)
        or _object_problem("context", message.context, limits.message_bytes)
    )
    if found:
        return found
    if kind == "track":
        return _event_problem(message.event)
    return None if kind == "identify" else _problem_of_type(message, limits)


def time_of(value: object) -> datetime | None:
    """Read an ISO-8601 text, without a time zone where it has none; None: it is no such text."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def epoch_us(time: datetime) -> int:
    """Return microseconds since 1970 UTC; a time without an offset is UTC."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return (aware - EPOCH) // MICROSECOND


def fields(raw: bytes | Raw) -> dict[str, Raw]:
    """Return the members of a JSON object, each as its own text; raises what msgspec raises."""
    return _OBJECT.decode(raw)


def text(raw: Raw) -> str | None:
    """Return the text of a JSON object, None where there is none."""
    return str(raw, "utf-8") if _kind(raw) == "object" else None


def _is_narrow(raw: bytes | Raw, limits: Limits) -> bool:
    wide = _WIDE.decode(raw)
    return max(len(wide.properties or ()), len(wide.traits or ())) <= limits.fields


def _kind(raw: Raw) -> str:
    """Say what a raw JSON value is: "absent" (or null), "object" or "other"."""
    if not len(raw):
        return "absent"
    first = memoryview(raw)[0]
    if first == 0x7B:
        return "object"
    return "absent" if first == 0x6E else "other"


def _id_problem(message: Message) -> tuple[str, str] | None:
    for name, value in (("userId", message.userId), ("anonymousId", message.anonymousId)):
        if not (value is None or isinstance(value, str)):
            return "id_not_string", f"{name} must be a text."
        if value and len(value) > ID_CHARACTERS:
            return "id_too_long", f"{name} may have {ID_CHARACTERS} characters."
    if not message.userId and not message.anonymousId:
        return "no_user_anon_id", "A message needs a userId or an anonymousId that is not empty."
    return None


def _object_problem(name: str, raw: Raw, most: int) -> tuple[str, str] | None:
    size = len(raw)
    if not size:
        return None
    if _kind(raw) == "other":
        return f"{name}_not_object", f"{name} must be an object."
    if size > most * FIELD_BYTES and (count := len(fields(raw))) > most:
        return "too_many_fields", f"{name} has {count} fields; at most {most} are allowed."
    return None


def _event_problem(event: object) -> tuple[str, str] | None:
    if event is not None and not isinstance(event, str):
        return "event_not_string", "event must be a text."
    return None if event else ("event_not_defined", "A track message needs the name of its event.")


def _problem_of_type(message: Message, limits: Limits) -> tuple[str, str] | None:
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
