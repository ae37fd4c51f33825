"""Temporary profiles of test sends are removed from Braze, beside all other work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from opportune import project
from opportune.activation import braze
from opportune.worker.model import Worker

__all__ = ["Temporary"]

LOOK_EVERY_S = 60.0


class Temporary:
    """Once a minute looks whether a test send's profile is old enough to be removed."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._looked_at = -LOOK_EVERY_S
        self._running: Future[int] | None = None

    def go_on(self, definitions: project.Project) -> None:
        """Begin to look, unless that is under way, was just done, or there is no key."""
        del definitions
        if self._running is not None and not self._running.done():
            return
        if not self._worker.stores.settings.braze_api_key:
            return
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            self._running = self._worker.aside.submit(self._remove)

    def _remove(self) -> int:
        # Braze's time is the real one, also where days are simulated.
        state, now = self._worker.stores.state, datetime.now(UTC)
        remove = partial(braze.remove_test_profiles, state, self._reach, now=now)
        return self._worker.troubles.attempt("test_profiles", remove, 0)

    @contextmanager
    def _reach(self, base_url: str) -> Iterator[braze.Workspace]:
        # What is not removed now is in a minute.
        patience = braze.Patience(tries=1, wait_s=0.0)
        asking = braze.Asking(
            clock=time.monotonic, sleep=time.sleep, patience=patience, read_timeout_s=15.0
        )
        key = self._worker.stores.settings.braze_api_key
        with braze.connected(base_url, key, asking) as workspace:
            yield workspace
