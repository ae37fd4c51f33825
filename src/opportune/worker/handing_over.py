"""Decisions that were asked for go to the lake, many in one commit."""

from __future__ import annotations

import time

from opportune import decisions, project
from opportune.storage.rewrite import tidy
from opportune.worker.model import Worker

__all__ = ["HandingOver"]

# A commit makes a file in each of two tables: few are better, and State keeps what waits.
EVERY_S = 60.0
# So many small files of each are made one.
COMPACT_EVERY = 60
TABLES = ("asked_features", "decisions")
# Longer than any query takes.
KEEP_HOURS = 24


class HandingOver:
    """Hands what was decided on request to the lake, now and then."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._next_s = 0.0
        self._commits = 0

    def go_on(self, _: project.Project) -> None:
        """Hand over, unless that was just done."""
        if time.monotonic() < self._next_s:
            return
        self._worker.troubles.attempt("asked_decisions", self._hand_over, None)
        self._next_s = time.monotonic() + EVERY_S

    def _hand_over(self) -> None:
        stores = self._worker.stores
        if decisions.hand_over_asked(stores, now=self._worker.clock()):
            self._commits += 1
        if self._commits >= COMPACT_EVERY:
            self._commits = 0
            for table in TABLES:
                stores.lake.compact(table)
                tidy(stores.lake, table, keep_hours=KEEP_HOURS)
