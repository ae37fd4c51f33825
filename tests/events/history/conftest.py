"""Files to import, and what an import leaves in the log."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opportune.events import Decoded, Event, decode_segment, history
from opportune.storage import Frame, Lake, SegmentLog, end_offsets, read_frames
from opportune.storage.engine import Engine, open_engine

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
ORDERS = """
[types]
amount = "number"

[[messages]]
type = "track"
event = { constant = "Order Completed" }
user_id = "customer"
timestamp = "at"
"""


@dataclass
class Desk:
    """Where files are written, imported and looked at."""

    folder: Path
    engine: Engine
    told: list[tuple[str, int, float]] = field(default_factory=list)

    def file(self, text: str | bytes, *, name: str = "orders.csv") -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def request(
        self, path: Path, schema: str | None = ORDERS, *, live: bool = False, again: bool = False
    ) -> history.Request:
        return history.Request(
            path=path,
            source_id="shop",
            schema=schema and history.parse_schema(tomllib.loads(schema), where="orders.toml"),
            live=live,
            again=again,
        )

    def enter(
        self, request: history.Request, *, now: datetime = NOW, pause: Callable[[], object] = list
    ) -> history.Imported:
        """Check the file and let it in."""
        history.check([request])
        log = SegmentLog(self.log_folder)
        try:
            place = history.Place(
                data_folder=self.folder / "data",
                log_folder=self.log_folder,
                log=log,
                engine=self.engine,
                pause=pause,
            )
            return history.enter(request, place, now=now, told=self.tell)
        finally:
            log.close()

    def preview(self, request: history.Request) -> history.Imported:
        history.check([request])
        return history.preview(request, self.engine, now=NOW, told=self.tell)

    def tell(self, *progress: Any) -> None:
        self.told.append(progress)

    @property
    def log_folder(self) -> Path:
        return self.folder / "data" / "log"

    def frames(self) -> list[Frame]:
        starts = dict.fromkeys(end_offsets(self.log_folder), 0)
        return read_frames(self.log_folder, starts, limit_bytes=1 << 30)[0]

    def decoded(self) -> Decoded:
        """What the log says, each message once, as behind it."""
        events: dict[str, Event] = {}
        rejects = []
        for frame in self.frames():
            decode = history.decode_refused if frame.kind == history.KIND else decode_segment
            found = decode(frame)
            events.update({event.message_id: event for event in reversed(found.events)})
            rejects += found.rejects
        return Decoded(events=list(events.values()), rejects=rejects)

    def events(self) -> list[Event]:
        """The events by time."""
        return sorted(self.decoded().events, key=lambda event: event.occurred_at_us)

    def properties(self) -> list[Mapping[str, object]]:
        return [msgspec.json.decode(event.properties or "{}") for event in self.events()]

    def refusals(self) -> list[tuple[int, str, str]]:
        """Row, code and reason of each reject."""
        return [(each.index, each.code, each.reason) for each in self.decoded().rejects]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    engine = open_engine("duckdb:", Lake(tmp_path / "data" / "lake"))
    yield Desk(folder=tmp_path, engine=engine)
    engine.close()
