"""`opportune rebuild`: what differs, and putting it right."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack

import msgspec
import pytest

from opportune import pipeline, worker
from opportune.storage import Frame, Stores

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def known(stores: Stores) -> None:
    """One person, of one message."""
    message = {"type": "identify", "messageId": "m", "userId": "u", "traits": {"n": 1}}
    with ExitStack() as stack:
        log = stores.open_log(stack)
        body = msgspec.json.encode({"batch": [message]})
        log.append(Frame(received_at_us=1, source_id="shop", kind="batch", body=body)).result()
        ingest = pipeline.Ingest(stores, worker.decoders(stores))
        ingest.catch_up()
        ingest.close()


def test_it_says_table_by_table_whether_all_is_equal(run: Run) -> None:
    code, out, _ = run("rebuild", "--compare")
    assert code == 0
    assert out.splitlines()[0] == "1 events"
    assert "  profile                         1            1  equal" in out
    assert out.splitlines()[-1] == "What the events come to is what is there."


def test_what_differs_ends_with_1_until_it_is_swapped(run: Run, stores: Stores) -> None:
    stores.state.rows("update profile set traits = '{}'")
    code, out, _ = run("rebuild")
    assert (code, "0 only live, 0 only rebuilt, 1 differ" in out) == (1, True)
    code, out, _ = run("rebuild", "--swap", "--json")
    said = json.loads(out)
    assert (code, said["equal"], said["swapped"]) == (0, False, True)
    assert stores.state.rows("select traits from profile") == [{"traits": {"n": 1}}]
    assert run("rebuild", "--compare", "--swap")[0] == 2
