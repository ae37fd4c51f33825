"""Connect to a workspace of Braze, for as long as somebody asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opportune.activation.authentication import Bearer
from opportune.activation.braze.ask import Patience, Workspace
from opportune.activation.transport import Transport

__all__ = ["Asking", "connected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a workspace is asked.

    ``clock`` counts seconds that never go back, ``sleep`` waits some, and ``read_timeout_s`` is how
    long one answer may take.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    patience: Patience
    read_timeout_s: float = 30.0


@contextmanager
def connected(base_url: str, api_key: str, asking: Asking) -> Iterator[Workspace]:
    """Ask the workspace at ``base_url``. Raises ``InvalidApiKey`` or ``InvalidAddress``."""
    key = Bearer(api_key)
    with Transport(base_url, key, read_timeout_s=asking.read_timeout_s) as transport:
        yield Workspace(
            transport.call, clock=asking.clock, sleep=asking.sleep, patience=asking.patience
        )
