"""What was refused, why, and sending it again once the reason is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Raw

from opportune.errors import InvalidInput, NotFound
from opportune.events.catalogue import as_rows
from opportune.events.message import fields as read_fields
from opportune.events.model import REJECTS
from opportune.events.record import create_tables
from opportune.events.replayed import REPLAY, Outcome, Replayed, encode_replay
from opportune.storage import Connection, Frame, SegmentLog, Stores, fetch, load_sql

__all__ = [
    "REJECTS_PAGE",
    "InvalidRejectId",
    "NoSuchReject",
    "NothingChosen",
    "Refusal",
    "RejectFilter",
    "Replay",
    "keep_outcomes",
    "rejects",
    "replay",
]

REJECTS_PAGE = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LATEST = datetime.max.replace(tzinfo=UTC)
ID = re.compile(
    r"(?P<source>[a-z0-9_-]+):(?P<received>[0-9]{1,17}):(?P<index>-?[0-9]{1,9}):(?P<code>\w+)"
)
KEY = pa.schema([REJECTS.field(name) for name in ("source_id", "received_at", "index", "code")])
SENT = pa.schema(
    [
        *(("source_id", pa.string()), ("received_at_us", pa.int64()), ("index", pa.int32())),
        *(("code", pa.string()), ("outcome", pa.string()), ("waiting", pa.bool_())),
    ]
)
TYPE_BY_FIELD = (
    *(("event", "track"), ("groupId", "group"), ("previousId", "alias"), ("traits", "identify")),
)
STATES = {"accepted": "replayed", "refused": "refused again"}


class InvalidRejectId(InvalidInput):
    """The id of a reject cannot be read."""

    code = "invalid_reject_id"


class NothingChosen(InvalidInput):
    """A replay names neither ids nor anything that chooses among the rejects, or both."""

    code = "nothing_chosen"

    def __init__(self) -> None:
        super().__init__(
            "Give either the ids of rejects, or one or more of code, source, event and since: then "
            f"the newest {REJECTS_PAGE} that fit and are open are sent again."
        )


class NoSuchReject(NotFound):
    """No reject has this id."""

    code = "no_such_reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reject as it is listed.

    ``state`` is "open", "waiting" (sent again, not taken in yet), "replayed" (its event is stored)
    or "refused again". ``index`` is the message's place in its request, -1 for a whole request.
    """

    reject_id: str
    source_id: str
    received_at: datetime
    index: int
    code: str
    message_id: str | None
    event: str | None
    reason: str
    payload: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectFilter:
    """Which rejects are meant: every field that is not None must fit."""

    code: str | None = None
    source: str | None = None
    event: str | None = None
    since: datetime | None = None
    open_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What sending rejects again came to, as ids; ``unusable`` has the reason of each.

    ``done`` were replayed before, ``waiting`` are on their way from before: neither is sent twice.
    """

    sent: tuple[str, ...]
    done: tuple[str, ...]
    waiting: tuple[str, ...]
    unusable: Mapping[str, str]


def rejects(
    stores: Stores, chosen: RejectFilter, *, before: str | None = None, rows: int = 100
) -> list[Refusal]:
    """Return up to ``rows`` rejects, the newest first; ``before`` is the last id of a page.

    Raises ``InvalidRejectId``.
    """
    create_tables(stores.lake)
    at = None if before is None else _key(before)
    facts = {
        "code": chosen.code,
        "source": chosen.source,
        "event": chosen.event,
        "since_at": chosen.since,
        "open": chosen.open_only,
        "before_at": at and at["received_at"],
        "before_source": at and at["source_id"],
        "before_index": at and at["index"],
        "before_code": at and at["code"],
        "rows": min(rows, REJECTS_PAGE),
    }
    span = None if chosen.since is None else ("received_at", chosen.since, LATEST)
    found = stores.engine.query(
        load_sql("opportune.events", "rejects"),
        facts,
        tables={"rejects": span},
        relations={"sent": _sent(stores)},
    )
    return [_refusal(row) for row in found.to_pylist()]


def replay(stores: Stores, chosen: RejectFilter | Sequence[str], *, sent_at_us: int) -> Replay:
    """Put rejects into the log again, each under its own id and its first time of receipt.

    ``chosen`` are ids, or a filter of which the newest `REJECTS_PAGE` are taken. They take the way
    of any event: what is stored already stays as it is, and what still breaks a rule is refused
    again. ``sent_at_us`` is now, in microseconds since 1970 UTC. Raises ``NothingChosen``,
    ``InvalidRejectId`` or ``NoSuchReject``; then nothing was sent.
    """
    if not chosen or chosen == RejectFilter(open_only=True):
        raise NothingChosen
    found = _chosen(stores, chosen)
    waiting = tuple(each.reject_id for each in found if each.state == "waiting")
    done = tuple(each.reject_id for each in found if each.state == "replayed")
    unusable: dict[str, str] = {}
    attempts: list[tuple[Refusal, Frame]] = []
    for each in found:
        if each.reject_id in waiting or each.reject_id in done:
            continue
        try:
            attempts.append((each, _frame(each, sent_at_us=sent_at_us)))
        except InvalidInput as refusal:
            unusable[each.reject_id] = refusal.message
    if attempts:
        with ExitStack() as stack:
            _send(stores.open_log(stack), [frame for _, frame in attempts])
        marks = [{**_names(each), "sent_at_us": sent_at_us} for each, _ in attempts]
        stores.state.rows(load_sql("opportune.events", "mark_sent"), {"rows": as_rows(marks)})
    sent = tuple(each.reject_id for each, _ in attempts)
    return Replay(sent=sent, done=done, waiting=waiting, unusable=unusable)


def keep_outcomes(connection: Connection, outcomes: Iterable[Outcome]) -> None:
    """Mark the rejects that were sent again with what became of them."""
    rows = [asdict(outcome) for outcome in outcomes]
    if rows:
        facts = {"rows": as_rows(rows)}
        fetch(connection, load_sql("opportune.events", "mark_outcome"), facts)


def _sent(stores: Stores) -> pa.Table:
    rows = stores.state.table(load_sql("opportune.events", "sent_rejects"), SENT)
    received_at = rows["received_at_us"].cast(REJECTS.field("received_at").type)
    return rows.set_column(1, "received_at", received_at)


def _refusal(row: Mapping[str, Any]) -> Refusal:
    received_us = (row["received_at"] - EPOCH) // MICROSECOND
    outcome, waiting = row["outcome"], row["waiting"]
    told = {name: row[name] for name in ("message_id", "event", "reason", "payload")}
    return Refusal(
        reject_id=f"{row['source_id']}:{received_us}:{row['index']}:{row['code']}",
        source_id=row["source_id"],
        received_at=row["received_at"],
        index=row["index"],
        code=row["code"],
        state="waiting" if waiting else STATES.get(outcome, "open"),
        **told,
    )


def _key(reject_id: str) -> dict[str, Any]:
    match = ID.fullmatch(reject_id)
    if match is None:
        raise InvalidRejectId(
            f"{reject_id[:100]!r} is no id of a reject. Give one as `opportune rejects list` "
            "prints it, such as shop:1767225600000000:0:unplanned."
        )
    return {
        "source_id": match["source"],
        "received_at": EPOCH + int(match["received"]) * MICROSECOND,
        "index": int(match["index"]),
        "code": match["code"],
    }


def _chosen(stores: Stores, chosen: RejectFilter | Sequence[str]) -> list[Refusal]:
    if isinstance(chosen, RejectFilter):
        return rejects(stores, chosen, rows=REJECTS_PAGE)
    create_tables(stores.lake)
    keys = [_key(reject_id) for reject_id in chosen]
    table = pa.Table.from_pylist(keys, schema=KEY)
    found = stores.engine.query(
        load_sql("opportune.events", "chosen_rejects"),
        tables={"rejects": None},
        relations={"chosen": table, "sent": _sent(stores)},
    )
    refusals = [_refusal(row) for row in found.to_pylist()]
    if missing := sorted(set(chosen) - {each.reject_id for each in refusals}):
        raise NoSuchReject(
            f"No reject has the id {missing[0]!r}. `opportune rejects list` prints the ids that "
            "there are; nothing was sent."
        )
    return refusals


def _names(each: Refusal) -> dict[str, object]:
    return {
        "source_id": each.source_id,
        "received_at_us": (each.received_at - EPOCH) // MICROSECOND,
        "index": each.index,
        "code": each.code,
    }


def _frame(each: Refusal, *, sent_at_us: int) -> Frame:
    attempt = Replayed(
        index=each.index, code=each.code, sent_at_us=sent_at_us, body=Raw(_batch(each))
    )
    return Frame(
        received_at_us=(each.received_at - EPOCH) // MICROSECOND,
        source_id=each.source_id,
        kind=REPLAY,
        body=encode_replay(attempt),
    )


def _batch(each: Refusal) -> bytes:
    """Return the request to send again; every message in it gets an id that stays the same."""
    try:
        said = read_fields(each.payload.encode())
        messages = [said]
        if each.index < 0:
            messages = msgspec.json.decode(said["batch"], type=list[dict[str, Raw]])
    except (msgspec.DecodeError, KeyError):
        raise InvalidInput(
            "What was kept of it is no whole message: it was cut, or never was JSON. Have its "
            "sender send it again."
        ) from None
    if "event_type" in said:
        raise InvalidInput("Of Braze's events only the harmless part is kept. Braze sends again.")
    for place, message in enumerate(messages):
        if not _is_text(message.get("messageId")):
            made = each.message_id or f"replay-{each.reject_id}-{place}"[-100:]
            message["messageId"] = Raw(msgspec.json.encode(made))
        if "type" not in message:
            # It came by the route of its type.
            types = [type_ for name, type_ in TYPE_BY_FIELD if name in message]
            message["type"] = Raw(msgspec.json.encode(types[0] if types else None))
    said = {"sentAt": said["sentAt"]} if each.index < 0 and "sentAt" in said else {}
    return msgspec.json.encode({**said, "batch": messages})


def _is_text(raw: Raw | None) -> bool:
    return raw is not None and bytes(raw).startswith(b'"') and len(raw) > 2


def _send(log: SegmentLog, frames: Sequence[Frame]) -> None:
    for future in [log.append(frame) for frame in frames]:
        future.result()
