"""Every destination that was told of a person is told to forget it, and then nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opportune import activation, privacy, project, segments
from opportune.activation import CALLS_AT_ONCE, reach, send_due
from opportune.storage import Connection, SegmentLog, State

ANA = "c000013"
NEEDLES = (ANA, "ana.maria@mail.example", "visitor-0815-ana")
MOMENT = datetime(2026, 3, 4, 7, tzinfo=UTC)
LATER = MOMENT + timedelta(hours=3)
COMMON = {"title": "x", "secret": "OPPORTUNE_SECRET_X", "url": "http://127.0.0.1:1"}
DESTINATIONS: dict[str, dict[str, object]] = {
    "files": {"title": "x", "connector": "file", "events": ["Order Completed"]},
    "hook": {**COMMON, "connector": "webhook", "audiences": ["ads"]},
    "ads": {**COMMON, "connector": "segment", "audiences": ["ads"], "events": ["*"]},
    "never": {"title": "x", "connector": "file", "events": ["Something Else"]},
}


def define(life: Any, kind: str, name: str, body: object) -> None:
    life.stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values (%(kind)s, %(name)s, 1, %(body)s::jsonb, now())",
        {"kind": kind, "name": name, "body": json.dumps(body)},
    )


@pytest.fixture
def told(life: Any) -> Any:
    """A shop whose destinations were told of Ana and of somebody else."""
    tell(life)
    return life


def tell(life: Any) -> None:
    state = life.stores.state
    define(life, "segment", "buyers", {"rule": {"event": "Order Completed"}})
    define(life, "audience", "ads", {"segments": ["buyers"]})
    for name, body in DESTINATIONS.items():
        define(life, "destination", name, body)
    segments.sync(state, now=MOMENT)
    segments.fill(life.stores, now=MOMENT)
    messages = [
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"order-{user}",
            "userId": user,
            "timestamp": MOMENT.isoformat(),
        }
        for user in (ANA, "c000002")
    ]
    life.send(*messages, at=MOMENT)
    life.take_in()
    publish(life)
    state.rows("update outbox set state = 'sent' where message is not null")


def publish(life: Any) -> int:
    defined = project.read(life.stores.state)
    publishing = activation.Publishing(
        audiences=defined.audiences,
        destinations=defined.destinations,
        segments=defined.segments,
        policies=defined.field_policies,
    )
    return activation.publish(life.stores.state, publishing, now=MOMENT)


def notices(life: Any) -> list[tuple[str, str, str]]:
    rows = life.stores.state.rows(
        "select use_case, message from outbox where key like '%/forgotten:%' order by use_case"
    )
    found = []
    for row in rows:
        message = json.loads(row["message"])
        found.append((row["use_case"].partition("/")[2], message["event"], message["userId"]))
    return found


@pytest.mark.parametrize("mode", ["erase", pytest.param("anonymise", marks=pytest.mark.slow)])
def test_who_was_told_is_told_to_delete_and_nothing_is_left(told: Any, mode: privacy.Mode) -> None:
    state = told.stores.state
    asked = told.ask(mode=mode)
    assert privacy.is_asked(told.stores, now=LATER)
    assert told.carry_out(now=LATER) == []
    expected = [
        ("ads", "Audience Exited", ANA),
        ("files", "User Deleted", ANA),
        ("hook", "User Deleted", ANA),
    ]
    assert notices(told) == expected
    assert not privacy.is_asked(told.stores, now=LATER)
    assert told.carry_out(now=LATER) == []
    assert notices(told) == expected, "they are told once"
    while publish(told):
        pass
    waiting = state.rows("select key from outbox where message is not null and state = 'pending'")
    assert len(waiting) == len(notices(told)) == 3, "nobody comes back while that is waited for"
    assert privacy.request(state, asked.request_id).step == "telling destinations"
    state.rows("update outbox set state = 'sent' where key like '%/forgotten:%'")
    assert privacy.is_asked(told.stores, now=LATER)
    assert told.carry_out(now=LATER) == [asked.request_id]
    assert told.found(*NEEDLES) == []
    done = privacy.request(state, asked.request_id).done
    assert {name: each for name, each in done.items() if "told." in name} == {
        "told.ads": 1,
        "told.files": 1,
        "told.hook": 1,
    }
    before = state.rows("select value from audience_published order by value")
    while publish(told):
        pass
    assert before == state.rows("select value from audience_published order by value")
    assert before != []
    assert not {row["value"][:10] for row in before} & {ANA, "forgotten-"}


def test_a_destination_that_cannot_be_reached_is_not_waited_for_for_ever(told: Any) -> None:
    asked = told.ask()
    assert told.carry_out(now=LATER) == []
    late = LATER + timedelta(hours=1)
    assert privacy.is_asked(told.stores, now=late)
    assert told.carry_out(now=late) == [asked.request_id]
    assert told.found(*NEEDLES) == []
    done = privacy.request(told.stores.state, asked.request_id).done
    assert done["not_told.hook"] == 1


def test_a_file_is_handed_over_with_nothing_but_the_identifier(told: Any) -> None:
    told.ask()
    told.carry_out(now=LATER)
    destination = project.read(told.stores.state).destinations["files"]
    with (
        closing(SegmentLog(told.stores.settings.log_folder)) as log,
        ThreadPoolExecutor(CALLS_AT_ONCE) as pool,
        ExitStack() as stack,
    ):
        settings = replace(told.stores.settings, destination_settle_s=0.0)
        clock = lambda: datetime.now(UTC)  # noqa: E731
        channel = reach(destination, settings, clock=clock, stack=stack)
        assert send_due(told.stores.state, channel, log, now=LATER, pool=pool)["sent"] == 1
    (part,) = (told.stores.settings.outgoing_folder / "files").glob("*.jsonl")
    (message,) = [json.loads(line) for line in part.read_text().splitlines()]
    assert message.pop("messageId").startswith("forgotten:")
    assert message == {
        "type": "delete",
        "event": "User Deleted",
        "userId": ANA,
        "anonymousId": None,
        "timestamp": "2026-03-04T10:00:00.000000Z",
        "context": {"opportune": {"destination": "files"}},
    }
    late = LATER + timedelta(hours=1)
    assert len(told.carry_out(now=late)) == 1
    places = [place for place in told.found(ANA) if "/outgoing/" not in place]
    assert places == []


class Killed(BaseException):
    """The process is gone."""


class MortalState(State):
    """Dies before, within or after its nth transaction."""

    def __init__(self, url: str, at: int) -> None:
        super().__init__(url)
        self.at, self.passed = at, 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._step()
        with super().transaction() as connection:
            yield connection
            self._step()
        self._step()

    def _step(self) -> None:
        self.passed += 1
        if self.passed - 1 == self.at:
            raise Killed


@pytest.mark.slow
@pytest.mark.xdist_group("killed")
def test_killed_while_it_tells_it_tells_everybody_once(shop: Any) -> None:
    expected = {("ads", "Audience Exited", ANA), ("files", "User Deleted", ANA)}
    expected |= {("hook", "User Deleted", ANA)}
    at = kills = 0
    while True:
        with shop.copy() as life:
            tell(life)
            asked = life.ask()
            mortal = MortalState(life.stores.database_url, at)
            try:
                assert replace(life, stores=replace(life.stores, state=mortal)).carry_out() == []
            except Killed:
                kills += 1
            done = mortal.passed <= at
            mortal.close()
            assert life.carry_out() == []
            assert (len(notices(life)), {*notices(life)}) == (3, expected)
            life.stores.state.rows("update outbox set state = 'sent' where message is not null")
            assert life.carry_out() == [asked.request_id]
            assert life.found(*NEEDLES) == []
        if done:
            break
        at += 4
    assert kills > 5
