"""What a worker does beside its rounds, each part in its own time."""

from __future__ import annotations

from typing import Protocol

from opportune import project
from opportune.worker.computing import Computing
from opportune.worker.following import Following
from opportune.worker.handing_over import HandingOver
from opportune.worker.model import Worker
from opportune.worker.rereading import Rereading
from opportune.worker.temporary import Temporary
from opportune.worker.upkeep import Upkeep

__all__ = ["Beside", "beside_rounds"]


class Beside(Protocol):
    """A part that goes on with its work when it is its time, once a round."""

    def go_on(self, definitions: project.Project) -> None:
        """Do a little, or begin to."""
        ...


def beside_rounds(worker: Worker) -> tuple[Beside, ...]:
    """Return the parts, for one worker that holds the lock."""
    parts = (Upkeep, Following, Computing, Rereading, HandingOver, Temporary)
    return tuple(part(worker) for part in parts)
