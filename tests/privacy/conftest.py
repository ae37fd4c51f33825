"""A shop that has lived for three days, with people who want to be forgotten, and copies of it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pyarrow.parquet as pq
import pytest

from opportune import learning, pipeline, privacy, project, reports, worker
from opportune.settings import Settings
from opportune.simulate import internet_provider
from opportune.storage import Frame, Lake, SegmentLog, Stores, open_engine, open_stores

CUSTOMERS = 40
NAME = "next-best-offer"
DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4)]
ANA = "c000013"
EMAIL = "ana.maria@mail.example"
PHONE = "+4930901820"
VISITOR = "visitor-0815-ana"
WRITTEN = ("Ana.Maria@mail.example", "+49 (30) 901-820")

FreshDatabase = Callable[..., AbstractContextManager[str]]


def morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


NOW = morning(DAYS[0])
AFTER = morning(DAYS[3]) + timedelta(hours=1)


def batch(*messages: dict[str, object], at: datetime = NOW) -> Frame:
    return Frame(
        received_at_us=int(at.timestamp() * 1_000_000),
        source_id="shop",
        kind="batch",
        body=msgspec.json.encode({"batch": messages}),
    )


@dataclass(frozen=True)
class Life:
    """Stores that somebody lives in, and what is done there."""

    stores: Stores
    another: Callable[[], AbstractContextManager[Life]] = nullcontext

    def send(self, *messages: dict[str, object], at: datetime = NOW) -> None:
        log = SegmentLog(self.stores.settings.log_folder)
        log.append(batch(*messages, at=at)).result()
        log.close()

    def take_in(self) -> None:
        with closing(pipeline.Ingest(self.stores, worker.decoders(self.stores))) as ingest:
            ingest.catch_up()

    def ask(
        self, kind: str = "user_id", value: str = ANA, *, mode: privacy.Mode = "erase"
    ) -> privacy.Request:
        asked = privacy.Asked(request_id=secrets.token_hex(8), mode=mode, by="Ana", now=AFTER)
        return privacy.ask(self.stores.state, kind, value, asked)

    def carry_out(self, *, now: datetime = AFTER) -> list[str]:
        with closing(pipeline.Ingest(self.stores, worker.decoders(self.stores))) as ingest:
            return privacy.carry_out(
                self.stores,
                ingest,
                kept=privacy.kept_fields(project.read(self.stores.state)),
                secret=secrets.token_hex(32),
                now=now,
            )

    def forget(self, *, mode: privacy.Mode = "erase") -> privacy.Request:
        asked = self.ask(mode=mode)
        assert self.carry_out() == [asked.request_id]
        return privacy.request(self.stores.state, asked.request_id)

    def forget_again(self, *, lake: bool = True) -> int:
        """As after a backup was restored."""
        stores = replace(self.stores, lake=Lake(self.stores.settings.lake_folder))
        stores = replace(stores, engine=open_engine("duckdb:", stores.lake))
        count = privacy.ask_again(stores, now=AFTER, new_id=lambda: secrets.token_hex(8), lake=lake)
        replace(self, stores=stores).carry_out()
        return count

    def report(self) -> reports.Performance:
        defined = project.read(self.stores.state)
        use_case = defined.use_case(NAME)
        return reports.performance(self.stores, use_case, defined.metric_of(use_case), now=AFTER)

    def run_last(self) -> None:
        definitions = project.read(self.stores.state)
        pipeline.run_day(self.stores, definitions, NAME, DAYS[3], now=morning(DAYS[3]))

    def reward(self, *, until: datetime) -> None:
        defined = project.read(self.stores.state)
        use_case = defined.use_case(NAME)
        learning.reward(self.stores, use_case, defined.metric_of(use_case), now=until)

    def found(self, *needles: str) -> list[str]:
        """Every place that holds one of these: files as bytes, Parquet read, tables as text."""
        sought = [each.lower().encode() for each in needles]
        places = []
        for path in self.stores.settings.data_folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes().lower()
                if path.suffix == ".parquet":
                    data += repr(pq.read_table(path).to_pylist()).lower().encode()
                places += [str(path) for each in sought if each in data]
        tables = self.stores.state.rows(
            "select tablename as name from pg_tables where schemaname = 'public'"
        )
        for table in tables:
            rows = self.stores.state.rows(f"select t::text as text from {table['name']} as t")  # noqa: S608
            text = repr(rows).lower().encode()
            places += [table["name"] for each in sought if each in text]
        return places


def track(event: str, at: datetime, number: int, **told: Any) -> dict[str, object]:
    return {
        "type": "track",
        "event": event,
        "messageId": f"{event}-{at:%m%d}-{number}",
        "timestamp": at.isoformat(),
        **told,
    }


def live(life: Life) -> None:
    """Three days: who signed up, looked around before, ordered, wrote nonsense, was mentioned."""
    stores = life.stores
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as folder:
        project.apply(stores.state, folder, now=NOW)
    rows = internet_provider(customers=CUSTOMERS, seed=1).traits.to_pylist()
    since = NOW - timedelta(days=1)
    life.send(
        *[
            {
                "type": "identify",
                "messageId": f"customer-{(user_id := row.pop('user_id'))}",
                "userId": user_id,
                "timestamp": since.isoformat(),
                "traits": {
                    **row,
                    **({"email": WRITTEN[0], "phone": WRITTEN[1]} if user_id == ANA else {}),
                },
            }
            for row in rows
        ],
        track("Page Seen", since - timedelta(hours=1), 1, anonymousId=VISITOR),
        {
            **track("Logged In", since + timedelta(hours=1), 2, anonymousId=VISITOR),
            "userId": ANA,
            "context": {"ip": "203.0.113.7", "userAgent": f"phone of {ANA}"},
        },
        track("Friend Invited", since, 3, userId="c000001", properties={"friend": WRITTEN[0]}),
        {"type": "track", "userId": ANA, "messageId": "no-name", "properties": {"mail": EMAIL}},
    )
    life.take_in()
    definitions = project.read(stores.state)
    for day in DAYS[:3]:
        pipeline.run_day(stores, definitions, NAME, day, now=morning(day))
        noon = morning(day) + timedelta(hours=6)
        life.send(
            *[
                track(
                    "Order Completed",
                    noon,
                    place,
                    userId=f"c{place:06}",
                    properties={"order_id": f"{day}-{place}", "revenue": 10.0, "note": "for Ana"},
                )
                for place in range(1, CUSTOMERS, 3)
            ],
            at=noon,
        )
        life.take_in()
    pipeline.run_day(stores, definitions, NAME, DAYS[3], now=morning(DAYS[3]))
    stores.state.rows("update outbox set state = 'sent' where day < '2026-03-03'")


@dataclass(frozen=True)
class Shop:
    """A shop on disk; `copy` opens one to play with."""

    folder: Path
    url: str
    fresh_database: FreshDatabase

    @contextmanager
    def copy(self) -> Iterator[Life]:
        with (
            tempfile.TemporaryDirectory(dir=self.folder.parent) as place,
            self.fresh_database(template=urlsplit(self.url).path[1:]) as url,
        ):
            folder = shutil.copytree(self.folder, Path(place) / "data")
            chosen = Settings(data_folder=folder, database_url=url)
            with closing(open_stores(chosen, now=NOW)) as stores:
                yield Life(stores, self.copy)


@pytest.fixture(scope="session")
def shop(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop") / "data"
    with fresh_database() as url:
        with closing(
            open_stores(Settings(data_folder=folder, database_url=url), now=NOW)
        ) as stores:
            live(Life(stores))
        yield Shop(folder, url, fresh_database)


@pytest.fixture
def life(shop: Shop) -> Iterator[Life]:
    """A copy of the shop, for one test."""
    with shop.copy() as copied:
        yield copied
