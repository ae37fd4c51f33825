"""What a worker works with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from opportune import pipeline
from opportune.activation import Channel, Transport
from opportune.storage import SegmentLog, Stores
from opportune.telemetry import Troubles

__all__ = ["Clock", "Worker"]

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What one round of work needs."""

    stores: Stores
    ingest: pipeline.Ingest
    log: SegmentLog
    clock: Clock
    calls: Executor
    lanes: Executor
    aside: Executor
    stop: threading.Event
    troubles: Troubles
    transports: dict[str, Transport] = field(default_factory=dict)
    # What each channel was opened for, and the channel.
    channels: dict[str, tuple[object, Channel]] = field(default_factory=dict)
    # What a destination's channel keeps open.
    reached: dict[str, ExitStack] = field(default_factory=dict)
