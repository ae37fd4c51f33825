"""The day and the ingest, killed anywhere: what is missing is done, and nothing is done twice."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mortal import Fate, Killed, mortal
from opportune import events, pipeline, project
from opportune.settings import Settings
from opportune.simulate import internet_provider
from opportune.storage import (
    ConcurrentWrite,
    DatabaseUnavailable,
    Frame,
    SegmentLog,
    Stores,
    end_offsets,
    open_stores,
)

CUSTOMERS = 60
NAME = "next-best-offer"
DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4)]
LAST = DAYS[-1]


def morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


NOW = morning(DAYS[0])
DECODERS: dict[str, events.Decoder] = {"batch": events.decode_segment}
FreshDatabase = Callable[..., AbstractContextManager[str]]


# --- fixtures ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Market:
    """A small market that has lived through all days but the last; copies of it to play with."""

    folder: Path
    url: str
    fresh_database: FreshDatabase

    @contextmanager
    def copy(self) -> Iterator[Stores]:
        with (
            tempfile.TemporaryDirectory(dir=self.folder.parent) as place,
            self.fresh_database(template=urlsplit(self.url).path[1:]) as url,
        ):
            folder = shutil.copytree(self.folder, Path(place) / "data")
            chosen = Settings(data_folder=folder, database_url=url)
            with closing(open_stores(chosen, now=NOW)) as stores:
                yield stores


@pytest.fixture(scope="module", autouse=True)
def _few_rewards_say_how_long_they_take() -> Iterator[None]:
    """Sixty customers are enough for a policy that learns of open days."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("opportune.stats", "opportune.stats.delay"):
            patched.setattr(sys.modules[name], "LEAST_REWARDS", 30)
        yield


@pytest.fixture(scope="module")
def market(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("market") / "data"
    with fresh_database() as url:
        stores = open_stores(Settings(data_folder=folder, database_url=url), now=NOW)
        apply(stores)
        log = SegmentLog(stores.settings.log_folder)
        log.append(customers()).result()
        log.close()
        ingest = pipeline.Ingest(stores, DECODERS)
        ingest.catch_up()
        definitions = project.read(stores.state)
        for day in DAYS[:-1]:
            pipeline.run_day(stores, definitions, NAME, day, now=morning(day))
            log = SegmentLog(stores.settings.log_folder)
            log.append(orders(day)).result()
            log.close()
            ingest.catch_up()
        ingest.close()
        stores.close()
        yield Market(folder, url, fresh_database)


def apply(stores: Stores) -> None:
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as folder:
        project.apply(stores.state, folder, now=NOW)


def batch(*messages: dict[str, object], at: datetime = NOW) -> Frame:
    return Frame(
        received_at_us=int(at.timestamp() * 1_000_000),
        source_id="shop",
        kind="batch",
        body=msgspec.json.encode({"batch": messages}),
    )


def customers() -> Frame:
    rows = internet_provider(customers=CUSTOMERS, seed=1).traits.to_pylist()
    return batch(*[identify(row.pop("user_id"), **row) for row in rows])


def identify(user_id: str, **traits: object) -> dict[str, object]:
    return {
        "type": "identify",
        "messageId": f"customer-{user_id}",
        "userId": user_id,
        "timestamp": (NOW - timedelta(days=1)).isoformat(),
        "traits": traits,
    }


def orders(day: date) -> Frame:
    """Every third customer orders something at noon."""
    noon = morning(day) + timedelta(hours=6)
    ordered: list[dict[str, object]] = [
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"order-{day}-{place}",
            "userId": f"c{place:06}",
            "timestamp": noon.isoformat(),
            "properties": {"order_id": f"{day}-{place}", "revenue": 10.0},
        }
        for place in range(1, CUSTOMERS, 3)
    ]
    return batch(*ordered, at=noon)


def everything(stores: Stores) -> dict[str, object]:
    """All that running days leaves behind."""
    pipeline.create_tables(stores)
    kept: dict[str, object] = {
        table: sorted(stores.lake.read(table).to_pylist(), key=repr)
        for table in ("features", "decisions", "rewards")
    }
    kept["outbox"] = stores.state.rows(
        "select key, use_case, day, connector, profile_id, user_id, properties, due_at, state,"
        " attempts from outbox order by key"
    )
    kept["model"] = stores.state.rows("select * from model order by use_case, version, day")
    kept["segments"] = stores.state.rows(
        "select * from segment_membership order by segment, profile_id, entered_at"
    )
    return kept


def run_last(stores: Stores) -> pipeline.DayDone:
    definitions = project.read(stores.state)
    return pipeline.run_day(stores, definitions, NAME, LAST, now=morning(LAST))


# --- the day -------------------------------------------------------------------------------------


def test_a_day_is_decided_rewarded_learned_and_enqueued(market: Market) -> None:
    with market.copy() as stores:
        done = run_last(stores)
        assert done.audience == {"customers": CUSTOMERS}
        assert done.rewarded == [DAYS[1]]
        assert done.trained_through == DAYS[1]
        assert done.decided
        seen = "select waiting from model where use_case = %(name)s and day = %(day)s"
        (row,) = stores.state.rows(seen, {"name": NAME, "day": LAST})
        assert row["waiting"] > 0
        assert done.held_back == {}
        rows = stores.lake.read("decisions", ["day", "variant"]).to_pylist()
        of_day = [row["variant"] for row in rows if row["day"] == LAST]
        assert len(of_day) == CUSTOMERS
        assert done.enqueued == of_day.count("treatment")
        assert 40 < done.enqueued < CUSTOMERS


def test_running_a_day_twice_changes_nothing(market: Market) -> None:
    with market.copy() as stores:
        first = run_last(stores)
        before = everything(stores)
        second = run_last(stores)
        assert everything(stores) == before
        expected = replace(first, rewarded=[], decided=False, enqueued=0)
        assert second == expected


def test_a_day_of_the_past_run_again_changes_nothing(market: Market) -> None:
    with market.copy() as stores:
        before = everything(stores)
        definitions = project.read(stores.state)
        for day in DAYS[:-1]:
            done = pipeline.run_day(stores, definitions, NAME, day, now=morning(DAYS[2]))
            assert (done.decided, done.enqueued, done.rewarded) == (False, 0, [])
        assert everything(stores) == before


@pytest.fixture(scope="module")
def uninterrupted(market: Market) -> tuple[dict[str, object], int]:
    """What the last day comes to, and how many effects it has."""
    with market.copy() as stores:
        fate = Fate()
        watched = mortal(stores, fate)
        run_last(watched)
        watched.state.close()
        return everything(stores), fate.passed


@settings(
    max_examples=7,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=3))
def test_a_day_killed_anywhere_and_run_again_ends_as_if_nothing_had_happened(
    market: Market, uninterrupted: tuple[dict[str, object], int], places: list[float]
) -> None:
    expected, effects = uninterrupted
    with market.copy() as stores:
        for place in places:
            # Later runs have fewer effects left, so that they may get to their end.
            dying = mortal(stores, Fate(at=int(place * effects)))
            try:
                run_last(dying)
            except Killed:
                pass
            finally:
                dying.state.close()
        run_last(stores)
        assert everything(stores) == expected


# --- the ingest ----------------------------------------------------------------------------------


@pytest.fixture
def log(stores: Stores) -> Iterator[SegmentLog]:
    opened = SegmentLog(stores.settings.log_folder)
    yield opened
    opened.close()


def taken_in(stores: Stores) -> tuple[list[str], int, int]:
    """Message ids in the lake, profiles and rejects."""
    ids = sorted(stores.lake.read("events", ["message_id"])["message_id"].to_pylist())
    profiles = stores.state.rows("select count(*)::int as n from profile")[0]["n"]
    return ids, profiles, stores.lake.read("rejects").num_rows


def test_what_the_log_holds_is_in_the_lake_and_in_state_once(
    stores: Stores, log: SegmentLog
) -> None:
    ingest = pipeline.Ingest(stores, DECODERS)
    assert pipeline.caught_up(stores)
    log.append(batch(identify("a", plan="x"), identify("b"))).result()
    assert not pipeline.caught_up(stores)
    log.append(batch(identify("b"), {"type": "track", "userId": "c"})).result()
    assert [ingest.tick(), ingest.tick()] == [2, 0]
    assert pipeline.caught_up(stores)
    assert taken_in(stores) == (["customer-a", "customer-b"], 2, 1)


def test_a_new_ingest_goes_on_where_the_last_one_was(stores: Stores, log: SegmentLog) -> None:
    first = pipeline.Ingest(stores, DECODERS)
    log.append(batch(identify("a"))).result()
    first.tick()
    first.close()
    log.append(batch(identify("a"), identify("b"))).result()
    assert pipeline.Ingest(stores, DECODERS).tick() == 1
    assert taken_in(stores) == (["customer-a", "customer-b"], 2, 0)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(places=st.lists(st.integers(0, 7), min_size=1, max_size=4))
def test_an_ingest_killed_anywhere_loses_nothing_and_doubles_nothing(
    market: Market, places: list[int]
) -> None:
    with market.copy() as stores:
        log = SegmentLog(stores.settings.log_folder)
        known = CUSTOMERS + 60
        for number, place in enumerate(places):
            log.append(batch(identify(f"new-{number}"), {"type": "bad"})).result()
            known += 1
            dying = mortal(stores, Fate(at=place))
            ingest = pipeline.Ingest(dying, DECODERS)
            try:
                ingest.tick()
            except Killed:
                pass
            finally:
                ingest.close()
                dying.state.close()
        log.close()
        ingest = pipeline.Ingest(stores, DECODERS)
        ingest.catch_up()
        ingest.close()
        assert pipeline.caught_up(stores)
        ids, profiles, rejects = taken_in(stores)
        assert len(ids) == len(set(ids)) == known
        assert profiles == CUSTOMERS + len(places)
        assert rejects == len(places)


def test_the_lake_goes_on_while_the_database_is_away_and_state_catches_up(
    stores: Stores, log: SegmentLog
) -> None:
    away = mortal(stores, Fate(at=0, trouble=DatabaseUnavailable("away")))
    ingest = pipeline.Ingest(replace(away, lake=stores.lake), DECODERS)
    log.append(batch(identify("a"), {"type": "bad"})).result()
    with pytest.raises(DatabaseUnavailable):
        ingest.tick()
    assert taken_in(stores) == (["customer-a"], 0, 1)
    log.append(Frame(received_at_us=1, source_id="shop", kind="fax", body=b"")).result()
    log.append(Frame(received_at_us=1, source_id="shop", kind="batch", body=b"[")).result()
    log.append(batch(identify("b"))).result()
    assert [ingest.store(), ingest.store()] == [3, 0]
    assert taken_in(stores) == (["customer-a", "customer-b"], 0, 3)
    assert not pipeline.caught_up(stores)
    assert [ingest.tick(), ingest.tick()] == [4, 0]
    assert taken_in(stores) == (["customer-a", "customer-b"], 2, 3)
    away.state.close()


def test_state_that_is_ahead_of_the_lake_is_not_applied_again(
    stores: Stores, log: SegmentLog
) -> None:
    """As after a lake that was restored from a backup."""
    log.append(batch(identify("a"))).result()
    for name, end in end_offsets(stores.settings.log_folder).items():
        stores.state.rows(
            "insert into log_position values ('profiles', %(name)s, %(end)s)",
            {"name": name, "end": end},
        )
    ingest = pipeline.Ingest(stores, DECODERS)
    assert [ingest.tick(), ingest.tick()] == [1, 0]
    assert taken_in(stores) == (["customer-a"], 0, 0)
    log.append(batch(identify("b"))).result()
    assert ingest.tick() == 1
    assert taken_in(stores) == (["customer-a", "customer-b"], 1, 0)


def test_two_may_not_ingest_at_once(stores: Stores, log: SegmentLog) -> None:
    first = pipeline.Ingest(stores, DECODERS)
    log.append(batch(identify("a"))).result()
    with pytest.raises(ConcurrentWrite, match="Run one worker per data folder"):
        pipeline.Ingest(stores, DECODERS)
    assert first.tick() == 1
    first.close()
    assert pipeline.Ingest(stores, DECODERS).tick() == 0


def test_an_ingest_that_was_let_go_of_holds_nobody_up(stores: Stores) -> None:
    def begin() -> None:
        pipeline.Ingest(stores, DECODERS)

    begin()
    assert pipeline.Ingest(stores, DECODERS).tick() == 0


def test_catching_up_ends_though_events_never_stop_coming(stores: Stores, log: SegmentLog) -> None:
    sent = 0

    def restless(frame: Frame) -> events.Decoded:
        nonlocal sent
        sent += 1
        assert sent < 10, "it never ends"
        log.append(batch(identify(f"u{sent}"))).result()
        return events.decode_segment(frame)

    ingest = pipeline.Ingest(stores, {"batch": restless})
    log.append(batch(identify("u0"))).result()
    ingest.catch_up()
    assert sent == 1
    assert taken_in(stores) == (["customer-u0"], 1, 0)


def test_catching_up_takes_as_many_steps_as_it_needs(
    stores: Stores, log: SegmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.ingest, "READ_BYTES", 1)
    for number in range(3):
        log.append(batch(identify(f"u{number}"))).result()
    pipeline.Ingest(stores, DECODERS).catch_up()
    assert taken_in(stores)[1] == 3


def test_catching_up_with_nothing_there_ends_at_once(stores: Stores) -> None:
    pipeline.Ingest(stores, DECODERS).catch_up()
    assert taken_in(stores) == ([], 0, 0)


def test_segments_that_both_sinks_have_taken_in_are_deleted(stores: Stores) -> None:
    folder = stores.settings.log_folder
    ingest = pipeline.Ingest(stores, DECODERS)
    for user in ("a", "b"):
        log = SegmentLog(folder)
        log.append(batch(identify(user))).result()
        ingest.tick()
        # The seal comes after the last frame was taken in, and has to be passed over as well.
        log.close()
    ingest.tick()
    ingest.purge()
    left = end_offsets(folder)
    assert list(left.values()) == [8], "the newest keeps its name, and nothing else"
    assert pipeline.caught_up(stores)
    log = SegmentLog(folder)
    log.append(batch(identify("c"))).result()
    log.close()
    assert ingest.tick() == 1
    assert taken_in(stores)[1] == 3


def test_a_segment_that_state_has_not_taken_in_is_kept(stores: Stores) -> None:
    log = SegmentLog(stores.settings.log_folder)
    log.append(batch(identify("a"))).result()
    log.close()
    ingest = pipeline.Ingest(stores, DECODERS)
    ingest.store()
    ingest.purge()
    assert end_offsets(stores.settings.log_folder).popitem()[1] > 8
    assert ingest.tick() == 1


def damage(stores: Stores, text: bytes) -> str:
    """Change one byte of the only segment, where ``text`` stands; return the segment's name."""
    (path,) = stores.settings.log_folder.glob("*.log")
    data = bytearray(path.read_bytes())
    data[data.index(text)] ^= 0x01
    path.write_bytes(bytes(data))
    return path.name


@pytest.mark.parametrize("finished", [False, True])
def test_a_damaged_frame_is_put_on_record_and_passed_over(
    stores: Stores, log: SegmentLog, caplog: pytest.LogCaptureFixture, *, finished: bool
) -> None:
    for user in ("a", "bad", "c"):
        log.append(batch(identify(user))).result()
    if finished:
        log.close()
    segment = damage(stores, b"customer-bad")
    assert not pipeline.caught_up(stores), "there is no lake yet"
    pipeline.create_tables(stores)
    assert not pipeline.caught_up(stores)
    ingest = pipeline.Ingest(stores, DECODERS)
    ingest.catch_up()
    ids, profiles, _ = taken_in(stores)
    assert (ids, profiles) == (["customer-a", "customer-c"], 2)
    (reject,) = stores.lake.read("rejects").to_pylist()
    assert (reject["code"], reject["source_id"], reject["payload"]) == (
        "corrupt_log",
        "opportune",
        "",
    )
    assert segment in reject["reason"]
    assert "corrupt_log" in caplog.text
    ingest.close()
    again = pipeline.Ingest(stores, DECODERS)
    assert again.tick() == 0
    assert pipeline.caught_up(stores)
    assert stores.lake.read("rejects").num_rows == 1


def test_damage_that_state_meets_later_is_on_record_once(stores: Stores, log: SegmentLog) -> None:
    for user in ("a", "bad", "c"):
        log.append(batch(identify(user))).result()
    damage(stores, b"customer-bad")
    ingest = pipeline.Ingest(stores, DECODERS)
    while ingest.store():
        pass
    while ingest.tick():
        pass
    ids, profiles, rejects = taken_in(stores)
    assert (ids, profiles, rejects) == (["customer-a", "customer-c"], 2, 1)


def test_small_files_of_the_lake_are_merged_now_and_then(
    stores: Stores, log: SegmentLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.ingest, "COMPACT_EVERY", 3)
    ingest = pipeline.Ingest(stores, DECODERS)
    counts = []
    for number in range(4):
        log.append(batch(identify(f"u{number}"))).result()
        ingest.tick()
        counts.append(len(stores.lake.files("events")))
    assert counts == [1, 2, 1, 2]
    assert taken_in(stores)[1] == 4


def test_events_taken_in_at_the_same_time_as_others_are_accepted_are_not_lost(
    stores: Stores, until: Callable[..., None]
) -> None:
    """Several collectors append to segments of their own, new ones among them, while it reads."""
    ingest = pipeline.Ingest(stores, DECODERS)

    def collect(name: int) -> None:
        for part in range(3):
            log = SegmentLog(stores.settings.log_folder)
            for number in range(5):
                log.append(batch(identify(f"u{name}-{part}-{number}"))).result()
            log.close()

    with ThreadPoolExecutor(3) as threads:
        collecting = [threads.submit(collect, name) for name in range(3)]
        until(
            lambda: ingest.tick() == 0 and all(each.done() for each in collecting),
            looking_every_s=0,
        )
    while ingest.tick():
        pass
    ids, profiles, rejects = taken_in(stores)
    assert (len(ids), len(set(ids)), profiles, rejects) == (45, 45, 45, 0)
    assert pipeline.caught_up(stores)
