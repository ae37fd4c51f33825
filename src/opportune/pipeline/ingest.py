"""Take what the log accepted into the lake and into State, each exactly once."""

from __future__ import annotations

import fcntl
import logging
import os
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from opportune import activation, events, privacy, profiles, segments
from opportune.pipeline.conversions import Conversions
from opportune.pipeline.day import create_tables
from opportune.pipeline.progress import LOCK_FILE, missing_bytes, positions, taken_in
from opportune.profiles.resolve import current_rules
from opportune.storage import (
    ConcurrentWrite,
    Connection,
    CorruptLog,
    DatabaseUnavailable,
    Frame,
    Stores,
    end_offsets,
    fetch,
    load_sql,
    open_engine,
    purge,
    read_frames,
)
from opportune.storage.blank import blank
from opportune.storage.rewrite import tidy

__all__ = ["Ingest", "take_in"]


LOGGER = logging.getLogger("opportune")
READ_BYTES = 16 * 1024 * 1024
# Small files slow every query down; merging them costs a tenth of a second.
COMPACT_EVERY = 64
TIDY_EVERY = 16
KEEP_HOURS = 2
DAMAGE = "damage"
POLL_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What one step into the lake came to: the log's positions around it and what was recorded."""

    before: dict[str, int]
    after: dict[str, int]
    frames: int
    recorded: events.Recorded


class Ingest:
    """Takes what the log accepted into the lake and into State, each exactly once.

    The two sinks keep their own position in the log, in the same atomic step as the data. One
    process ingests at a time, and holds a lock on the data folder for it; the next one goes on
    where the last one was killed. Raises ``ConcurrentWrite`` while another one lives.
    """

    def __init__(
        self,
        stores: Stores,
        decoders: Mapping[str, events.Decoder],
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Segments go by ``clock``; without one, it is the time at which events were received."""
        self._release = weakref.finalize(self, os.close, _lock(stores))
        create_tables(stores)
        self._stores = stores
        replay = events.decode_replay(decoders)
        self._guard = privacy.Guard()
        every = {**decoders, events.REPLAY: replay}
        self._decoders = {kind: self._guard.wrap(decoder) for kind, decoder in every.items()}
        self._decoders[DAMAGE] = _decode_damage
        # The file alone until `reload`: the lake takes events in while the database is away.
        known = privacy.suppressed_on_disk(stores.settings.data_folder)
        self._guard.load(known, profiles.IdentityRules())
        self._reader = events.TrackingReader(stores.state)
        self._tracking = events.Tracking()
        self._feeder = activation.Feeder()
        # A batch is judged and counted here, whichever engine answers questions.
        self._engine = open_engine("duckdb:", stores.lake)
        self._conversions = Conversions(stores.state, self._engine)
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="catalogue")
        self._folder = stores.settings.log_folder
        self._seen = events.seed(stores.lake)
        self._clock = clock
        self._followed = segments.WatchReader()
        self._computed = profiles.ComputedReader()
        self._commits = 0
        self._compactions = 0

    def close(self) -> None:
        """Let another process ingest."""
        self._aside.shutdown()
        self._engine.close()
        self._release()

    def tick(self) -> int:
        """Take in up to 16 MiB of the log and return how many frames that were (0: up to date).

        The lake first: it goes on taking events in while the database is away.
        """
        away: DatabaseUnavailable | None = None
        try:
            self._tracking = self._reader.read()
        except DatabaseUnavailable as error:
            away = error
        stored = self._store()
        if away is not None:
            raise away
        with self._stores.state.transaction() as connection:
            behind = positions(connection, stored.before)
            if behind == stored.before:
                count, recorded, reached = stored.frames, stored.recorded, stored.after
            else:
                frames, reached = self._read(behind)
                count, recorded = len(frames), self._recall(frames)
            if reached != behind:
                self._apply(connection, recorded, reached)
            else:
                self._follow(connection, None)
        if self._guard.refused:
            self._guard.refused = 0
            blank(self._folder, self.taken_in())
        if self._commits >= COMPACT_EVERY:
            self._commits = 0
            self._stores.lake.compact("events")
            self._compactions += 1
            if self._compactions % TIDY_EVERY == 0:
                tidy(self._stores.lake, "events", keep_hours=KEEP_HOURS)
        return max(count, stored.frames)

    def store(self) -> int:
        """Take up to 16 MiB of the log into the lake alone and return how many frames that were."""
        return self._store().frames

    def catch_up(self) -> None:
        """Take in all that the log holds at this moment; what is accepted meanwhile may wait."""
        ends = end_offsets(self._folder)
        while self.tick():
            reached = taken_in(self._stores)
            if all(reached.get(name, end) >= end for name, end in ends.items()):
                return

    def purge(self) -> None:
        """Delete the segments of the log that both sinks have taken in whole."""
        purge(self._folder, taken_in(self._stores))

    def reload(self) -> None:
        """Know whom to keep out from now on: everybody who was forgotten."""
        known = privacy.read_suppressed(self._stores.settings.data_folder, self._stores.state)
        with self._stores.state.transaction() as connection:
            rules = current_rules(connection)
        self._guard.load(known, rules)

    def taken_in(self) -> dict[str, int]:
        """Return how far lake and State both have taken in each segment of the log."""
        return taken_in(self._stores)

    def _store(self) -> _Stored:
        before = events.stored_offsets(self._stores.lake, self._folder)
        frames, after = self._read(before)
        if after == before:
            return _Stored(before=before, after=after, frames=0, recorded=self._recall([]))
        recorded = events.record(
            self._stores.lake,
            frames,
            offsets=after,
            decoders=self._decoders,
            seen=self._seen,
            check=self._check(),
        )
        self._commits += 1
        return _Stored(before=before, after=after, frames=len(frames), recorded=recorded)

    def _read(self, offsets: Mapping[str, int]) -> tuple[list[Frame], dict[str, int]]:
        """Read on from ``offsets``, which name the segments to read.

        Acknowledged bytes that cannot be read any more are passed over, and stand in for
        themselves as a frame that becomes a reject: one bad place on the disk must not keep all
        that came after it from being taken in.
        """
        start = dict(offsets)
        damages: list[Frame] = []
        while True:
            try:
                frames, reached = read_frames(self._folder, start, limit_bytes=READ_BYTES)
            except CorruptLog as damage:
                LOGGER.error("%s: %s", damage.code, damage.message)
                damages.append(_damage_frame(damage))
                start[damage.segment] = damage.resume_at
                continue
            # A segment that came into being since belongs to the next call.
            frames = [frame for frame in frames if frame.segment in start]
            return damages + frames, {name: reached.get(name, at) for name, at in start.items()}

    def _recall(self, frames: list[Frame]) -> events.Recorded:
        return events.recall(self._engine, frames, decoders=self._decoders, check=self._check())

    def _check(self) -> events.Check:
        return partial(events.violations, self._engine, self._tracking.plans)

    def _apply(
        self, connection: Connection, recorded: events.Recorded, offsets: Mapping[str, int]
    ) -> None:
        # The engine counts while the database resolves.
        counting = self._aside.submit(
            events.count, self._engine, recorded, declared=self._tracking.declared
        )
        profiles.resolve(connection, recorded.events)
        profiles.hear(connection, recorded.events)
        _keep_beside(connection, recorded, self._conversions)
        self._follow(connection, recorded.events)
        counts = counting.result()
        self._feeder.feed(
            connection, recorded.events, policies=self._tracking.policies, counts=counts
        )
        events.keep_counts(connection, counts)
        events.keep_tail(connection, recorded)
        events.keep_minutes(connection, recorded)
        events.keep_outcomes(connection, recorded.outcomes)
        facts = {"files": list(offsets), "offsets": list(offsets.values())}
        fetch(connection, load_sql("opportune", "set_log_positions"), facts)

    def _follow(self, connection: Connection, new: pa.Table | None) -> None:
        """Bring segments up to date with the events and the time."""
        profiles.note_computed(connection, self._computed, new)
        if self._clock is not None:
            now = self._clock()
        elif new is not None and new.num_rows:
            now = pc.max(new["received_at"]).as_py()
        else:
            return
        segments.follow(connection, self._engine, self._followed, new, now=now)


def _keep_beside(
    connection: Connection, recorded: events.Recorded, conversions: Conversions
) -> None:
    """Keep what events tell of profiles beside who they are; some of it ends a send that waits."""
    profiles.keep_activity(connection, recorded.events)
    profiles.keep_accounts(connection, recorded.events)
    activation.withdraw(connection, profiles.keep_consent(connection, recorded.events))
    activation.witness(connection, recorded.events)
    activation.end_converted(connection, recorded.events, conversions.of)


def take_in(
    stores: Stores, decoders: Mapping[str, events.Decoder], *, told: Callable[[int, int], object]
) -> None:
    """Take in what the log holds at this moment, or wait until the process that ingests has.

    ``told`` hears how many bytes are done, and of how many.
    """
    create_tables(stores)
    ends = end_offsets(stores.settings.log_folder)
    total = left = missing_bytes(stores, ends)
    while left:
        with suppress(ConcurrentWrite), closing(Ingest(stores, decoders)) as ingest:
            ingest.reload()
            while left and ingest.tick():
                left = missing_bytes(stores, ends)
                told(total - left, total)
        left = missing_bytes(stores, ends)
        told(total - left, total)
        if left:
            time.sleep(POLL_S)


def _damage_frame(damage: CorruptLog) -> Frame:
    return Frame(
        received_at_us=int(Path(damage.segment).stem),
        source_id=events.OURS,
        kind=DAMAGE,
        body=damage.message.encode(),
        segment=damage.segment,
        offset=damage.offset,
    )


def _decode_damage(frame: Frame) -> events.Decoded:
    reason = frame.body.decode()
    reject = events.Reject(
        index=-1, message_id=None, code=CorruptLog.code, reason=reason, payload=""
    )
    return events.Decoded(events=[], rejects=[reject])


def _lock(stores: Stores) -> int:
    """Lock the data folder for one ingest; it is let go when the descriptor returned is closed."""
    folder = stores.settings.data_folder
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        os.close(descriptor)
        raise ConcurrentWrite(
            f"Another process takes in the log of {folder}. Run one worker per data folder; this "
            "one goes on when that one has ended."
        ) from cause
    return descriptor
