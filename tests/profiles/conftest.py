"""Events as rows, and a look at everything that was made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

import identity_model
from opportune import profiles
from opportune.events import EVENTS
from opportune.storage import Stores

Row = dict[str, object]


@pytest.fixture
def identify() -> Callable[..., Row]:
    """Make an identify event; traits may be JSON text as a client would send it."""

    def make(
        user_id: str | None = None,
        anonymous_id: str | None = None,
        traits: object = None,
        *,
        at_us: int = 1_000_000,
        type: str = "identify",
    ) -> Row:
        text = traits if isinstance(traits, str) or traits is None else json.dumps(traits)
        return {
            "message_id": f"m{at_us}",
            "source_id": "shop",
            "type": type,
            "user_id": user_id,
            "anonymous_id": anonymous_id,
            "occurred_at": at_us,
            "occurred_at_us": at_us,
            "received_at": at_us,
            "received_at_us": at_us,
            "traits": text,
        }

    return make


@pytest.fixture
def resolve(stores: Stores) -> Callable[[Sequence[Row]], None]:
    """Apply events as one batch, in a transaction of its own."""

    def apply(rows: Sequence[Row]) -> None:
        with stores.state.transaction() as connection:
            profiles.resolve(connection, pa.Table.from_pylist(list(rows), schema=EVENTS))

    return apply


@pytest.fixture
def everything(stores: Stores) -> Callable[[], dict[str, Any]]:
    """Return the whole content of both tables."""

    def look() -> dict[str, Any]:
        return {
            "profiles": stores.state.rows("select * from profile order by profile_id"),
            "identifiers": stores.state.rows("select * from identifier order by kind, value"),
        }

    return look


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """The naive model of identity, and how to compare the program with it."""
    return identity_model
