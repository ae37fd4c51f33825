"""One structured line at the end of each step: what it was, how long it took, what it counted."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from opportune.errors import OpportuneError

__all__ = ["Step", "step"]

LOGGER = logging.getLogger("opportune")

Fact = str | int | float


class Step:
    """Collects the counts of a running step."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, name: str, value: int) -> None:
        """Add ``value`` to the count ``name`` of the line."""
        self.counts[name] = self.counts.get(name, 0) + value


@contextmanager
def step(name: str, /, facts: dict[str, Fact]) -> Iterator[Step]:
    """Log one JSON line when the block ends: duration, counts, and the error's code if it failed.

    ``facts`` are names and dates of the work (use case, day). Facts about customers are events, and
    never stand in a line: neither identifiers nor traits.
    """
    running = Step()
    began = time.perf_counter()
    code = "ok"
    try:
        yield running
    except OpportuneError as error:
        code = error.code
        raise
    except BaseException:
        code = "defect"
        raise
    finally:
        line = {
            "step": name,
            **facts,
            **running.counts,
            "duration_ms": round((time.perf_counter() - began) * 1000, 1),
            "code": code,
        }
        level = logging.INFO if code == "ok" else logging.ERROR
        LOGGER.log(level, "%s", json.dumps(line))
