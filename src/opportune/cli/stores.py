"""Open the stores for one command and close them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from opportune.settings import Settings
from opportune.storage import Stores, open_stores

__all__ = ["opened"]


@contextmanager
def opened(settings: Settings) -> Iterator[Stores]:
    """Open what a command reads and writes, for as long as it runs."""
    stores = open_stores(settings, now=datetime.now(UTC))
    try:
        yield stores
    finally:
        stores.close()
