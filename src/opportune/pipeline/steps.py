"""How long each step of a day's run took, kept for who looks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from opportune.decisions import UseCase
from opportune.storage import State, fetch, load_sql

__all__ = ["Steps", "keep_steps"]


class Steps:
    """Seconds by step, in the order in which they began; steps may go side by side."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count what is done inside for ``name``."""
        self.seconds.setdefault(name, 0.0)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began


def keep_steps(state: State, use_case: UseCase, day: date, steps: Steps, *, now: datetime) -> None:
    """Keep how long the steps of ``day`` took; a day that is run again has those of its last run.

    ``now`` is when the day was said to be run.
    """
    with state.transaction() as connection:
        for place, (name, seconds) in enumerate(steps.seconds.items()):
            facts = {
                "use_case": use_case.name,
                "day": day,
                "step": name,
                "place": place,
                "seconds": seconds,
                "began_at": now,
            }
            fetch(connection, load_sql("opportune.pipeline", "keep_day_step"), facts)
