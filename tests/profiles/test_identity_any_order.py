"""Identity is a function of the set of events: checked against a naive model.

The program gets the messages shuffled and cut into batches, and must come to the same groups,
links, traits and times as the model that reads them in order.
"""

from __future__ import annotations

from types import ModuleType

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune.storage import Stores, fetch

EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
PLACES = st.sets(st.integers(1, 13), max_size=5)


@EXAMPLES
@given(data=st.data(), places=PLACES)
def test_any_order_and_any_batches_come_to_what_happened(
    stores: Stores, world: ModuleType, data: st.DataObject, places: set[int]
) -> None:
    messages = world.numbered(data.draw(world.MESSAGES))
    shuffled = data.draw(st.permutations(messages))
    with world.undone(stores, world.RULES) as connection:
        world.resolve(connection, shuffled, places)
        assert world.look(connection) == world.Model(messages).known()


@EXAMPLES
@given(data=st.data())
def test_events_that_come_again_change_nothing(
    stores: Stores, world: ModuleType, data: st.DataObject
) -> None:
    messages = world.numbered(data.draw(world.MESSAGES))
    again = data.draw(st.lists(st.sampled_from(messages), max_size=6))
    with world.undone(stores, world.RULES) as connection:
        world.resolve(connection, messages, set())
        before = world.look(connection), fetch(connection, "select * from profile_change")
        world.resolve(connection, again, {2})
        assert (world.look(connection), fetch(connection, "select * from profile_change")) == before


@EXAMPLES
@given(data=st.data(), places=PLACES)
def test_cuts_hold_whatever_comes_later_and_are_undone_without_a_trace(
    stores: Stores, world: ModuleType, data: st.DataObject, places: set[int]
) -> None:
    messages = world.numbered(data.draw(world.MESSAGES))
    early = data.draw(st.integers(0, len(messages)))
    shuffled = data.draw(st.permutations(messages))
    with world.undone(stores, world.RULES) as connection:
        world.resolve(connection, shuffled[:early], places)
        cut_ids = []
        for _ in range(2):
            if able := world.cuttable(connection):
                cut_ids.append(world.cut(connection, *data.draw(st.sampled_from(able))))
        cuts = world.cuts_of(connection)
        assert world.look(connection) == world.Model(shuffled[:early], cuts).known()
        world.resolve(connection, shuffled[early:], places)
        assert world.look(connection) == world.Model(messages, cuts).known()
        for cut_id in data.draw(st.permutations(cut_ids)):
            world.restore(connection, cut_id)
        assert world.look(connection) == world.Model(messages).known()
