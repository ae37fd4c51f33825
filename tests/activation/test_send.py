"""What is due is handed over once, whatever goes wrong: against the sandbox, over HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import uvicorn

from opportune.activation import (
    Answer,
    Channel,
    Connector,
    Delivery,
    Request,
    Send,
    Transport,
    abandon,
    enquire,
    send_due,
)
from opportune.activation.connectors import connector
from opportune.decisions import Activation, Dimension, Option, UseCase
from opportune.errors import InvalidInput
from opportune.events import LIMITS, Decoded, decode_segment
from opportune.sandbox import CAMPAIGN_ID, SandboxConfig, create_app
from opportune.storage import Frame, LogUnavailable, SegmentLog, Stores, load_sql, read_frames

DAY = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
NINE = MIDNIGHT + timedelta(hours=9)
KEY = "test-key"
CUSTOMERS = 300
# Waits of the outbox are real time: none at all, so that nothing here waits for the clock.
SETTLE_S = 0.0


@dataclass(frozen=True)
class Sandbox:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, f"/_sandbox/{path}", json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def faults(self, *names: str) -> None:
        self.ask("POST", "faults", {"faults": list(names)})

    def sends(self) -> tuple[int, int, int]:
        """Messages, customers, and the most that one got in a day."""
        counted = self.ask("GET", "sends")
        return counted["sends"], counted["customers"], counted["most_per_customer_and_day"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    config = SandboxConfig(api_key=KEY, customers=CUSTOMERS, seed=1, start=DAY, silence_s=5)
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), log_level="critical", timeout_graceful_shutdown=1)
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        until = time.monotonic() + 10
        while not server.started and time.monotonic() < until:
            time.sleep(0.005)
        started = Sandbox(port=listener.getsockname()[1])
        started.ask("POST", "clock", {"now": NINE.isoformat()})
        yield started
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture
def log(stores: Stores) -> Iterator[SegmentLog]:
    opened = SegmentLog(stores.settings.log_folder)
    yield opened
    opened.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def use_case(name: str = "win_back", **config: str) -> UseCase:
    return UseCase(
        name=name,
        version=1,
        title=name,
        success_metric="orders",
        audience=("everybody",),
        minus=(),
        features=(),
        dimensions=(
            Dimension(
                name="offer", meaning="choice", options=(Option(name="bundle", eligible=None),)
            ),
        ),
        control_share=0.1,
        policy="uniform",
        decide_at=MIDNIGHT.time(),
        activation=Activation(connector="braze", config={"campaign_id": CAMPAIGN_ID, **config}),
    )


@pytest.fixture
def channel(sandbox: Sandbox) -> Iterator[Channel]:
    with Transport(sandbox.url, KEY, pool_size=8, read_timeout_s=0.4) as transport:
        yield Channel(
            use_case=use_case(),
            connector=connector("braze"),
            call=transport.call,
            settle_s=SETTLE_S,
        )


def fill(
    stores: Stores,
    customers: int | Sequence[int],
    *,
    day: date = DAY,
    name: str = "win_back",
    due_at: datetime = NINE,
) -> None:
    """Put a pending row a customer into the outbox."""
    chosen = range(1, customers + 1) if isinstance(customers, int) else customers
    stores.state.rows(
        "insert into outbox"
        " (key, use_case, day, connector, profile_id, user_id, properties, due_at)"
        " select %(prefix)s || lpad(n::text, 6, '0'),"
        " %(name)s, %(day)s, 'braze', n, 'c' || lpad(n::text, 6, '0'), '{\"offer\": \"bundle\"}',"
        " %(due_at)s from unnest(%(numbers)s::int[]) as n",
        {
            "prefix": f"{name}:{day:%Y%m%d}:",
            "name": name,
            "day": day,
            "numbers": list(chosen),
            "due_at": due_at,
        },
    )


def states(stores: Stores) -> dict[str, int]:
    rows = stores.state.rows("select state, count(*)::int as n from outbox group by state")
    return {row["state"]: row["n"] for row in rows}


def outbox(stores: Stores) -> list[dict[str, Any]]:
    return stores.state.rows(
        "select key, state, attempts, attempted_at, dispatch_id, reason, round(extract(epoch from"
        " greatest(leased_until, '2000-01-01') - clock_timestamp()))::int as wait_s"
        " from outbox order by key"
    )


def events(stores: Stores) -> list[tuple[str, str, dict[str, Any]]]:
    """What came back through the log: (event, message id, properties), repeats included."""
    frames, _ = read_frames(stores.settings.log_folder, {}, limit_bytes=100_000_000)
    decoded = [decode_segment(frame) for frame in frames]
    assert [each.rejects for each in decoded if each.rejects] == []
    return [
        (str(event.event), event.message_id, json.loads(event.properties or "{}"))
        for each in decoded
        for event in each.events
    ]


def expire(stores: Stores) -> None:
    """Let every lease and every wait be over."""
    stores.state.rows("update outbox set leased_until = clock_timestamp() - interval '1 s'")


@dataclass(frozen=True)
class Sender:
    """The verbs with everything they need."""

    stores: Stores
    log: SegmentLog
    pool: ThreadPoolExecutor
    channel: Channel

    def send(self, channel: Channel | None = None, *, now: datetime = NINE) -> Counter[str]:
        used = channel or self.channel
        return send_due(self.stores.state, used, self.log, now=now, pool=self.pool)

    def ask(self, channel: Channel | None = None, *, now: datetime = NINE) -> Counter[str]:
        used = channel or self.channel
        return enquire(self.stores.state, used, self.log, now=now, pool=self.pool)

    def until_settled(self, *, rounds: int = 60) -> None:
        """Work as the worker does, with all waits over, until nothing is open."""
        for _ in range(rounds):
            abandon(self.stores.state, settle_s=SETTLE_S, takeover=True)
            expire(self.stores)
            self.send()
            self.ask()
            if states(self.stores).keys() <= {"sent", "failed"}:
                return
        raise AssertionError(states(self.stores))


@pytest.fixture
def sender(stores: Stores, log: SegmentLog, pool: ThreadPoolExecutor, channel: Channel) -> Sender:
    return Sender(stores, log, pool, channel)


class Killed(BaseException):
    """Ends everything, as kill -9 does."""


def answering(channel: Channel, call: Any) -> Channel:
    return replace(channel, call=call)


# --- the plain way -------------------------------------------------------------------------------


def test_what_is_due_is_sent_once_and_comes_back_as_one_event_each(
    sender: Sender, sandbox: Sandbox
) -> None:
    fill(sender.stores, 120)
    assert sender.send() == Counter(sent=120)
    assert sender.send() == Counter()
    assert sandbox.sends() == (120, 120, 1)
    rows = outbox(sender.stores)
    assert {(row["state"], row["attempts"], row["reason"]) for row in rows} == {("sent", 1, "")}
    assert len({row["dispatch_id"] for row in rows}) == 3
    came_back = events(sender.stores)
    assert [name for name, _, _ in came_back] == ["Message Sent"] * 120
    assert {identity for _, identity, _ in came_back} == {f"delivery:{row['key']}" for row in rows}
    by_key = {row["key"]: row["dispatch_id"] for row in rows}
    key = "win_back:20260301:000007"
    (properties,) = [p for _, identity, p in came_back if identity == f"delivery:{key}"]
    assert properties == {
        "decision_id": key,
        "use_case": "win_back",
        "connector": "braze",
        "dispatch_id": by_key[key],
        "reason": None,
    }


def test_the_message_carries_the_options_and_the_decision(sender: Sender, sandbox: Sandbox) -> None:
    fill(sender.stores, [7])
    sender.send()
    (call,) = sandbox.ask("GET", "journal")["calls"]
    assert call["messages"] == [
        {
            "external_user_id": "c000007",
            "trigger_properties": {"offer": "bundle", "decision_id": "win_back:20260301:000007"},
        }
    ]


def test_nothing_is_sent_before_it_is_due_nor_for_another_use_case(
    sender: Sender, sandbox: Sandbox
) -> None:
    fill(sender.stores, [1], due_at=NINE + timedelta(seconds=1))
    fill(sender.stores, [2], name="other")
    assert sender.send() == Counter()
    assert sandbox.sends() == (0, 0, 0)
    assert sender.send(now=NINE + timedelta(seconds=1)) == Counter(sent=1)
    assert states(sender.stores) == {"pending": 1, "sent": 1}


def test_a_batch_is_what_all_connections_can_carry_the_rest_waits_its_turn(
    sender: Sender, sandbox: Sandbox
) -> None:
    small = replace(sender.channel, connector=Slow(calls_per_hour=4))
    assert (sender.channel.batch, small.batch) == (1200, 100)
    fill(sender.stores, 300)
    counts = [sender.send(small)["sent"] for _ in range(2)]
    assert counts == [100, 0]
    assert states(sender.stores) == {"sent": 100, "pending": 200}
    assert {row["attempts"] for row in outbox(sender.stores) if row["state"] == "pending"} == {0}
    assert sandbox.sends() == (100, 100, 1)


def test_even_one_call_an_hour_is_made(sender: Sender) -> None:
    slowest = replace(sender.channel, connector=Slow(calls_per_hour=1))
    fill(sender.stores, 60)
    assert [sender.send(slowest)["sent"] for _ in range(2)] == [50, 0]


def test_one_frame_of_events_holds_no_more_than_one_may(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sender.stores, 120)
    monkeypatch.setattr("opportune.activation.send.LIMITS", replace(LIMITS, messages=50))
    sender.send()
    frames, _ = read_frames(sender.stores.settings.log_folder, {}, limit_bytes=10_000_000)
    sizes = [len(decode_segment(frame).events) for frame in frames]
    assert sizes == [50, 50, 20]


def test_the_event_of_a_use_case_with_a_long_name_is_not_refused(sender: Sender) -> None:
    name = "w" * 90
    fill(sender.stores, 2, name=name)
    long = replace(sender.channel, use_case=use_case(name))
    assert sender.send(long) == Counter(sent=2)
    identities = {identity for _, identity, _ in events(sender.stores)}
    assert {len(identity) for identity in identities} == {len("delivery:") + 32}
    assert len(identities) == 2


# --- trouble on the way --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "state", "sent_already"),
    [
        ("503", "pending", 0),
        ("429", "pending", 0),
        ("500", "unknown", 0),
        ("timeout_before", "unknown", 0),
        ("reset_before", "unknown", 0),
        ("timeout_after", "unknown", 20),
        ("reset_after", "unknown", 20),
        ("500_after", "unknown", 20),
        ("malformed_after", "unknown", 20),
    ],
)
def test_whatever_happens_to_a_call_everybody_gets_one_message(
    sender: Sender, sandbox: Sandbox, fault: str, state: str, sent_already: int
) -> None:
    fill(sender.stores, 20)
    sandbox.faults(fault)
    outcomes = sender.send()
    assert outcomes == Counter({"retry" if state == "pending" else "unknown": 20})
    assert states(sender.stores) == {state: 20}
    assert sandbox.sends()[0] == sent_already
    assert events(sender.stores) == []
    sender.until_settled()
    assert states(sender.stores) == {"sent": 20}
    assert sandbox.sends() == (20, 20, 1)
    assert Counter(name for name, _, _ in events(sender.stores)) == {"Message Sent": 20}


def test_a_storm_of_faults_ends_with_one_message_each(sender: Sender, sandbox: Sandbox) -> None:
    fill(sender.stores, CUSTOMERS)
    storm = ["503", "timeout_after", "none", "reset_after", "500", "429", "500_after", "none"]
    sandbox.faults(*storm, *reversed(storm), "reset_before", "malformed_after")
    sender.until_settled()
    assert states(sender.stores) == {"sent": CUSTOMERS}
    assert sandbox.sends() == (CUSTOMERS, CUSTOMERS, 1)
    identities = [identity for _, identity, _ in events(sender.stores)]
    assert len(identities) == len(set(identities)) == CUSTOMERS


def test_a_receiver_that_is_down_costs_nothing_but_time(sender: Sender, sandbox: Sandbox) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        fill(sender.stores, 60)
        with Transport(f"http://127.0.0.1:{nobody.getsockname()[1]}", KEY) as transport:
            down = answering(sender.channel, transport.call)
            assert sender.send(down) == Counter(retry=60)
    assert states(sender.stores) == {"pending": 60}
    sender.until_settled()
    assert sandbox.sends() == (60, 60, 1)


def test_users_that_the_receiver_refuses_one_by_one_fail_alone(sender: Sender) -> None:
    fill(sender.stores, 3)

    def refuse_second(request: Request) -> Answer:
        errors = [{"type": "bad user", "input_array": "recipients", "index": 1}]
        body = json.dumps({"message": "success", "dispatch_id": "d", "errors": errors}).encode()
        return Answer(status=201, headers={}, body=body, processed=True)

    outcomes = sender.send(answering(sender.channel, refuse_second))
    assert outcomes == Counter(sent=2, failed=1)
    assert [row["state"] for row in outbox(sender.stores)] == ["sent", "failed", "sent"]
    assert [name for name, _, _ in events(sender.stores)] == [
        "Message Sent",
        "Message Failed",
        "Message Sent",
    ]


# --- killed at any point -------------------------------------------------------------------------


@pytest.mark.parametrize("received", [False, True])
def test_killed_around_the_call_a_row_is_asked_about_before_it_is_sent_again(
    sender: Sender, sandbox: Sandbox, *, received: bool
) -> None:
    fill(sender.stores, 20)

    def die(request: Request) -> Answer:
        if received:
            sender.channel.call(request)
        raise Killed

    with pytest.raises(Killed):
        sender.send(answering(sender.channel, die))
    assert states(sender.stores) == {"reserved": 20}
    assert sender.send() == Counter()
    assert abandon(sender.stores.state, settle_s=60.0, takeover=False) == 0
    assert abandon(sender.stores.state, settle_s=60.0, takeover=True) == 20
    assert sender.send() == Counter()
    assert sender.ask() == Counter(), "asked before the receiver had time to settle"
    expire(sender.stores)
    assert sender.send() == Counter()
    assert sender.ask() == Counter({"sent" if received else "retry": 20})
    sender.until_settled()
    assert sandbox.sends() == (20, 20, 1)
    assert len(events(sender.stores)) == 20


def test_a_lease_that_ran_out_gives_the_row_up_without_a_takeover(sender: Sender) -> None:
    fill(sender.stores, 2)
    with pytest.raises(Killed):
        sender.send(answering(sender.channel, _kill))
    expire(sender.stores)
    assert abandon(sender.stores.state, settle_s=60.0, takeover=False) == 2
    row = outbox(sender.stores)[0]
    assert (row["state"], row["wait_s"], row["attempts"]) == ("unknown", 60, 1)
    assert row["reason"] == "the sender stopped before the answer came"


def _kill(request: Request) -> Answer:
    raise Killed


def test_killed_between_log_and_outbox_the_row_comes_back_under_the_same_id(
    sender: Sender, sandbox: Sandbox
) -> None:
    fill(sender.stores, 20)
    dying = replace(sender, log=Log(sender.log, Killed()))
    with pytest.raises(Killed):
        dying.send()
    assert states(sender.stores) == {"reserved": 20}
    assert len(events(sender.stores)) == 20
    sender.until_settled()
    assert states(sender.stores) == {"sent": 20}
    assert sandbox.sends() == (20, 20, 1)
    # Twice in the log, once in the lake: the second one has the first one's id.
    counted = Counter(identity for _, identity, _ in events(sender.stores))
    assert len(counted) == 20
    assert set(counted.values()) == {2}


def test_a_log_that_cannot_be_written_leaves_the_rows_to_be_asked_about(
    sender: Sender, sandbox: Sandbox
) -> None:
    fill(sender.stores, 20)
    broken = replace(sender, log=Log(None, LogUnavailable("disk full")))
    with pytest.raises(LogUnavailable):
        broken.send()
    assert states(sender.stores) == {"reserved": 20}
    abandon(sender.stores.state, settle_s=SETTLE_S, takeover=True)
    with pytest.raises(LogUnavailable):
        broken.ask()
    assert states(sender.stores) == {"unknown": 20}
    assert events(sender.stores) == []
    sender.until_settled()
    assert sandbox.sends() == (20, 20, 1)
    assert len(events(sender.stores)) == 20


def test_retries_need_no_log(sender: Sender, sandbox: Sandbox) -> None:
    fill(sender.stores, 20)
    sandbox.faults("503")
    broken = replace(sender, log=Log(None, LogUnavailable("disk full")))
    assert broken.send() == Counter(retry=20)
    assert states(sender.stores) == {"pending": 20}


@dataclass(frozen=True)
class Log(SegmentLog):
    """A log that fails each append, after it was written where there is one to write to."""

    real: SegmentLog | None
    trouble: BaseException

    def append(self, frame: Frame) -> Future[None]:
        if self.real is not None:
            self.real.append(frame).result()
        failed: Future[None] = Future()
        failed.set_exception(self.trouble)
        return failed


# --- two that take turns -------------------------------------------------------------------------


def test_a_late_answer_to_one_that_was_taken_over_says_sent_and_that_counts(
    sender: Sender, sandbox: Sandbox
) -> None:
    """The other worker asked too early, and would send again."""
    fill(sender.stores, 5)

    def overtaken(request: Request) -> Answer:
        abandon(sender.stores.state, settle_s=SETTLE_S, takeover=True)
        assert sender.ask() == Counter(retry=5)
        assert states(sender.stores) == {"pending": 5}
        return sender.channel.call(request)

    with ThreadPoolExecutor(1) as own:
        overtaking = replace(sender, pool=own, channel=answering(sender.channel, overtaken))
        assert overtaking.send() == Counter(sent=5)
    assert states(sender.stores) == {"sent": 5}
    assert sandbox.sends() == (5, 5, 1)
    assert len(events(sender.stores)) == 5


@pytest.mark.parametrize("fault", ["503", "500"])
def test_a_late_refusal_to_one_that_was_taken_over_changes_nothing(
    sender: Sender, sandbox: Sandbox, fault: str
) -> None:
    """Or the row would be sent again while the other worker's call is under way."""
    fill(sender.stores, 5)
    seen: list[dict[str, int]] = []

    def overtaken(request: Request) -> Answer:
        abandon(sender.stores.state, settle_s=SETTLE_S, takeover=True)
        assert sender.ask() == Counter(retry=5)
        expire(sender.stores)
        with pytest.raises(Killed):
            sender.send(answering(sender.channel, _kill))
        seen.append(states(sender.stores))
        sandbox.faults(fault)
        return sender.channel.call(request)

    with ThreadPoolExecutor(1) as own:
        replace(sender, pool=own).send(answering(sender.channel, overtaken))
    assert seen == [{"reserved": 5}]
    assert states(sender.stores) == {"reserved": 5}
    assert {row["attempts"] for row in outbox(sender.stores)} == {2}


def test_a_row_that_is_settled_is_never_touched_again(sender: Sender) -> None:
    fill(sender.stores, 2)

    def settled_meanwhile(request: Request) -> Answer:
        sender.stores.state.rows("update outbox set state = 'failed', reason = 'by hand'")
        return sender.channel.call(request)

    sender.send(answering(sender.channel, settled_meanwhile))
    assert [(row["state"], row["reason"]) for row in outbox(sender.stores)] == [
        ("failed", "by hand"),
        ("failed", "by hand"),
    ]
    assert events(sender.stores) == []


def test_eight_senders_at_once_send_everything_once(sender: Sender, sandbox: Sandbox) -> None:
    fill(sender.stores, CUSTOMERS)
    narrow = replace(sender.channel, connector=Slow(batch_size=5))

    def work() -> int:
        sent = 0
        with ThreadPoolExecutor(2) as own:
            while found := replace(sender, pool=own).send(narrow):
                sent += found["sent"]
        return sent

    with ThreadPoolExecutor(8) as threads:
        counts = [each.result() for each in [threads.submit(work) for _ in range(8)]]
    assert sum(counts) == CUSTOMERS
    assert sandbox.sends() == (CUSTOMERS, CUSTOMERS, 1)


# --- one user, several rows ----------------------------------------------------------------------


def test_a_user_s_next_row_waits_until_the_last_one_is_settled(
    sender: Sender, sandbox: Sandbox
) -> None:
    """A receiver shows its newest receipt only: it would hide what became of the first."""
    fill(sender.stores, [1])
    sandbox.faults("reset_before")
    assert sender.send() == Counter(unknown=1)
    fill(sender.stores, [1, 2], day=date(2026, 3, 2), due_at=NINE + timedelta(days=1))
    tomorrow = NINE + timedelta(days=1)
    sandbox.ask("POST", "clock", {"now": tomorrow.isoformat()})
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert [row["state"] for row in outbox(sender.stores)] == ["unknown", "pending", "sent"]
    assert sender.ask(now=tomorrow) == Counter(retry=1)
    expire(sender.stores)
    # Both wait for the same user now; the older goes first, the newer in a batch of its own.
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert [row["state"] for row in outbox(sender.stores)] == ["sent", "pending", "sent"]
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert sandbox.sends()[0] == 3


def test_senders_at_once_never_have_two_rows_of_a_user_under_way(
    sender: Sender, sandbox: Sandbox
) -> None:
    for day in range(3):
        fill(sender.stores, 200, day=DAY + timedelta(days=day))
    under_way: Counter[str] = Counter()
    most = 0
    guard = threading.Lock()

    def call(request: Request) -> Answer:
        nonlocal most
        users = [each["external_user_id"] for each in json.loads(request.body)["recipients"]]
        with guard:
            under_way.update(users)
            most = max(most, *under_way.values())
        answer = sender.channel.call(request)
        with guard:
            under_way.subtract(users)
        return answer

    narrow = replace(sender.channel, connector=Slow(batch_size=5), call=call)

    def work() -> None:
        with ThreadPoolExecutor(1) as own:
            while states(sender.stores).get("pending"):
                replace(sender, pool=own).send(narrow)

    with ThreadPoolExecutor(4) as threads:
        for each in [threads.submit(work) for _ in range(4)]:
            each.result()
    assert states(sender.stores) == {"sent": 600}
    assert most == 1


def test_a_receipt_of_the_day_before_does_not_settle_today_s_send(
    sender: Sender, sandbox: Sandbox
) -> None:
    fill(sender.stores, [1])
    assert sender.send() == Counter(sent=1)
    tomorrow = NINE + timedelta(days=1)
    sandbox.ask("POST", "clock", {"now": tomorrow.isoformat()})
    fill(sender.stores, [1], day=date(2026, 3, 2), due_at=tomorrow)
    sandbox.faults("reset_before")
    assert sender.send(now=tomorrow) == Counter(unknown=1)
    assert sender.ask(now=tomorrow) == Counter(retry=1)
    expire(sender.stores)
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert sandbox.sends() == (2, 1, 1)


def test_rows_of_different_days_are_asked_about_each_since_its_own_attempt(
    sender: Sender,
) -> None:
    tomorrow = NINE + timedelta(days=1)
    fill(sender.stores, [1])
    fill(sender.stores, [1], day=date(2026, 3, 2), due_at=tomorrow)
    stores = sender.stores
    stores.state.rows(
        "update outbox set state = 'unknown', attempts = 1, attempted_at = due_at,"
        " leased_until = clock_timestamp()"
    )

    def received_yesterday(request: Request) -> Answer:
        received = [{"api_campaign_id": CAMPAIGN_ID, "last_received": "2026-03-01T09:00:05.000Z"}]
        users = [{"external_id": "c000001", "campaigns_received": received}]
        body = json.dumps({"message": "success", "users": users}).encode()
        return Answer(status=201, headers={}, body=body, processed=True)

    found = sender.ask(answering(sender.channel, received_yesterday), now=tomorrow)
    assert found == Counter(sent=1, retry=1)
    assert [row["state"] for row in outbox(stores)] == ["sent", "pending"]


@pytest.mark.parametrize(("behind_s", "outcome"), [(55, "sent"), (65, "retry")])
def test_a_receiver_s_clock_may_be_a_minute_behind(
    sender: Sender, sandbox: Sandbox, behind_s: int, outcome: str
) -> None:
    fill(sender.stores, [1])
    behind = NINE - timedelta(seconds=behind_s)
    sandbox.ask("POST", "clock", {"now": behind.isoformat()})
    sandbox.faults("reset_after")
    assert sender.send() == Counter(unknown=1)
    assert sender.ask() == Counter({outcome: 1})


# --- waiting -------------------------------------------------------------------------------------


@dataclass
class Slow:
    """Braze's connector with limits of its own, or with answers that are given."""

    batch_size: int = 50
    calls_per_hour: int = 250_000
    outcome: str | None = None
    retry_after_s: float | None = None
    name: str = "slow"
    real: Connector = field(default_factory=lambda: connector("braze"))

    def check_config(self, config: Mapping[str, str]) -> list[str]:
        return []

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return [
            each
            for start in range(0, len(sends), self.batch_size)
            for each in self.real.requests(sends[start : start + self.batch_size], config)
        ]

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        if self.outcome is None:
            return self.real.deliveries(request, answer)
        return [
            Delivery(
                key=key,
                outcome=self.outcome,  # type: ignore[arg-type]  # one of the four, from a test
                reason="as told",
                dispatch_id=None,
                retry_after_s=self.retry_after_s,
            )
            for key in request.keys
        ]

    def enquiries(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return self.real.enquiries(sends, config)

    def findings(
        self, request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
    ) -> list[Delivery]:
        return self.deliveries(request, answer)

    def decode(self, frame: Frame) -> Decoded:
        return self.real.decode(frame)


def told(channel: Channel, outcome: str, retry_after_s: float | None = None) -> Channel:
    return replace(
        channel,
        connector=Slow(outcome=outcome, retry_after_s=retry_after_s, batch_size=2),
        call=lambda request: Answer(status=None, headers={}, body=b"", processed=None),
        settle_s=300.0,
    )


def test_a_failed_try_waits_twice_as_long_as_the_one_before_up_to_an_hour(
    sender: Sender,
) -> None:
    fill(sender.stores, [1])
    waits = []
    for _ in range(10):
        assert sender.send(told(sender.channel, "retry")) == Counter(retry=1)
        waits.append(outbox(sender.stores)[0]["wait_s"])
        expire(sender.stores)
    bounds = [min(30.0 * 2**tries, 3600.0) for tries in range(10)]
    assert all(bound / 2 - 1 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True)), (
        waits
    )
    assert outbox(sender.stores)[0]["attempts"] == 10


def test_what_was_called_together_waits_together_and_other_calls_do_not(sender: Sender) -> None:
    fill(sender.stores, 8)
    sender.send(told(sender.channel, "retry"))
    rows = sender.stores.state.rows("select leased_until from outbox order by key")
    ends = [row["leased_until"].timestamp() for row in rows]
    apart = [abs(a - b) for a, b in zip(ends[::2], ends[1::2], strict=True)]
    assert max(apart) < 0.1
    assert len({round(end, 1) for end in ends[::2]}) == 4


def test_the_wait_is_the_same_in_every_run(sender: Sender) -> None:
    waits = []
    for _ in range(2):
        sender.stores.state.rows("delete from outbox")
        fill(sender.stores, [1])
        sender.send(told(sender.channel, "retry"))
        waits.append(outbox(sender.stores)[0]["wait_s"])
    assert abs(waits[0] - waits[1]) <= 1


@pytest.mark.parametrize(
    ("asked_s", "least", "most"), [(300.0, 299, 330), (7200.0, 3598, 3600), (0.0, -2, 0)]
)
def test_a_wait_that_was_asked_for_is_kept_and_is_no_failed_try(
    sender: Sender, asked_s: float, least: int, most: int
) -> None:
    fill(sender.stores, [1])
    for _ in range(3):
        sender.send(told(sender.channel, "retry", asked_s))
        (row,) = outbox(sender.stores)
        assert least <= row["wait_s"] <= most
        assert (row["state"], row["attempts"]) == ("pending", 0)
        expire(sender.stores)


@pytest.mark.parametrize(("key", "status"), [("wrong", 401), ("restricted", 403)])
def test_a_key_that_is_refused_uses_up_no_tries(
    sender: Sender, sandbox: Sandbox, key: str, status: int
) -> None:
    fill(sender.stores, [1])

    def refuse(request: Request) -> Answer:
        return Answer(status=status, headers={}, body=b"{}", processed=True)

    for _ in range(3):
        assert sender.send(answering(sender.channel, refuse)) == Counter(retry=1)
        (row,) = outbox(sender.stores)
        assert (row["state"], row["attempts"]) == ("pending", 0)
        assert 299 <= row["wait_s"] <= 330
        expire(sender.stores)
    assert sender.send() == Counter(sent=1)
    assert sandbox.sends() == (1, 1, 1)


@pytest.mark.parametrize(("asked_s", "wait_s"), [(None, 300), (900.0, 900), (9999.0, 3600)])
def test_an_unanswered_send_is_not_asked_about_before_the_receiver_has_settled(
    sender: Sender, asked_s: float | None, wait_s: int
) -> None:
    fill(sender.stores, [1])
    channel = told(sender.channel, "unknown", asked_s)
    assert sender.send(channel) == Counter(unknown=1)
    assert outbox(sender.stores)[0]["wait_s"] == pytest.approx(wait_s, abs=1)
    assert sender.ask(channel) == Counter()
    expire(sender.stores)
    assert sender.ask(channel) == Counter(unknown=1)
    assert outbox(sender.stores)[0]["wait_s"] == pytest.approx(wait_s, abs=1)
    assert outbox(sender.stores)[0]["attempts"] == 1


# --- a connector or a limit in the way -----------------------------------------------------------


class BadConfig(InvalidInput):
    """As a connector may raise for settings that it cannot use."""

    code = "bad_config_of_a_test"


@dataclass
class Refusing(Slow):
    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        raise BadConfig("no campaign")


def test_where_no_call_can_be_written_nothing_is_reserved(sender: Sender) -> None:
    fill(sender.stores, 3)
    with pytest.raises(BadConfig):
        sender.send(replace(sender.channel, connector=Refusing()))
    assert {(row["state"], row["attempts"]) for row in outbox(sender.stores)} == {("pending", 0)}
    assert sender.stores.state.rows("select count(*)::int as n from bucket") == [{"n": 0}]


def test_with_nothing_due_a_connector_is_not_even_asked(sender: Sender) -> None:
    assert sender.send(replace(sender.channel, connector=Refusing())) == Counter()


def test_used_up_calls_reserve_nothing_and_come_back_with_time(sender: Sender) -> None:
    fill(sender.stores, 100)
    slow = replace(sender.channel, connector=Slow(calls_per_hour=2, name="limited"))
    assert slow.batch == 50
    assert sender.send(slow) == Counter(sent=50)
    assert sender.send(slow) == Counter()
    assert states(sender.stores) == {"sent": 50, "pending": 50}
    sender.stores.state.rows("update bucket set filled_at = filled_at - interval '1 hour'")
    assert sender.send(slow) == Counter(sent=50)


def test_the_bucket_never_gives_more_than_an_hour_allows(stores: Stores) -> None:
    """Eight at once, on a limit whose half refills in a second: an hour's worth of a tiny hour."""
    sql = load_sql("opportune.activation", "take_tokens")
    facts = {"name": "b", "tokens": 3, "capacity": 50.0, "per_second": 50.0}
    ends = time.monotonic() + 1.0

    def take() -> int:
        taken = 0
        while time.monotonic() < ends:
            taken += 3 * len(stores.state.rows(sql, facts))
        return taken

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        total = sum(each.result() for each in [threads.submit(take) for _ in range(8)])
    spent_s = time.monotonic() - began
    assert 48 <= total <= 50 + 50 * spent_s
    assert total > 50, "it did not refill"


def test_a_bucket_holds_no_more_than_its_capacity_and_a_clock_set_back_takes_nothing(
    stores: Stores,
) -> None:
    sql = load_sql("opportune.activation", "take_tokens")
    facts = {"name": "b", "tokens": 4, "capacity": 10.0, "per_second": 0.0}

    def take() -> list[float]:
        return [row["tokens"] for row in stores.state.rows(sql, facts)]

    assert [take(), take(), take()] == [[6.0], [2.0], []]
    stores.state.rows("update bucket set filled_at = clock_timestamp() - interval '9 hours'")
    facts["per_second"] = 1.0
    assert take() == [6.0]
    stores.state.rows("update bucket set filled_at = clock_timestamp() + interval '9 hours'")
    assert take() == [2.0]
