"""A log that fills and an ingest that takes it in: catalogue, rejects and tail stand on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opportune import events, pipeline, project
from opportune.storage import Frame, SegmentLog, Stores

# 2026-03-01T06:00:00Z
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
NOW_US = 1_772_344_800_000_000
DECODERS: dict[str, events.Decoder] = {
    **dict.fromkeys(events.KINDS, events.decode_segment),
    events.OWN: events.decode_own,
}

METRIC = 'event = "Order Completed"\nvalue = "revenue"\nunit = "EUR"\nwindow_days = 2\n'
SEGMENT = 'rule = { trait = "plan", is = "plus" }\n'
USE_CASE = """
success_metric = "revenue"
features = ["tenure"]
audience = { segments = ["plus"] }
[policy]
name = "uniform"
[activation]
connector = "braze"
campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
base_url = "http://127.0.0.1:8421"
[[dimensions]]
name = "offer"
options = [{ name = "tv" }, { name = "sim" }]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A shop that sends events: the stores they end in, and a worker that takes them in."""

    stores: Stores
    log: SegmentLog
    ingest: pipeline.Ingest
    folder: Path
    now: datetime = NOW

    def post(self, *messages: object, at_us: int = NOW_US, source: str = "shop") -> None:
        """Put a batch into the log."""
        self.frame(json.dumps({"batch": messages}).encode(), at_us=at_us, source=source)

    def frame(
        self, body: bytes, *, kind: str = "batch", at_us: int = NOW_US, source: str = "shop"
    ) -> None:
        frame = Frame(received_at_us=at_us, source_id=source, kind=kind, body=body)
        self.log.append(frame).result(10)

    def send(self, *messages: object, at_us: int = NOW_US, source: str = "shop") -> None:
        """Put a batch into the log and take it in."""
        self.post(*messages, at_us=at_us, source=source)
        self.ingest.tick()

    def apply(self, **files: str) -> list[str]:
        """Apply a project with these tracking plans.

        ``opportune`` is its opportune.toml, ``privacy`` its privacy.toml.
        """
        texts = {
            "metrics/revenue.toml": METRIC,
            "segments/plus.toml": SEGMENT,
            "use_cases/next.toml": USE_CASE,
            **{
                f"{'' if name in ('opportune', 'privacy') else 'tracking_plans/'}{name}.toml": text
                for name, text in files.items()
            },
        }
        for name, text in texts.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return project.apply(self.stores.state, self.folder, now=NOW)

    def rejects(self, **chosen: object) -> list[events.Refusal]:
        return events.rejects(self.stores, events.RejectFilter(**chosen))  # type: ignore[arg-type]

    def stored(self) -> list[str]:
        """The message ids in the lake."""
        ids = self.stores.lake.read("events", ["message_id"])["message_id"].to_pylist()
        return sorted(ids)

    def events(self) -> dict[str, events.SeenEvent]:
        return {each.event: each for each in events.seen_events(self.stores.state, now=NOW)}

    def fields(self, event: str) -> dict[str, events.SeenField]:
        found = events.seen_event(self.stores.state, event, now=NOW)
        declared = project.read(self.stores.state).classes
        fields = events.seen_fields(self.stores.state, found, declared=declared)
        return {each.name: each for each in fields}

    def counts(self) -> list[dict[str, object]]:
        """Everything the catalogue counts; the samples, which are the newest, too."""
        return [
            *self.stores.state.rows("select * from catalogue_event order by 1, 2, 3"),
            *self.stores.state.rows("select * from catalogue_hour order by 1, 2, 3, 4"),
            *self.stores.state.rows("select * from catalogue_field order by 1, 2, 3, 4, 5"),
        ]


@contextmanager
def _opened(stores: Stores, folder: Path) -> Iterator[Shop]:
    log = SegmentLog(stores.settings.log_folder)
    ingest = pipeline.Ingest(stores, DECODERS)
    try:
        yield Shop(stores=stores, log=log, ingest=ingest, folder=folder)
    finally:
        ingest.close()
        log.close()


@pytest.fixture
def open_shop(stores: Stores, tmp_path: Path) -> Callable[[Stores], AbstractContextManager[Shop]]:
    """Open a shop over these stores, such as some that will fail."""
    return lambda given: _opened(given, tmp_path / "project")


@pytest.fixture
def shop(stores: Stores, tmp_path: Path) -> Iterator[Shop]:
    """A shop that has sent nothing yet."""
    with _opened(stores, tmp_path / "project") as shop:
        yield shop


@pytest.fixture
def order() -> Callable[..., dict[str, object]]:
    """Make a message "Order Completed" with an id and properties."""

    def make(
        message_id: str, *, event: str = "Order Completed", **properties: object
    ) -> dict[str, object]:
        return {
            "type": "track",
            "event": event,
            "userId": "customer-1",
            "messageId": message_id,
            "properties": properties,
        }

    return make
