"""Stores in which every effect can be the last: each is counted, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from opportune.storage import Connection, DuckDB, Lake, State, Stores


class Killed(BaseException):
    """Ends everything, as kill -9 does."""


@dataclass
class Fate:
    """Counts effects, before and after each; kills at the one that is chosen."""

    at: int | None = None
    passed: int = 0
    trouble: BaseException | None = None

    def step(self) -> None:
        self.passed += 1
        if self.passed - 1 == self.at:
            raise self.trouble or Killed


class MortalLake(Lake):
    def __init__(self, lake: Lake, fate: Fate) -> None:
        super().__init__(lake.folder)
        self._fate = fate

    def append(self, table: str, data: pa.Table, **given: Any) -> bool:
        self._fate.step()
        done = super().append(table, data, **given)
        self._fate.step()
        return done


class MortalState(State):
    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self._fate = fate

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._fate.step()
        with super().transaction() as connection:
            yield connection
        self._fate.step()


def mortal(stores: Stores, fate: Fate) -> Stores:
    """The same stores, in which every effect may be the last; their State is to be closed."""
    lake = MortalLake(stores.lake, fate)
    state = MortalState(stores.database_url, fate)
    return replace(stores, lake=lake, engine=DuckDB(lake), state=state)
