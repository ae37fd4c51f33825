"""What the tests of the worker share: a market in stores, workers for it, the sandbox at night."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opportune import project, worker
from opportune.simulate import internet_provider
from opportune.storage import Frame, SegmentLog, Stores, load_sql

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
LATE = MIDNIGHT + timedelta(hours=21)
PROVIDER = "next-best-offer"


@dataclass(frozen=True)
class Market:
    """Customers and use cases in some stores, and workers for them."""

    stores: Stores
    folder: Path

    def apply(
        self,
        addresses: Mapping[str, str],
        *,
        destinations: Mapping[str, str] | None = None,
        at_once: bool = False,
    ) -> None:
        """Define a use case a name, each with an address of its own, and destinations.

        ``at_once``: what is decided is due then, whatever hour it names.
        """
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
            shutil.copytree(shipped, folder, dirs_exist_ok=True)
        template = folder / "use_cases" / f"{PROVIDER}.toml"
        text = template.read_text()
        if at_once:
            text = text.replace('meaning = "hour"', 'meaning = "choice"')
        template.unlink()
        for name, address in addresses.items():
            file = folder / "use_cases" / f"{name}.toml"
            file.write_text(text.replace("http://127.0.0.1:8421", address))
        (folder / "destinations").mkdir()
        for name, written in (destinations or {}).items():
            (folder / "destinations" / f"{name}.toml").write_text(written)
        project.apply(self.stores.state, folder, now=MIDNIGHT)

    def register(self, customers: int, *, prefix: str = "") -> None:
        """Log that these customers came to be the day before."""
        rows = internet_provider(customers=customers, seed=1).traits.to_pylist()
        messages = [
            {
                "type": "identify",
                "messageId": f"{prefix}{row['user_id']}",
                "userId": prefix + row.pop("user_id"),
                "timestamp": (MIDNIGHT - timedelta(days=1)).isoformat(),
                "traits": row,
            }
            for row in rows
        ]
        log = SegmentLog(self.stores.settings.log_folder)
        frame = Frame(
            received_at_us=int(MIDNIGHT.timestamp() * 1_000_000),
            source_id="shop",
            kind="batch",
            body=msgspec.json.encode({"batch": messages}),
        )
        log.append(frame).result()
        log.close()

    @contextmanager
    def working(self, clock: worker.Clock = lambda: LATE) -> Iterator[threading.Event]:
        """Have a worker in a thread until the block ends, or the event that it gets is set."""
        stop = threading.Event()
        trouble: list[BaseException] = []

        def work() -> None:
            try:
                worker.run(self.stores, clock=clock, stop=stop, tick_s=0.01)
            except BaseException as error:
                trouble.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join(timeout=30)
            assert not thread.is_alive()
        assert trouble == []

    def is_held(self) -> bool:
        """Whether a worker has the lock."""
        rows = self.stores.state.rows(load_sql("opportune", "worker_lock"), {"name": "worker"})
        return len(rows) == 1

    def count(self, table: str, condition: str = "true") -> int:
        sql = f"select count(*)::int as n from {table} where {condition}"  # noqa: S608
        number: int = self.stores.state.rows(sql)[0]["n"]
        return number

    def outbox(self, use_case: str = PROVIDER) -> dict[str, int]:
        """How many rows are in each state."""
        rows = self.stores.state.rows(
            "select state, count(*)::int as n from outbox where use_case = %(name)s group by state",
            {"name": use_case},
        )
        return {row["state"]: row["n"] for row in rows}

    def all_sent(self, use_case: str = PROVIDER, *, due: datetime = LATE) -> bool:
        """Whether the day was decided and everything of it that is due was sent."""
        open_ones = self.stores.state.rows(
            "select count(*) filter (where state <> 'sent' and due_at <= %(due)s)::int as n,"
            " count(*)::int as added from outbox where use_case = %(name)s",
            {"name": use_case, "due": due},
        )[0]
        return bool(open_ones["added"]) and open_ones["n"] == 0


@pytest.fixture
def market(stores: Stores, api_key: str, tmp_path: Path) -> Market:
    """A market whose worker has a key and does not wait long."""
    settings = replace(stores.settings, braze_api_key=api_key, braze_settle_s=0.1)
    return Market(replace(stores, settings=settings), tmp_path)


@pytest.fixture
def sandbox(sandbox: Any) -> Any:
    """The sandbox when the last hour of the day is over."""
    sandbox.tell_time(LATE)
    return sandbox


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[dict[str, str]]]:
    """Return what was said of a part, as lines."""

    def read(part: str) -> list[dict[str, str]]:
        texts = [record.getMessage() for record in caplog.records if record.name == "opportune"]
        lines = [json.loads(text) for text in texts if text.startswith("{")]
        return [line for line in lines if line["step"] == part]

    return read
