"""Segments that follow every event, kept as they are defined."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial

from opportune import profiles, project, segments
from opportune.storage import Stores
from opportune.worker.model import Worker

__all__ = ["Following"]

# What no segment looks back at any more is dropped this often.
SWEEP_EVERY = timedelta(hours=1)


class Following:
    """Keeps the segments that follow every event those that are defined, and the log told."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._definitions: project.Project | None = None
        self._filling: Future[bool] | None = None
        self._filled = self._outdated = False
        self._swept_at: datetime | None = None

    def go_on(self, definitions: project.Project) -> None:
        """Begin and end segments as they are defined; new ones are filled beside all other work."""
        worker = self._worker
        now = worker.clock()
        if definitions is not self._definitions and worker.troubles.attempt(
            "segments", partial(self._sync, now), False
        ):
            self._definitions = definitions
            self._filled = False
            # One that runs just now may have looked before.
            self._outdated = self._filling is not None
        if self._filling is not None and self._filling.done():
            found = self._filling.exception() is None and self._filling.result()
            self._filled = found and not self._outdated
            self._filling, self._outdated = None, False
        if self._filling is None and not (self._filled and self._is_swept(now)):
            self._filling = worker.aside.submit(self._fill, now)
        worker.troubles.attempt(
            "announce", partial(segments.announce, worker.stores.state, worker.log, now=now), 0
        )
        worker.troubles.attempt("tell", partial(self._tell, now), 0)

    def _sync(self, now: datetime) -> bool:
        segments.sync(self._worker.stores.state, now=now)
        return True

    def _tell(self, now: datetime) -> int:
        """Tell the log what State has of memberships and of what people decided."""
        state, log = self._worker.stores.state, self._worker.log
        return segments.tell(state, log, now=now) + profiles.tell(state, log, now=now)

    def _fill(self, now: datetime) -> bool:
        stores, troubles = self._worker.stores, self._worker.troubles
        filled = troubles.attempt("fill_segments", partial(self._fill_all, stores, now), False)
        if not self._is_swept(now):
            troubles.attempt("sweep_segments", partial(segments.sweep, stores.state, now=now), None)
            self._swept_at = now
        return filled

    def _fill_all(self, stores: Stores, now: datetime) -> bool:
        segments.fill(stores, now=now)
        return True

    def _is_swept(self, now: datetime) -> bool:
        return self._swept_at is not None and self._swept_at <= now < self._swept_at + SWEEP_EVERY
