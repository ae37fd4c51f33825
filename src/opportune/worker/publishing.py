"""Audiences, published to destinations beside all other work."""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial

from opportune import activation, project
from opportune.worker.model import Worker

__all__ = ["publish"]

LONGEST_S = 1.0


def publish(worker: Worker, definitions: project.Project, now: datetime) -> bool:
    """Put changes of audiences into the outbox for a while; False: there was nothing to do."""
    if not definitions.destinations:
        # None is defined, or none could be read yet: that is no reason to take anybody out.
        return False
    publishing = activation.Publishing(
        audiences=definitions.audiences,
        destinations=definitions.destinations,
        segments=definitions.segments,
        policies=definitions.field_policies,
    )
    some = partial(activation.publish, worker.stores.state, publishing, now=now)
    until = time.monotonic() + LONGEST_S
    busy = False
    while not worker.stop.is_set() and worker.troubles.attempt("publish", some, 0):
        busy = True
        if time.monotonic() >= until:
            break
    return busy
