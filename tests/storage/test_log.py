"""The log: what it acknowledged comes back, whatever was killed, torn, full or damaged."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from opportune.storage.frame import HEAD_BYTES, encode, size
from opportune.storage.log import (
    MAGIC,
    CorruptLog,
    Frame,
    FrameTooLarge,
    LogUnavailable,
    SegmentLog,
    end_offsets,
    purge,
    read_frames,
)

EVERYTHING = 1 << 40
SEAL_BYTES = HEAD_BYTES


def frame(number: int, body: bytes | None = None) -> Frame:
    return Frame(
        received_at_us=1_700_000_000_000_000 + number,
        source_id="shop",
        kind="batch",
        body=body if body is not None else b'{"number":%d}' % number,
    )


def fail(descriptor: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


def write(folder: Path, *groups: list[Frame]) -> Path:
    """Write a segment as a killed process leaves it: a group of each list, and no seal."""
    folder.mkdir(exist_ok=True)
    data = MAGIC
    for group in groups:
        start = len(data)
        data += b"".join(encode(frame, group_at=start) for frame in group)
    path = folder / f"{groups[0][0].received_at_us:017d}.log"
    path.write_bytes(data)
    return path


def read_all(folder: Path) -> list[Frame]:
    frames, offsets = read_frames(folder, {}, limit_bytes=EVERYTHING)
    again, _ = read_frames(folder, offsets, limit_bytes=EVERYTHING)
    return frames + again


def test_what_was_appended_is_read_back_in_order_with_its_place(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "log")
    first, second = frame(1), frame(2, body=b"\x00\xff" * 5)
    log.append(first).result(10)
    log.append(second).result(10)
    log.close()
    frames, offsets = read_frames(tmp_path / "log", {}, limit_bytes=EVERYTHING)
    assert frames == [first, second]
    name = "01700000000000001.log"
    assert [(f.segment, f.offset) for f in frames] == [(name, 8), (name, 8 + size(first))]
    assert offsets == {name: 8 + size(first) + size(second) + SEAL_BYTES}
    assert offsets == end_offsets(tmp_path / "log")
    assert read_frames(tmp_path / "log", offsets, limit_bytes=EVERYTHING) == ([], offsets)


def test_reading_goes_on_from_its_offsets_in_pieces_of_the_limit(tmp_path: Path) -> None:
    write(tmp_path, [frame(1), frame(2)], [frame(3)])
    offsets: dict[str, int] = {}
    pieces = []
    for _ in range(4):
        frames, offsets = read_frames(tmp_path, offsets, limit_bytes=1)
        pieces.append([f.received_at_us % 1000 for f in frames])
    assert pieces == [[1], [2], [3], []]


def test_a_frame_longer_than_the_limit_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, [frame(1, body=b"x" * 200_000), frame(2)])
    frames, _ = read_frames(tmp_path, {}, limit_bytes=1_000)
    assert [len(f.body) for f in frames] == [200_000]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert read_frames(tmp_path / "none", {}, limit_bytes=1) == ([], {})
    assert end_offsets(tmp_path / "none") == {}


def test_a_last_frame_torn_at_any_byte_is_never_returned_and_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, [frame(1)], [frame(2)])
    whole = path.read_bytes()
    start = len(whole) - size(frame(2))
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        frames, offsets = read_frames(tmp_path, {}, limit_bytes=EVERYTHING)
        assert frames == [frame(1)]
        assert read_frames(tmp_path, offsets, limit_bytes=EVERYTHING) == ([], {path.name: cut})


def test_a_torn_tail_is_waited_for_while_its_segment_is_being_written(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    log.append(frame(1)).result(10)
    (path,) = tmp_path.iterdir()
    _, offsets = read_frames(tmp_path, {}, limit_bytes=EVERYTHING)
    end = offsets[path.name]
    tail = encode(frame(2), group_at=end)
    with path.open("ab") as file:
        file.write(tail[:20])
        file.flush()
        assert read_frames(tmp_path, offsets, limit_bytes=EVERYTHING) == ([], {path.name: end})
        file.write(tail[20:])
        file.flush()
        assert read_frames(tmp_path, offsets, limit_bytes=EVERYTHING)[0] == [frame(2)]
    log.close()


def test_later_frames_of_a_torn_group_do_not_make_it_damage(tmp_path: Path) -> None:
    # After a power cut the pages of one write may be on disk in any mixture.
    path = write(tmp_path, [frame(1)], [frame(2), frame(3)])
    data = bytearray(path.read_bytes())
    data[8 + size(frame(1)) + 10] ^= 0xFF
    path.write_bytes(data)
    assert read_all(tmp_path) == [frame(1)]


@pytest.mark.parametrize("flipped", range(0, size(frame(2)), 3))
def test_damage_before_a_later_group_is_named_and_can_be_passed(
    tmp_path: Path, flipped: int
) -> None:
    path = write(tmp_path, [frame(1)], [frame(2)], [frame(3)])
    start = 8 + size(frame(1))
    data = bytearray(path.read_bytes())
    data[start + flipped] ^= 0xFF
    path.write_bytes(data)
    frames, offsets = read_frames(tmp_path, {}, limit_bytes=EVERYTHING)
    assert frames == [frame(1)]
    with pytest.raises(CorruptLog) as raised:
        read_frames(tmp_path, offsets, limit_bytes=EVERYTHING)
    damage = raised.value
    end = start + size(frame(2))
    assert (damage.segment, damage.offset, damage.resume_at) == (path.name, start, end)
    assert str(path) in str(damage)
    beyond = offsets | {damage.segment: damage.resume_at}
    assert read_frames(tmp_path, beyond, limit_bytes=EVERYTHING)[0] == [frame(3)]


def test_damage_to_the_last_frame_of_a_closed_log_is_damage(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    log.append(frame(1)).result(10)
    log.close()
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[8 + HEAD_BYTES + 12] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CorruptLog, match="between byte 8 and byte"):
        read_frames(tmp_path, {}, limit_bytes=EVERYTHING)


def test_a_segment_without_its_magic_is_damage(tmp_path: Path) -> None:
    path = write(tmp_path, [frame(1)])
    path.write_bytes(b"OTHER\x00\x00\x00" + path.read_bytes()[8:])
    with pytest.raises(CorruptLog) as raised:
        read_frames(tmp_path, {}, limit_bytes=EVERYTHING)
    assert (raised.value.offset, raised.value.resume_at) == (0, 8)


def test_a_new_segment_is_opened_when_one_is_full_and_at_each_start(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, rotate_bytes=150)
    for number in range(4):
        log.append(frame(number)).result(10)
    log.close()
    log = SegmentLog(tmp_path)
    log.append(frame(0)).result(10)
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    # The last one was received earlier than the names that are there, and still sorts after them.
    assert names == [f"0170000000000000{n}.log" for n in (0, 3, 4)]
    assert read_all(tmp_path) == [frame(n) for n in (0, 1, 2, 3, 0)]


def test_appends_from_many_threads_are_all_kept_in_groups(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    futures: list[Future[None]] = []

    def append(first: int) -> None:
        futures.extend([log.append(frame(first + n)) for n in range(100)])

    threads = [threading.Thread(target=append, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for future in futures:
        future.result(10)
    log.close()
    numbers = [f.received_at_us - 1_700_000_000_000_000 for f in read_all(tmp_path)]
    assert sorted(numbers) == sorted(1000 * t + n for t in range(8) for n in range(100))
    for thread_number in range(8):
        own = [n for n in numbers if n // 1000 == thread_number]
        assert own == sorted(own)


def test_two_logs_may_write_the_same_folder(tmp_path: Path) -> None:
    logs = [SegmentLog(tmp_path), SegmentLog(tmp_path)]
    for number in range(20):
        logs[number % 2].append(frame(number)).result(10)
    assert len(end_offsets(tmp_path)) == 2
    frames, offsets = read_frames(tmp_path, {}, limit_bytes=EVERYTHING)
    assert len(frames) == 20
    assert purge(tmp_path, offsets) == []
    for log in logs:
        log.close()


def test_a_cancelled_append_is_not_written(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    with log._wake:  # the writer cannot take it up before it is cancelled
        future = log.append(frame(1))
        assert future.cancel()
    log.append(frame(2)).result(10)
    log.close()
    assert read_all(tmp_path) == [frame(2)]


def test_a_closed_log_refuses(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        log.append(frame(1)).result(10)
    assert read_all(tmp_path) == []


def test_a_frame_that_is_too_large_is_refused(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    with pytest.raises(FrameTooLarge, match="16777216"):
        log.append(frame(1, body=bytes(17_000_000)))
    log.close()
    assert read_all(tmp_path) == []


def test_purge_erases_finished_segments_that_are_read_and_no_name_comes_back(
    tmp_path: Path,
) -> None:
    log = SegmentLog(tmp_path, rotate_bytes=1)
    for number in range(3):
        log.append(frame(number)).result(10)
    log.close()
    names = sorted(end_offsets(tmp_path))
    _, offsets = read_frames(tmp_path, {}, limit_bytes=EVERYTHING)
    assert purge(tmp_path, offsets | {names[1]: 8}) == [names[0], names[2]]
    assert end_offsets(tmp_path) == {names[1]: offsets[names[1]], names[2]: 8}
    assert purge(tmp_path, offsets) == [names[1]]
    assert purge(tmp_path, offsets) == []
    log = SegmentLog(tmp_path)
    log.append(frame(0)).result(10)
    assert sorted(end_offsets(tmp_path)) == [names[2], "01700000000000003.log"]
    assert purge(tmp_path, {}) == [names[2]]
    log.close()
    assert read_all(tmp_path) == [frame(0)]


def test_after_a_failed_sync_the_log_goes_on_in_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SegmentLog(tmp_path)
    log.append(frame(1)).result(10)
    durable = end_offsets(tmp_path)

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(LogUnavailable, match="Input/output error"):
            log.append(frame(2)).result(10)
    assert end_offsets(tmp_path) == durable
    log.append(frame(3)).result(10)
    log.close()
    assert len(end_offsets(tmp_path)) == 2
    assert read_all(tmp_path) == [frame(1), frame(3)]


def test_without_room_for_its_seal_a_segment_just_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SegmentLog(tmp_path)
    log.append(frame(1)).result(10)
    durable = end_offsets(tmp_path)
    monkeypatch.setattr(os, "fdatasync", fail)
    log.close()
    assert end_offsets(tmp_path) == durable
    assert read_all(tmp_path) == [frame(1)]


def test_a_segment_that_cannot_be_opened_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SegmentLog(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(LogUnavailable, match="Input/output error"):
            log.append(frame(1)).result(10)
    assert end_offsets(tmp_path) == {}
    log.append(frame(2)).result(10)
    log.close()
    assert read_all(tmp_path) == [frame(2)]


def test_a_log_that_falls_behind_refuses_instead_of_growing(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    with log._wake:  # the writer cannot take anything up meanwhile
        futures = [log.append(frame(n, body=bytes(16_000_000))) for n in range(5)]
    with pytest.raises(LogUnavailable, match="behind"):
        futures[4].result(10)
    for future in futures[:4]:
        future.result(60)
    log.close()
    assert len(read_all(tmp_path)) == 4


FULL = """
import resource, signal, sys
from pathlib import Path
from opportune.storage.log import Frame, LogUnavailable, SegmentLog, end_offsets, read_frames

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])

def frame(number):
    return Frame(received_at_us=number, source_id="s", kind="batch", body=b"%d" % number * 1000)

log = SegmentLog(folder)
log.append(frame(1)).result(10)
before = end_offsets(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
for number in (2, 3):
    try:
        log.append(frame(number)).result(10)
    except LogUnavailable as refusal:
        print(refusal.code, type(refusal.__cause__).__name__)
# Cut back to what is durable; the room left was enough for half of the second frame only.
assert [size for size in end_offsets(folder).values()][:1] == list(before.values()), before
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append(frame(4)).result(10)
log.close()
frames, _ = read_frames(folder, {}, limit_bytes=1 << 40)
print([frame.received_at_us for frame in frames])
"""


def test_a_full_disk_fails_only_the_pending_appends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    # The third fits into a segment of its own.
    assert done.stdout.splitlines() == ["log_unavailable OSError", "[1, 3, 4]"]


WRITER = """
import sys, threading
from pathlib import Path
from opportune.storage.log import Frame, SegmentLog

log = SegmentLog(Path(sys.argv[1]), rotate_bytes=200_000)

def run(worker):
    for n in range(100_000):
        number = worker * 1_000_000 + n
        log.append(
            Frame(received_at_us=number, source_id="s", kind="batch", body=b"%d," % number * 500)
        ).result(10)
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()

for worker in range(4):
    threading.Thread(target=run, args=(worker,), daemon=True).start()
threading.Event().wait(60)
"""


def test_everything_acknowledged_before_a_kill_is_read_back(tmp_path: Path) -> None:
    for start in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / str(start))], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(300 + 50 * start)]
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        acknowledged += [int(line) for line in rest.splitlines(keepends=True) if line[-1:] == b"\n"]
        frames = read_all(tmp_path / str(start))
        numbers = [f.received_at_us for f in frames]
        assert len(numbers) == len(set(numbers))
        assert set(acknowledged) <= set(numbers)
        assert all(f.body == b"%d," % f.received_at_us * 500 for f in frames)
