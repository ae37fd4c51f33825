"""A small shop whose customers send events: what the pages are shown over."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

from opportune import events, pipeline
from opportune.storage import Frame, Stores

NOW = datetime(2026, 1, 11, 6, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
NAMES = (
    *("Ana Silva", "Ben Okafor", "Chloé Martin", "Dao Nguyen", "Elif Kaya", "Femi Adeyemi"),
    *("Grace Lee", "Hugo Weber", "Ines Costa", "Jonas Berg", "Kira Novak", "Liam Byrne"),
    *("Mei Tanaka", "Noor Haddad", "Olga Petrova", "Paul Meyer", "Rosa Greco", "Sami Virtanen"),
    *("Tara Singh", "Uma Patel"),
)
PLANS = ("basic", "plus", "gold")


def messages(people: int = 20, *, now: datetime = NOW) -> Iterator[dict[str, object]]:
    """What the customers did in the last hour, in the order in which it happened."""
    for place in range(people):
        at = now - timedelta(minutes=58) + timedelta(minutes=57) * place / max(people, 1)
        name = NAMES[place % len(NAMES)]
        user, cookie = f"u{place:04}", f"cookie-{place:04}"
        email = f"{name.split()[0].lower()}.{place}@shop.example"
        traits = {
            "name": name,
            "email": email,
            "plan": PLANS[place // 5 % 3],
            "age": 20 + place % 50,
            "newsletter": place % 2 == 0,
        }
        yield _message("page", at, cookie, anonymousId=cookie, name="Home")
        yield _message("identify", at, user, userId=user, anonymousId=cookie, traits=traits)
        for step, event in enumerate(("Product Viewed", "Cart Added", "Order Completed")):
            if place % (step + 1) == 0:
                yield _message(
                    "track",
                    at + timedelta(seconds=20 * (step + 1)),
                    f"{user}-{step}",
                    userId=user,
                    event=event,
                    properties={"product": f"P{place % 7}", "revenue": 10.5 + place},
                )


def hostile(*, now: datetime = NOW) -> list[dict[str, object]]:
    """A person, an event and properties that would be a script where they are not escaped."""
    traits = {"name": HOSTILE, "email": "eve@shop.example", HOSTILE: HOSTILE}
    at = now - timedelta(minutes=1)
    return [
        _message("identify", at, "eve", userId=HOSTILE, traits=traits),
        _message(
            "track", at, "eve-1", userId=HOSTILE, event=HOSTILE, properties={HOSTILE: HOSTILE}
        ),
    ]


def refused(*, now: datetime = NOW) -> list[dict[str, object]]:
    """Messages that no rule lets in."""
    return [
        {"type": "track", "event": "Order Completed", "messageId": "nobody"},
        {"type": "track", "userId": "u0001", "messageId": f"nameless {HOSTILE}"},
    ]


def send(stores: Stores, told: Iterable[dict[str, object]], *, source: str = "shop") -> None:
    """Put messages into the log as the collector does, a frame a message, and take them in."""
    frames = [_frame(message, source) for message in told]
    decoders = dict.fromkeys(events.KINDS, events.decode_segment)
    with closing(pipeline.Ingest(stores, decoders)) as ingest:
        _append(stores, frames)
        while ingest.tick():
            pass


def _append(stores: Stores, frames: Sequence[Frame]) -> None:
    with ExitStack() as stack:
        log = stores.open_log(stack)
        for future in [log.append(frame) for frame in frames]:
            future.result(10)


def _message(type_: str, at: datetime, key: str, **said: object) -> dict[str, object]:
    return {
        "type": type_,
        "messageId": f"{type_}-{key}",
        "timestamp": at.isoformat(),
        "sentAt": at.isoformat(),
        **said,
    }


def _frame(message: dict[str, object], source: str) -> Frame:
    at = datetime.fromisoformat(str(message.get("timestamp", NOW.isoformat())))
    return Frame(
        received_at_us=int(at.timestamp() * 1_000_000),
        source_id=source,
        kind="batch",
        body=json.dumps({"batch": [message]}).encode(),
    )
