"""What people decided, heard from the log after all events, makes the same identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune import events, profiles
from opportune.profiles.review import FITTING
from opportune.storage import Connection, Frame, Stores, fetch

EXAMPLES = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
DECIDED = {
    "cuts": "select * from identity_cut order by cut_id",
    "decisions": "select * from identity_decision order by decision_id",
    "links": "select owner_id, other_id, rule, occurred_at_us, message_id, set_aside, decision,"
    " decided_by, decided_at from identifier_link order by owner_id, other_id",
}


class OneConnection:
    """A State whose only connection is in the middle of a transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self.connection.transaction():
            yield self.connection

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Any]:
        return fetch(self.connection, sql, parameters)


class Heard:
    """A log that keeps what it is told, as the lake would."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def append(self, frame: Frame) -> Future[None]:
        self.frames.append(frame)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def events(self) -> pa.Table:
        return events.event_table(
            [(frame, events.decode_own(frame).events) for frame in self.frames]
        )


def act(data: st.DataObject, world: ModuleType, state: Any) -> None:
    """Cut, restore, decide or take back whatever there is."""
    connection = state.connection
    what = data.draw(st.sampled_from(["cut", "restore", "decide", "decide", "take_back"]))
    by: dict[str, Any] = {"by": "ann", "now": world.ACT.now}
    if what == "cut" and (able := world.cuttable(connection)):
        world.cut(connection, *data.draw(st.sampled_from(able)))
    cuts = fetch(connection, "select cut_id from identity_cut where restored_at is null")
    if what == "restore" and cuts:
        world.restore(connection, data.draw(st.sampled_from(cuts))["cut_id"])
    if what == "decide" and (items := profiles.review(state)):
        item = data.draw(st.sampled_from(items))
        decision = data.draw(st.sampled_from(FITTING[item.reason]))
        try:
            profiles.settle(state, item.review_id, decision, **by)
        except profiles.FirstIdentifier:
            return
    apart = [
        each.review_id
        for each in profiles.decided(state)
        if each.decision == "apart" and each.taken_back_at is None
    ]
    if what == "take_back" and apart:
        profiles.take_back(state, data.draw(st.sampled_from(apart)), **by)


def look(world: ModuleType, connection: Connection) -> dict[str, object]:
    return world.look(connection) | {
        name: fetch(connection, query) for name, query in DECIDED.items()
    }


@EXAMPLES
@given(data=st.data())
def test_what_was_decided_comes_again_from_the_log(
    stores: Stores, world: ModuleType, data: st.DataObject
) -> None:
    messages = world.numbered(data.draw(world.MESSAGES))
    early = data.draw(st.integers(1, len(messages)))
    log: Any = Heard()
    with world.undone(stores, world.RULES) as connection:
        state: Any = OneConnection(connection)
        world.resolve(connection, messages[:early], set())
        for _ in range(data.draw(st.integers(1, 4))):
            act(data, world, state)
            if data.draw(st.booleans()):
                profiles.tell(state, log, now=world.ACT.now)
        world.resolve(connection, messages[early:], set())
        act(data, world, state)
        profiles.tell(state, log, now=world.ACT.now)
        live = look(world, connection)
        assert profiles.hear(connection, log.events()) == 0
    with world.undone(stores, world.RULES) as connection:
        world.resolve(connection, data.draw(st.permutations(messages)), {3})
        profiles.hear(connection, log.events())
        assert look(world, connection) == live
        assert profiles.hear(connection, log.events()) == 0
