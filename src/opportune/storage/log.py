"""The log as segment files: what was accepted, in order, durable before it is acknowledged.

A segment is a file ``<us>.log``: `MAGIC`, then frames. Its name is the time its first frame was
received, made later than every name in the folder, so that a name never comes back. Frames
appended together are one *group*: one write, one fdatasync. Each frame names the offset at which
its group starts, and a group is written only once all before it is durable. So a later group
*proves* that everything before it was acknowledged: bytes that cannot be read are corruption when
a later group follows them, and a torn tail when none does.

- One process writes a segment and holds an exclusive lock on it for as long; a segment whose lock
  is free is *finished* and never grows again. A segment closed in good order ends with a *seal*,
  an empty frame in a group of its own, so that damage to its last frames is no torn tail.
- After a failed write or sync the segment is cut back to its durable length and abandoned: the
  next append opens a new one. A reader may have seen the frames that were cut off, so nothing
  else may ever stand in their place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from opportune.errors import InvalidInput, Unavailable
from opportune.storage.frame import MAX_FRAME_BYTES, Frame, decode, encode, size, whole_frames

__all__ = [
    "CorruptLog",
    "Frame",
    "FrameTooLarge",
    "LogUnavailable",
    "SegmentLog",
    "end_offsets",
    "purge",
    "read_frames",
]

MAGIC = b"OPPLOG\x00\x01"
NAME_DIGITS = 17
ROTATE_BYTES = 64 * 1024 * 1024
MAX_GROUP_BYTES = 8 * 1024 * 1024
MAX_PENDING_BYTES = 64 * 1024 * 1024


class LogUnavailable(Unavailable):
    """The log cannot take frames just now; those of this call were not kept."""

    code = "log_unavailable"


class FrameTooLarge(InvalidInput):
    """A frame is larger than the log takes."""

    code = "frame_too_large"


class CorruptLog(Unavailable):
    """Acknowledged bytes of a segment cannot be read.

    ``segment`` and ``offset`` say where; ``resume_at`` is the offset of the next whole frame. A
    reader that has put the damage on record goes on by passing ``{segment: resume_at}`` among its
    offsets.
    """

    code = "corrupt_log"

    def __init__(self, path: Path, *, offset: int, resume_at: int) -> None:
        super().__init__(
            f"Log segment {path} is damaged between byte {offset} and byte {resume_at}: "
            "acknowledged frames there cannot be read. Restore the file from a backup, or go on "
            f"reading at byte {resume_at} and lose them."
        )
        self.segment = path.name
        self.offset = offset
        self.resume_at = resume_at


@dataclass(slots=True)
class _Segment:
    """The segment being written: ``durable`` bytes of it are whole groups on disk."""

    descriptor: int
    durable: int


class SegmentLog:
    """Append frames to segment files below ``folder``: one writer thread, group commit."""

    def __init__(self, folder: Path, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.folder = folder
        self._rotate_bytes = rotate_bytes
        self._pending: deque[tuple[Frame, Future[None]]] = deque()
        self._pending_bytes = 0
        self._closing = False
        self._wake = threading.Condition()
        self._segment: _Segment | None = None
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, frame: Frame) -> Future[None]:
        """Queue ``frame``; the future resolves once it is on disk, or fails with `LogUnavailable`.

        A future that is cancelled before its frame is taken up is not written. Raises
        ``FrameTooLarge`` at once.
        """
        if size(frame) > MAX_FRAME_BYTES:
            raise FrameTooLarge(
                f"The log was given a frame of {size(frame)} bytes and takes at most "
                f"{MAX_FRAME_BYTES}. Send smaller bodies."
            )
        future: Future[None] = Future()
        with self._wake:
            if self._closing or self._pending_bytes + size(frame) > MAX_PENDING_BYTES:
                reason = "is closed" if self._closing else "is behind, its disk is too slow"
                future.set_exception(LogUnavailable(f"The log {reason}; try again later."))
                return future
            self._pending.append((frame, future))
            self._pending_bytes += size(frame)
            self._wake.notify()
        return future

    def close(self) -> None:
        """Write what is pending, seal the segment and stop. Later appends fail."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            try:
                self._write([frame for frame, _ in group])
            except Exception as cause:
                # Whatever it is: a future left unresolved would hang its caller for ever.
                self._abandon()
                for _, future in group:
                    future.set_exception(_unwritable(cause))
            else:
                for _, future in group:
                    future.set_result(None)
        self._seal()

    def _next_group(self) -> list[tuple[Frame, Future[None]]]:
        """Wait for frames and take all that are pending, up to a group's size; empty at the end."""
        group: list[tuple[Frame, Future[None]]] = []
        taken = 0
        with self._wake:
            while not group:
                self._wake.wait_for(lambda: self._pending or self._closing)
                if not self._pending:
                    break
                while self._pending and taken < MAX_GROUP_BYTES:
                    frame, future = self._pending.popleft()
                    self._pending_bytes -= size(frame)
                    if future.set_running_or_notify_cancel():
                        group.append((frame, future))
                        taken += size(frame)
        return group

    def _write(self, frames: list[Frame]) -> None:
        if self._segment is None:
            self._segment = _create(self.folder, received_at_us=frames[0].received_at_us)
        segment = self._segment
        data = b"".join([encode(frame, group_at=segment.durable) for frame in frames])
        _write_all(segment.descriptor, data)
        os.fdatasync(segment.descriptor)
        segment.durable += len(data)
        if segment.durable >= self._rotate_bytes:
            self._seal()

    def _seal(self) -> None:
        """Close the segment in good order; without room for the seal it just ends there."""
        if self._segment is None:
            return
        seal = Frame(received_at_us=0, source_id="", kind="", body=b"")
        try:
            _write_all(self._segment.descriptor, encode(seal, group_at=self._segment.durable))
            os.fdatasync(self._segment.descriptor)
        except OSError:
            self._abandon()
        else:
            os.close(self._segment.descriptor)
            self._segment = None

    def _abandon(self) -> None:
        if self._segment is None:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._segment.descriptor, self._segment.durable)
        with contextlib.suppress(OSError):
            os.close(self._segment.descriptor)
        self._segment = None


def read_frames(
    folder: Path, offsets: Mapping[str, int], *, limit_bytes: int
) -> tuple[list[Frame], dict[str, int]]:
    """Read whole frames past ``offsets`` (segment name -> byte), about ``limit_bytes`` of them.

    Returns the frames and the offsets to go on from, which name the segments that still exist. At
    least one frame is returned when there is one. A torn tail is waited for while its segment is
    being written, and passed over once the segment is finished. Raises ``CorruptLog`` when damage
    is the next thing to read in some segment; nothing is lost by that, the offsets have not moved.
    """
    frames: list[Frame] = []
    reached: dict[str, int] = {}
    left = limit_bytes
    for path, bytes_there in _segments(folder):
        reached[path.name] = offsets.get(path.name, 0)
        if left <= 0 or bytes_there <= max(reached[path.name], len(MAGIC)):
            continue
        found, reached[path.name] = _read_segment(path, reached[path.name], limit_bytes=left)
        left -= sum(map(size, found))
        frames += found
    return frames, reached


def end_offsets(folder: Path) -> dict[str, int]:
    """Return each segment's size in bytes: a reader whose offsets are these has read everything."""
    return {path.name: bytes_there for path, bytes_there in _segments(folder)}


def purge(folder: Path, offsets: Mapping[str, int]) -> list[str]:
    """Erase the finished segments that ``offsets`` say are fully read; return their names.

    The newest one is emptied but keeps its name, so that no later segment can get that name again.
    """
    gone = []
    segments = _segments(folder)
    for path, _ in segments:
        with path.open("r+b") as file:
            finished = _is_finished(file.fileno())
            bytes_there = path.stat().st_size
            # An empty file may be a segment whose writer has not got its lock yet.
            unread = offsets.get(path.name, 0) < bytes_there and bytes_there > len(MAGIC)
            if not finished or unread or bytes_there == 0:
                continue
            if path != segments[-1][0]:
                path.unlink()
            elif bytes_there > len(MAGIC):
                file.truncate(len(MAGIC))
                os.fsync(file.fileno())
            else:
                continue
            gone.append(path.name)
    if gone:
        _sync_folder(folder)
    return gone


def _read_segment(path: Path, start: int, *, limit_bytes: int) -> tuple[list[Frame], int]:
    with path.open("rb", buffering=0) as file:
        # Asked before the size: a finished segment's size is final.
        finished = _is_finished(file.fileno())
        bytes_there = os.fstat(file.fileno()).st_size
        if start < len(MAGIC):
            if os.pread(file.fileno(), len(MAGIC), 0) != MAGIC:
                raise CorruptLog(path, offset=0, resume_at=len(MAGIC))
            start = len(MAGIC)
        # The second length holds any frame: the first one to read may be longer than the limit.
        for bytes_wanted in (limit_bytes, MAX_FRAME_BYTES):
            data = os.pread(file.fileno(), min(bytes_wanted, bytes_there - start), start)
            frames, end = _parse(data, segment=path.name, base=start, limit_bytes=limit_bytes)
            if end > start:
                return frames, end
        data = os.pread(file.fileno(), bytes_there - start, start)
        return [], _past_damage(data, path=path, start=start, finished=finished)


def _parse(data: bytes, *, segment: str, base: int, limit_bytes: int) -> tuple[list[Frame], int]:
    """Return the frames at the start of ``data`` and the offset where they end."""
    frames = []
    at = 0
    while at < limit_bytes and (decoded := decode(data, at, segment=segment, base=base)):
        frame, _, used = decoded
        at += used
        if frame.kind:
            frames.append(frame)
    return frames, base + at


def _past_damage(data: bytes, *, path: Path, start: int, finished: bool) -> int:
    """Say where to go on when the frame at ``start`` cannot be read: stay there, or at the end.

    ``data`` is all that follows ``start``. Raises ``CorruptLog`` when a later group proves that
    what cannot be read was acknowledged.
    """
    resume_at = None
    for place, group_at in whole_frames(data):
        if resume_at is None:
            resume_at = start + place
        if group_at > start:
            raise CorruptLog(path, offset=start, resume_at=resume_at)
    return start + len(data) if finished else start


def _segments(folder: Path) -> list[tuple[Path, int]]:
    """List the segments by name, each with its size in bytes."""
    segments = []
    for path in sorted(folder.glob("[0-9]" * NAME_DIGITS + ".log")):
        # Another process may purge at the same time.
        with contextlib.suppress(FileNotFoundError):
            segments.append((path, path.stat().st_size))
    return segments


def _is_finished(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _create(folder: Path, *, received_at_us: int) -> _Segment:
    """Open a segment that sorts after all in ``folder``; it is locked, and its name is durable."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)
    segments = _segments(folder)
    name_us = max(received_at_us, int(segments[-1][0].stem) + 1 if segments else 0)
    path, descriptor = _open_new(folder, name_us)
    try:
        # Locked while still empty: readers leave a segment without its magic alone.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _write_all(descriptor, MAGIC)
        os.fsync(descriptor)
        _sync_folder(folder)
    except BaseException:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return _Segment(descriptor=descriptor, durable=len(MAGIC))


def _open_new(folder: Path, name_us: int) -> tuple[Path, int]:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    for later_us in range(1000):
        path = folder / f"{name_us + later_us:0{NAME_DIGITS}d}.log"
        # Several processes may open their first segment in the same microsecond.
        with contextlib.suppress(FileExistsError):
            return path, os.open(path, flags, 0o640)
    raise FileExistsError(errno.EEXIST, "No free name for a segment", str(folder))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _unwritable(cause: Exception) -> LogUnavailable:
    error = LogUnavailable(f"The log could not be written ({cause}). Nothing was kept; try again.")
    error.__cause__ = cause
    return error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
