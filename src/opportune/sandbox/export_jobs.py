"""Exports of segments that were asked for, and where their files lie."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Exports", "Job"]

PATIENCE_S = 60.0  # an export nobody asks for is ready after this long


@dataclass(slots=True, kw_only=True)
class Job:
    """One export. ``built_at`` is when it was built, by the wall clock; None: it is being built."""

    segment_id: str
    prefix: str
    suffix: str
    started_at: float
    polls: int
    path: Path
    built_at: float | None = None

    def ready(self, now: float) -> bool:
        """Whether its address gives the file."""
        return self.built_at is not None and (self.polls <= 0 or self.patient_until <= now)

    @property
    def patient_until(self) -> float:
        """When it is ready although nobody asked often enough."""
        return self.started_at + PATIENCE_S


@dataclass(slots=True)
class Exports:
    """The exports of one sandbox, by the name of their file, and where these lie."""

    jobs: dict[str, Job] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    folder: tempfile.TemporaryDirectory[str] | None = None

    def place(self, name: str) -> Path:
        """Where a file lies that is fetched from here."""
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="sandbox-exports-")
        return Path(self.folder.name) / name

    def close(self) -> None:
        """Throw the files away."""
        for task in self.tasks:
            task.cancel()
        if self.folder is not None:
            self.folder.cleanup()
