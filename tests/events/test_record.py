"""From the log into the lake: every message once, every reject once, whatever is repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from opportune.events import (
    EVENTS,
    REJECTS,
    Decoder,
    Deduplicator,
    Recorded,
    create_tables,
    decode_segment,
    record,
    seed,
    stored_offsets,
)
from opportune.events.deduplicate import hashes
from opportune.storage import Frame, Lake, LakeUnavailable, SegmentLog, read_frames

DECODERS: Mapping[str, Decoder] = {"batch": decode_segment}
EVERYTHING = 1 << 40


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    create_tables(lake)
    return lake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


def append(folder: Path, *bodies: object) -> None:
    log = SegmentLog(folder)
    for number, body in enumerate(bodies):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        log.append(
            Frame(
                received_at_us=1_700_000_000_000_000 + number,
                source_id="shop",
                kind="batch",
                body=data,
            )
        ).result(10)
    log.close()


def batch(*message_ids: str | None) -> dict[str, object]:
    return {
        "batch": [
            {"type": "track", "event": "e", "userId": "c1", "messageId": each}
            for each in message_ids
        ]
    }


def record_next(lake: Lake, folder: Path, seen: Deduplicator) -> Recorded:
    frames, offsets = read_frames(folder, stored_offsets(lake, folder), limit_bytes=EVERYTHING)
    return record(lake, frames, offsets=offsets, decoders=DECODERS, seen=seen)


def message_ids(lake: Lake) -> list[str]:
    ids: list[str] = lake.read("events", columns=["message_id"])["message_id"].to_pylist()
    return sorted(ids)


def test_events_enter_the_lake_once_with_the_offsets_of_the_log(lake: Lake, folder: Path) -> None:
    append(folder, batch("a", "b", "a"), batch("b", "c"))
    seen = Deduplicator()
    recorded = record_next(lake, folder, seen)
    assert recorded.events["message_id"].to_pylist() == ["a", "b", "c"]
    assert (recorded.duplicates, recorded.rejected, len(seen)) == (2, 0, 3)
    assert message_ids(lake) == ["a", "b", "c"]
    assert read_frames(folder, stored_offsets(lake, folder), limit_bytes=EVERYTHING)[0] == []
    row = lake.read("events").to_pylist()[0]
    assert row["received_at_us"] == 1_700_000_000_000_000
    assert row["occurred_at"] == row["received_at"]
    assert (row["source_id"], row["type"], row["user_id"]) == ("shop", "track", "c1")


def test_the_tables_have_the_schemas_of_the_room(lake: Lake, folder: Path) -> None:
    append(folder, batch("a"), {"batch": [5]})
    recorded = record_next(lake, folder, Deduplicator())
    assert recorded.events.schema == EVENTS
    assert lake.read("events").schema.names == EVENTS.names
    assert lake.read("rejects").schema.names == REJECTS.names


def test_repeats_of_before_a_restart_are_dropped(lake: Lake, folder: Path) -> None:
    append(folder, batch("a", "b"))
    record_next(lake, folder, Deduplicator())
    append(folder, batch("b", "c"))
    seen = seed(lake)
    assert len(seen) == 2
    recorded = record_next(lake, folder, seen)
    assert (recorded.events["message_id"].to_pylist(), recorded.duplicates) == (["c"], 1)
    assert message_ids(lake) == ["a", "b", "c"]


def test_only_repeats_still_move_the_offsets(lake: Lake, folder: Path) -> None:
    append(folder, batch("a"))
    seen = Deduplicator()
    record_next(lake, folder, seen)
    append(folder, batch("a"))
    assert record_next(lake, folder, seen).duplicates == 1
    frames, _ = read_frames(folder, stored_offsets(lake, folder), limit_bytes=EVERYTHING)
    assert frames == []
    assert message_ids(lake) == ["a"]


def test_messages_without_an_id_are_stored_once_when_the_log_is_read_twice(
    lake: Lake, folder: Path
) -> None:
    append(folder, batch(None, None), batch(None, None))
    frames, offsets = read_frames(folder, {}, limit_bytes=EVERYTHING)
    seen = Deduplicator()
    for _ in range(2):
        record(lake, frames, offsets=offsets, decoders=DECODERS, seen=seen)
    assert len(message_ids(lake)) == 4


def test_rejects_are_kept_with_their_reason(lake: Lake, folder: Path) -> None:
    bad = {"type": "track", "userId": "c1", "messageId": "m"}
    good = {"type": "track", "event": "e", "userId": "c1", "messageId": "a"}
    append(folder, {"batch": [bad, good]})
    recorded = record_next(lake, folder, Deduplicator())
    assert (recorded.rejected, recorded.events.num_rows) == (1, 1)
    (row,) = lake.read("rejects").drop(["received_at"]).to_pylist()
    assert row == {
        "source_id": "shop",
        "index": 0,
        "message_id": "m",
        "code": "event_not_defined",
        "reason": "A track message needs the name of its event.",
        "payload": json.dumps(bad),
    }


def test_a_frame_that_cannot_be_read_is_a_reject_and_stops_nothing(
    lake: Lake, folder: Path
) -> None:
    append(folder, b"not \xff json", batch("a"))
    frames, offsets = read_frames(folder, {}, limit_bytes=EVERYTHING)
    other = Frame(received_at_us=1, source_id="s", kind="other", body=b"{}", segment="0.log")
    recorded = record(
        lake, [other, *frames], offsets=offsets, decoders=DECODERS, seen=Deduplicator()
    )
    assert (recorded.rejected, recorded.events.num_rows) == (2, 1)
    rows = lake.read("rejects", columns=["index", "code", "payload"]).to_pylist()
    assert rows == [
        {"index": -1, "code": "unknown_kind", "payload": "{}"},
        {"index": -1, "code": "bad_request", "payload": "not \ufffd json"},
    ]


class KilledAtEvents(Lake):
    """A lake whose process dies between the commit of the rejects and that of the events."""

    def append(
        self,
        table: str,
        data: pa.Table,
        *,
        key: str | None = None,
        positions: Mapping[str, int] | None = None,
    ) -> bool:
        if table == "events":
            raise LakeUnavailable("killed")
        return super().append(table, data, key=key, positions=positions)


def test_a_kill_between_the_two_commits_stores_nothing_twice(lake: Lake, folder: Path) -> None:
    append(folder, {"batch": [1]}, batch("a"))
    killed = KilledAtEvents(lake.folder)
    create_tables(killed)
    seen = Deduplicator()
    for _ in range(2):
        with pytest.raises(LakeUnavailable):
            record_next(killed, folder, seen)
    assert len(seen) == 0
    # More has arrived before the next try.
    append(folder, {"batch": [2]}, batch("b"))
    recorded = record_next(lake, folder, seen)
    assert recorded.events["message_id"].to_pylist() == ["a", "b"]
    payloads = lake.read("rejects", columns=["payload"])["payload"].to_pylist()
    assert sorted(payloads) == ["1", "2"]
    assert message_ids(lake) == ["a", "b"]


def test_hashes_are_the_first_eight_bytes_of_blake2b() -> None:
    # As `b2sum -l 64` prints them.
    expected = [0xD11F79D4B490B654 - 2**64, 0xE4A6A0577479B2B4 - 2**64]
    assert hashes(["m1", ""]).tolist() == expected
    assert hashes([]).tolist() == []


def test_many_ids_in_any_order_are_new_exactly_once() -> None:
    generator = np.random.default_rng(1)
    seen = Deduplicator()
    known: set[int] = set()
    for _ in range(50):
        ids = generator.integers(-2000, 2000, size=300)
        fresh = seen.fresh(ids)
        expected = []
        for each in ids.tolist():
            expected.append(each not in known)
            known.add(each)
        assert fresh.tolist() == expected
        seen.admit(ids[fresh])
    assert len(seen) == len(known)


def test_the_oldest_ids_are_forgotten_when_the_window_is_full() -> None:
    seen = Deduplicator(window_ids=800)
    for start in range(0, 2000, 50):
        seen.admit(np.arange(start, start + 50))
    assert 800 <= len(seen) < 1000
    assert not seen.fresh(np.arange(1200, 2000)).any()
    assert seen.fresh(np.arange(0, 1000)).all()


def test_seeding_takes_the_newest_ids(lake: Lake, folder: Path) -> None:
    append(folder, *(batch(f"m{n}") for n in range(10)))
    record_next(lake, folder, Deduplicator())
    seen = seed(lake, window_ids=4)
    assert seen.fresh(hashes(f"m{n}" for n in range(10))).tolist() == [True] * 6 + [False] * 4
