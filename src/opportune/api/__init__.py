"""HTTP: the collector, which takes events in, and Opportune's own interface under ``/api``.

Invariants: the collector needs nothing but the log; whatever goes wrong answers
``{"code": ..., "message": ...}`` with the status of its family; no answer holds a query or a key.

Deliberately absent: pages, and anything that writes definitions.
"""

from opportune.api.bodies import BodyTooLarge
from opportune.api.collector import collector_routes, create_collector
from opportune.api.errors import HANDLERS, STATUSES
from opportune.api.operations import Counts
from opportune.api.routes import routes
from opportune.api.sources import Source, UnknownSource, WriteKeys

__all__ = [
    "HANDLERS",
    "STATUSES",
    "BodyTooLarge",
    "Counts",
    "Source",
    "UnknownSource",
    "WriteKeys",
    "collector_routes",
    "create_collector",
    "routes",
]
