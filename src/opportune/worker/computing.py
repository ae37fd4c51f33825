"""Computed traits that follow events, calculated beside all other work."""

from __future__ import annotations

import time
from concurrent.futures import Future
from datetime import datetime
from functools import partial

from opportune import profiles, project
from opportune.worker.model import Worker

__all__ = ["Computing"]

# It may take this share of one processor's time: a scan of the events is as long as they are many.
SHARE = 0.2


class Computing:
    """Brings the computed traits of whoever was noted up to date, one scan for all of them."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._next_s = 0.0
        self._running: Future[None] | None = None

    def go_on(self, definitions: project.Project) -> None:
        """Begin to calculate, unless that is under way or was just done."""
        if self._running is not None and not self._running.done():
            return
        if definitions.computed_traits and time.monotonic() >= self._next_s:
            now = self._worker.clock()
            self._running = self._worker.aside.submit(self._calculate, definitions, now)

    def _calculate(self, definitions: project.Project, now: datetime) -> None:
        began_s = time.monotonic()
        traits = definitions.computed_traits.values()
        stores, troubles = self._worker.stores, self._worker.troubles
        follow = partial(profiles.follow_computed, stores, traits, now=now)
        try:
            troubles.attempt("computed_traits", follow, 0)
        finally:
            ended_s = time.monotonic()
            self._next_s = ended_s + (ended_s - began_s) * (1 / SHARE - 1)
