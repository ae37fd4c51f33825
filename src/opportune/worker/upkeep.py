"""Keep the database fit: old rows go, and the planner learns of tables that grew."""

from __future__ import annotations

import time
from functools import partial

from opportune import activation, learning, project
from opportune.worker.model import Worker

__all__ = ["Upkeep"]

PRUNE_EVERY_S = 3600.0
LOOK_EVERY_S = 1.0


class Upkeep:
    """Once an hour looks after the outbox and kept policies, each second after statistics."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._pruned_at = self._looked_at = -PRUNE_EVERY_S

    def go_on(self, definitions: project.Project) -> None:
        """Prune or look if it is time to."""
        troubles = self._worker.troubles
        due = time.monotonic() - self._pruned_at >= PRUNE_EVERY_S
        # A full batch: there is more to prune in the next round.
        if due and not troubles.attempt("prune", self._prune, 0):
            state = self._worker.stores.state
            troubles.attempt("prune_models", partial(learning.prune_models, state), None)
            self._pruned_at = time.monotonic()
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            troubles.attempt("statistics", self._worker.stores.state.analyze_grown, 0)
            self._looked_at = time.monotonic()

    def _prune(self) -> int:
        stores, now = self._worker.stores, self._worker.clock()
        return activation.prune(stores.state, days=stores.settings.outbox_days, now=now)
