"""Messages of plain arrays between the harness and a learner in a process of its own.

Needs numpy and nothing else, so that it runs in every environment. A message is its length in
eight bytes and a `.npz`.
"""

from __future__ import annotations

import io
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Learner(Protocol):
    """What a child process serves. Options, not combinations: ``actions`` is ``(n, D)``."""

    def decide(self, features: np.ndarray, options: np.ndarray) -> np.ndarray:
        """Choose for n customers: raw features, bitmasks of their eligible options."""
        ...

    def learn(self, features: np.ndarray, actions: np.ndarray, rewards: np.ndarray) -> None:
        """Take in a day of matured rewards, the oldest that were not taken in yet."""
        ...


def send(stream: BinaryIO, arrays: Arrays) -> None:
    """Write one message."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    body = buffer.getbuffer()
    stream.write(len(body).to_bytes(8, "big"))
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> Arrays | None:
    """Read one message; None at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    return dict(np.load(io.BytesIO(stream.read(int.from_bytes(head, "big")))))


def serve(learner: Learner) -> None:
    """Answer until the harness hangs up. Only the learner's own time is counted."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # A library that prints would break the next message.
    sys.stdout = sys.stderr
    while (asked := receive(source)) is not None:
        began = time.perf_counter()
        if "rewards" in asked:
            learner.learn(asked["features"], asked["actions"], asked["rewards"])
            answer = {}
        else:
            answer = {"actions": learner.decide(asked["features"], asked["options"])}
        taken = time.perf_counter() - began
        figures = {"seconds": np.array(taken), "peak_bytes": np.array(peak_bytes())}
        send(sink, {**answer, **figures})


def peak_bytes() -> int:
    """The most memory this process held, Python and its libraries included."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        # Counts what the parent held when it forked, too.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) * 1024
