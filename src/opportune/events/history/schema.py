"""Read what the columns of a table mean as messages, and list every mistake."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from opportune.documents import Document, InvalidDefinition
from opportune.errors import nearest
from opportune.events.history.model import Field, MessageMap, Moment, Schema, Value
from opportune.files import read_toml

__all__ = ["parse_schema", "read_schema"]

PAGE = "Import history"
TYPES = ("boolean", "integer", "json", "number", "text", "time")
EPOCHS = ("s", "ms", "us")
# Keys of a message's table and their names on the wire, by type.
COMMON = {"user_id": "userId", "anonymous_id": "anonymousId", "message_id": "messageId"}
OWN = {
    "track": {"event": "event"},
    "page": {"name": "name", "category": "category"},
    "screen": {"name": "name", "category": "category"},
    "group": {"group_id": "groupId"},
    "alias": {"previous_id": "previousId"},
    "identify": {},
}
REQUIRED = {"track": "event", "group": "group_id", "alias": "previous_id"}
FIELDS = {
    "track": "properties",
    "page": "properties",
    "screen": "properties",
    "identify": "traits",
    "group": "traits",
}
MOST_MESSAGES = 20
MOST_FIELDS = 300
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_schema(path: Path) -> Schema:
    """Read the TOML file ``path``; see `parse_schema`."""
    return parse_schema(read_toml(path, page=PAGE), where=path.name)


def parse_schema(body: Mapping[str, object], *, where: str) -> Schema:
    """Read the table of a schema; ``where`` begins each message.

    Raises ``InvalidDefinition`` with a line for every mistake.

    >>> order = {"type": "track", "event": {"constant": "Order"}, "user_id": "who",
    ...          "timestamp": "day"}
    >>> parse_schema({"messages": [order]}, where="orders.toml").messages[0].texts["userId"].column
    'who'
    """
    problems: list[str] = []
    document = Document(body, where, problems)
    tables = document.tables("messages")
    schema = Schema(
        where=where,
        messages=tuple(_message(table) for table in tables),
        types=_types(document),
        equal_rows=_one_of(document, "equal_rows", "one", ("each", "one")),
        delimiter=document.text("delimiter", ","),
        decimal=_one_of(document, "decimal", ".", (",", ".")),
        encoding=_encoding(document),
    )
    if len(schema.delimiter) > 1:
        document.wrong("delimiter", f"{schema.delimiter!r} given, must be one character.")
    if len(tables) > MOST_MESSAGES:
        document.wrong("messages", f"{len(tables)} given, at most {MOST_MESSAGES} allowed.")
    _check_ids(document, schema.messages)
    document.close()
    if problems:
        raise InvalidDefinition(problems)
    return schema


def _message(table: Document) -> MessageMap:
    kind = _one_of(table, "type", None, tuple(OWN))
    names = {**COMMON, **OWN.get(kind, {})}
    texts = {wire: _value(table, key) for key, wire in names.items() if key in table.body}
    for key in names:
        table.optional(key)
    needed = REQUIRED.get(kind)
    if needed and needed not in table.body:
        table.wrong(needed, "missing, must be the name of a column or { constant = ... }.")
    if "user_id" not in table.body and (kind == "alias" or "anonymous_id" not in table.body):
        table.wrong("user_id", "missing, must be the name of a column.")
    found = MessageMap(
        # Not the file's name: the same schema in another file means the same.
        where=table.where.removeprefix(f"{table.where.partition(': ')[0]}: "),
        type=kind,
        texts=texts,
        timestamp=_moment(table, "timestamp"),
        fields=_fields(table, FIELDS[kind]) if kind in FIELDS else (),
        only=_only(table),
    )
    table.close()
    return found


def _value(table: Document, key: str) -> Value:
    given = table.optional(key)
    if isinstance(given, str) and given:
        return Value(column=given, constant=None)
    if not isinstance(given, Mapping):
        table.wrong(
            key,
            f"{given!r} given, must be the name of a column, {{ column = ..., prefix = ... }} or "
            "{ constant = ... }.",
        )
        return Value(column=None, constant="")
    inner = table.table(key)
    if "constant" in inner.body:
        found = Value(column=None, constant=inner.text("constant"))
    else:
        column, prefix = inner.text("column"), inner.optional("prefix")
        if not (prefix is None or isinstance(prefix, str)):
            inner.wrong("prefix", f"{prefix!r} given, must be a text.")
        found = Value(column=column, constant=None, prefix=str(prefix or ""))
    inner.close()
    return found


def _moment(table: Document, key: str) -> Moment:
    given = table.optional(key)
    if isinstance(given, str) and given:
        return Moment(column=given, constant_us=None, format=None, zone="UTC")
    if not isinstance(given, Mapping):
        table.wrong(
            key,
            f"{'missing' if given is None else f'{given!r} given'}, must be the name of a column, "
            "{ column = ..., format = ..., zone = ... } or { constant = ... }.",
        )
        return Moment(column=None, constant_us=0, format=None, zone="UTC")
    inner = table.table(key)
    if "constant" in inner.body:
        found = Moment(column=None, constant_us=_constant_us(inner), format=None, zone="UTC")
    else:
        found = _times(inner, column=inner.text("column"))
    inner.close()
    return found


def _constant_us(table: Document) -> int:
    given = table.optional("constant")
    try:
        time = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError:
        table.wrong("constant", f"{given!r} given, must be a time such as 2026-01-31T09:30:00Z.")
        return 0
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


def _times(table: Document, *, column: str | None) -> Moment:
    form = table.text("format") if "format" in table.body else None
    zone = table.text("zone", "UTC")
    table.optional("format")
    if form and form not in ("iso", *EPOCHS) and "%" not in form:
        allowed = "iso, s, ms, us, or a pattern such as %d.%m.%Y %H:%M"
        table.wrong("format", f"{form!r} given. Allowed: {allowed}.")
    if form and "%z" in form.lower():
        table.wrong("format", "a pattern cannot have %z; times with an offset are read as 'iso'.")
    try:
        ZoneInfo(zone or "UTC")
    except (ValueError, OSError, LookupError):
        table.wrong("zone", f"{zone!r} given, must be an IANA name such as 'Europe/Vienna'.")
    return Moment(column=column, constant_us=None, format=form, zone=zone)


def _fields(table: Document, key: str) -> tuple[Field, ...] | None:
    given = table.optional(key)
    if given is None:
        return None
    if isinstance(given, Mapping):
        inner = table.table(key)
        found = tuple(_field(inner, name) for name in inner.body)
        inner.close()
    else:
        names = table.texts(key)
        found = tuple(Field(name=name, column=name, constant=None) for name in names)
        for name in sorted({name for name in names if names.count(name) > 1}):
            table.wrong(key, f"{name!r} stands there twice, names must differ.")
    if len(found) > MOST_FIELDS:
        table.wrong(key, f"{len(found)} given, at most {MOST_FIELDS} allowed.")
    return found


def _field(table: Document, name: str) -> Field:
    given = table.optional(name)
    if isinstance(given, str) and given:
        return Field(name=name, column=given, constant=None)
    if isinstance(given, Mapping) and set(given) == {"constant"}:
        constant = given["constant"]
        if isinstance(constant, str | int | float | bool):
            return Field(name=name, column=None, constant=constant)
    table.wrong(name, f"{given!r} given, must be the name of a column or {{ constant = ... }}.")
    return Field(name=name, column=None, constant="")


def _only(table: Document) -> dict[str, tuple[str, ...]]:
    inner = table.table("only", required=False)
    found: dict[str, tuple[str, ...]] = {}
    for column, given in inner.body.items():
        values = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
        inner.optional(column)
        if not values or not all(isinstance(each, str | int) for each in values):
            inner.wrong(column, f"{given!r} given, must be a text or a list of texts.")
        found[column] = tuple(_cell(each) for each in values)
    return found


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _types(document: Document) -> dict[str, str | Moment]:
    table = document.table("types", required=False)
    found: dict[str, str | Moment] = {}
    for column, given in table.body.items():
        if isinstance(given, Mapping):
            inner = table.table(column)
            _one_of(inner, "type", "time", ("time",))
            found[column] = _times(inner, column=column)
            inner.close()
            continue
        kind = _one_of(table, column, None, TYPES)
        times = Moment(column=column, constant_us=None, format=None, zone="UTC")
        found[column] = times if kind == "time" else kind
    return found


def _one_of(document: Document, key: str, default: str | None, allowed: Sequence[str]) -> str:
    given = document.text(key, default)
    if given and given not in allowed:
        document.wrong(key, f"{given!r} given. {nearest(given, allowed)}")
    return given


def _encoding(document: Document) -> str:
    given = document.text("encoding", "utf-8")
    try:
        return codecs.lookup(given).name
    except LookupError:
        document.wrong("encoding", f"{given!r} given, must be one such as 'utf-8' or 'latin-1'.")
        return "utf-8"


def _check_ids(document: Document, messages: Sequence[MessageMap]) -> None:
    """Two messages of one row with the same id would be one: the second would be lost."""
    ids = [each.texts["messageId"] for each in messages if "messageId" in each.texts]
    for value in dict.fromkeys(ids):
        if value.constant is not None:
            document.wrong(
                "messages", "a message_id cannot be constant, every message needs its own."
            )
        elif ids.count(value) > 1:
            document.wrong(
                "messages",
                f"{ids.count(value)} of them take their message_id from {value.column!r}; ids must "
                "differ. Give one of them a prefix: { column = ..., prefix = ... }.",
            )
