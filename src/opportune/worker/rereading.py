"""Stored events that are read again when rules change, beside all other work."""

from __future__ import annotations

from concurrent.futures import Future

from opportune import pipeline, project
from opportune.worker.model import Worker

__all__ = ["Rereading"]


class Rereading:
    """Has stored events read by the rules of consent that hold now."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._definitions: project.Project | None = None
        self._running: Future[bool] | None = None

    def go_on(self, definitions: project.Project) -> None:
        """Begin to read when something was applied, or did not succeed."""
        if self._running is not None and not self._running.done():
            return
        succeeded = self._running is None or (
            self._running.exception() is None and self._running.result()
        )
        if definitions is not self._definitions or not succeeded:
            self._definitions = definitions
            self._running = self._worker.aside.submit(self._read)

    def _read(self) -> bool:
        return self._worker.troubles.attempt("read_again", self._try, False)

    def _try(self) -> bool:
        pipeline.read_again(self._worker.stores)
        return True
