"""Several workers at once, each with its own connection: the same as one after the other."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from opportune import profiles
from opportune.events import EVENTS
from opportune.storage import Stores

WORKERS = 3


def shuffled_messages(seed: int) -> list[dict[str, Any]]:
    """Logins of few people on few devices, so that nearly every batch touches the others'."""
    luck = random.Random(seed)

    def some(*values: str) -> str | None:
        return luck.choice([None, *values])

    return [
        {
            "message_id": f"m{place:03}",
            "user_id": some("u0", "u1", "u2", "u3"),
            "anonymous_id": some("a0", "a1", "a2", "a3", "a4"),
            "email": some("x@example.com", "y@example.com"),
            "phone": some("+49 170 1234"),
            "card": some("c0", "c1"),
            "type": luck.choice(["identify", "track"]),
            "plan": luck.choice([None, "basic", "plus"]),
            "at_us": luck.randrange(50),
        }
        for place in range(90)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_workers_that_meet_come_to_the_same_as_one(
    stores: Stores, world: ModuleType, seed: int
) -> None:
    messages = shuffled_messages(seed)
    together = threading.Barrier(WORKERS)

    def work(number: int) -> None:
        mine = messages[number::WORKERS]
        together.wait()
        for start in range(0, len(mine), 5):
            rows = [world.row(each) for each in mine[start : start + 5]]
            with stores.state.transaction() as connection:
                profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))

    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at) values"
        ' (\'settings\', \'identity\', 1, \'{"limits": {"anonymous_id": 2, "email": 1},'
        ' "most_identifiers": 6}\', now())'
    )
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(work, range(WORKERS)))
    with stores.state.transaction() as connection:
        assert world.look(connection) == world.Model(messages).known()


def test_a_batch_that_is_rolled_back_leaves_nothing(stores: Stores, world: ModuleType) -> None:
    rows = [world.row(each) for each in shuffled_messages(4)]

    def fail() -> None:
        with stores.state.transaction() as connection:
            profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert stores.state.rows("select count(*)::int as n from identifier") == [{"n": 0}]
    with stores.state.transaction() as connection:
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))
    assert stores.state.rows("select count(*)::int as n from identifier")[0]["n"] > 0
