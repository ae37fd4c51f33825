"""Decisions that were asked for go to the lake, many in one commit."""

from __future__ import annotations

import time
from functools import partial

from opportune import decisions, project
from opportune.worker.model import Worker

__all__ = ["HandingOver"]

# A commit makes a file in each of two tables: few are better, and State keeps what waits.
EVERY_S = 60.0


class HandingOver:
    """Hands what was decided on request to the lake, now and then."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._next_s = 0.0

    def go_on(self, _: project.Project) -> None:
        """Hand over, unless that was just done."""
        if time.monotonic() < self._next_s:
            return
        stores, now = self._worker.stores, self._worker.clock()
        hand_over = partial(decisions.hand_over_asked, stores, now=now)
        self._worker.troubles.attempt("asked_decisions", hand_over, 0)
        self._next_s = time.monotonic() + EVERY_S
