"""One structured line a step: what it was, how long it took, what it counted, what is wrong."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from opportune.errors import OpportuneError

__all__ = ["Step", "Troubles", "pause_s", "step"]

LOGGER = logging.getLogger("opportune")
# A part that fails is tried again after 1, 2, 4 seconds and so on, up to this.
LONGEST_PAUSE_S = 60.0
# The same part is complained of at most once in this time.
COMPLAINT_S = 60.0

Fact = str | int | float
T = TypeVar("T")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """What is wrong with a part: failures in a row, when it may be tried again, what was said when.

    Times are of the monotonic clock.
    """

    failures: int = 0
    until: float = 0.0
    said: str = ""
    said_at: float = -COMPLAINT_S


class Troubles:
    """Keeps the trouble of one part of a process from the others. Any thread may use it."""

    def __init__(self, *, passed_on: type[Exception]) -> None:
        """``passed_on`` is what no part can go on after: it is raised, and not told."""
        self._passed_on = passed_on
        self._parts: dict[str, _Trouble] = {}
        self._lock = threading.Lock()

    def attempt(self, part: str, work: Callable[[], T], otherwise: T) -> T:
        """Do ``work`` unless ``part`` is to be left alone; ``otherwise`` when it is, or fails."""
        began = time.monotonic()
        with self._lock:
            trouble = self._parts.get(part)
        if trouble is not None and began < trouble.until:
            return otherwise
        try:
            result = work()
        except self._passed_on:
            raise
        except Exception as error:
            self.tell(part, error)
            return otherwise
        with self._lock:
            trouble = self._parts.get(part)
            # What failed in another thread meanwhile has not been mended by this.
            if trouble is not None and trouble.failures and trouble.until <= began:
                self._parts[part] = replace(trouble, failures=0)
        return result

    def tell(self, part: str, error: Exception) -> str:
        """Tell what went wrong and return it: once a minute at most, a defect once with its place.

        Two threads that fail in the same part at once are one failure.
        """
        level, code, said = logging.ERROR, "defect", f"A defect: {type(error).__name__}."
        if isinstance(error, OpportuneError):
            level, code, said = logging.WARNING, error.code, error.message
        with self._lock:
            now = time.monotonic()
            known = self._parts.get(part, _Trouble())
            due = now - known.said_at >= COMPLAINT_S
            failures = known.failures + (now >= known.until)
            self._parts[part] = _Trouble(
                failures=failures,
                until=max(known.until, now + pause_s(failures)),
                said=said,
                said_at=now if due else known.said_at,
            )
        if due:
            line = {"step": part, "code": code, "message": said}
            LOGGER.log(level, "%s", json.dumps(line, separators=(",", ":"), ensure_ascii=False))
        if code == "defect" and said != known.said:
            LOGGER.error("%s", part, exc_info=error)
        return said


def pause_s(failures: int) -> float:
    """Return how long to leave alone, in seconds, what failed this many times in a row."""
    return min(LONGEST_PAUSE_S, 2.0 ** min(failures - 1, 30))
