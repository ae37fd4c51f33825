"""Which decision earned an outcome, and when that is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pytest

from opportune import events, profiles, rules
from opportune.decisions import DECISIONS, Activation, Dimension, Option, UseCase
from opportune.events import EVENTS, Aggregate, Metric
from opportune.learning import REWARDS, reward
from opportune.storage import Stores

DAY = date(2026, 3, 1)
AT = datetime(2026, 3, 1, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
WINDOW = timedelta(days=2)
ORDERS = Metric(
    name="orders",
    title="Orders",
    event="Order Completed",
    property=None,
    unit="orders",
    window_days=2,
)
REVENUE = Metric(
    name="revenue",
    title="Revenue",
    event="Order Completed",
    property="revenue",
    unit="EUR",
    window_days=2,
)
USE_CASE = UseCase(
    name="next",
    version=1,
    title="Next",
    success_metric="orders",
    audience=(),
    minus=(),
    features=(),
    dimensions=(
        Dimension(name="offer", meaning="choice", options=(Option(name="tv", eligible=None),)),
    ),
    control_share=0.1,
    policy="uniform",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
)
Decide = Callable[..., None]
Order = Callable[..., None]


@pytest.fixture
def known(stores: Stores) -> dict[str, int]:
    """Three profiles, "u1" to "u3": their ids."""
    events.create_tables(stores.lake)
    stores.lake.create("decisions", DECISIONS)
    with stores.state.transaction() as connection:
        rows = [_event("identify", AT - timedelta(days=9), user_id=f"u{n}") for n in (1, 2, 3)]
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))
    return _owners(stores)


def _owners(stores: Stores) -> dict[str, int]:
    return {
        row["value"]: row["profile_id"] for row in profiles.identifiers(stores.state).to_pylist()
    }


def _event(kind: str, at: datetime, **more: object) -> dict[str, object]:
    at_us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
    return {
        "message_id": f"m{at_us}",
        "source_id": "shop",
        "type": kind,
        "occurred_at": at,
        "occurred_at_us": at_us,
        "received_at": at,
        "received_at_us": at_us,
        **more,
    }


@pytest.fixture
def decide(stores: Stores, known: dict[str, int]) -> Decide:
    """Log decisions of a day for users, in one commit."""

    def log(
        *users: str,
        day: date = DAY,
        at: datetime | None = None,
        use_case: str = "next",
        waits: timedelta | None = None,
        action: str = "tv",
    ) -> None:
        decided_at = at or datetime.combine(day, time(6), tzinfo=UTC)
        rows = [
            {
                "decision_id": decision_id(user, day, use_case),
                "use_case": use_case,
                "version": 1,
                "day": day,
                "profile_id": known[user],
                "user_id": user,
                "variant": "control" if user == "u3" else "treatment",
                "action": [action],
                "propensity": 1.0,
                "dimension_propensities": [1.0],
                "eligible": [1],
                "policy_version": "p",
                "explored": False,
                "decided_at": decided_at,
                "due_at": None if waits is None else decided_at + waits,
                "decided_at_us": (decided_at - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND,
            }
            for user in users
        ]
        stores.lake.append("decisions", pa.Table.from_pylist(rows, schema=DECISIONS))

    return log


def decision_id(user: str, day: date = DAY, use_case: str = "next") -> str:
    return f"{use_case}:{day:%Y%m%d}:{user}"


@pytest.fixture
def order(stores: Stores, known: dict[str, int]) -> Order:
    """Record an order, its properties as a mapping or as the text that a client sent."""
    count = iter(range(1_000))

    def record(
        user: str | None,
        at: datetime,
        properties: object = None,
        *,
        anonymous_id: str | None = None,
        event: str = "Order Completed",
        kind: str = "track",
        page: str | None = None,
        source_id: str = "shop",
    ) -> None:
        text = properties if isinstance(properties, str) else json.dumps(properties or {})
        row = _event(
            kind, at, user_id=user, anonymous_id=anonymous_id, event=event, properties=text
        ) | {"message_id": f"order-{next(count)}", "source_id": source_id}
        if page is not None:
            row["context"] = json.dumps({"page": {"url": page}})
        stores.lake.append("events", pa.Table.from_pylist([row], schema=EVENTS))

    return record


def rewards(stores: Stores) -> dict[tuple[str, int], float]:
    """Return what each user earned, by user and number of the day."""
    return {
        (row["decision_id"].split(":")[2], (row["day"] - DAY).days): row["reward"]
        for row in stores.lake.read("rewards").to_pylist()
    }


def earned(
    stores: Stores, metric: Metric = ORDERS, *, now: datetime = AT + 20 * WINDOW
) -> dict[tuple[str, int], float]:
    reward(stores, USE_CASE, metric, now=now)
    return rewards(stores)


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def test_a_reward_says_whose_it_is_and_zero_is_one_too(
    stores: Stores, decide: Decide, order: Order, known: dict[str, int]
) -> None:
    decide("u1", "u3")
    order("u1", AT + SECOND)
    now = AT + WINDOW
    assert reward(stores, USE_CASE, ORDERS, now=now) == [DAY]
    found = stores.lake.read("rewards")
    assert found.schema.names == REWARDS.names
    at_us = (AT - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
    common = {"use_case": "next", "day": DAY, "matured_at": now, "metric": "orders"}
    common["began_at_us"] = at_us
    assert found.to_pylist() == [
        common
        | {
            "decision_id": decision_id("u1"),
            "profile_id": known["u1"],
            "variant": "treatment",
            "reward": 1.0,
            "first_at_us": at_us + 1_000_000,
            "last_at_us": at_us + 1_000_000,
        },
        common
        | {
            "decision_id": decision_id("u3"),
            "profile_id": known["u3"],
            "variant": "control",
            "reward": 0.0,
            "first_at_us": None,
            "last_at_us": None,
        },
    ]


def test_outcomes_of_a_profile_add_up_and_other_events_do_not_count(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", "u2")
    order("u1", AT + SECOND)
    order("u1", AT + 2 * SECOND)
    order("u1", AT + SECOND, event="Order Cancelled")
    order("u1", AT + SECOND, kind="page")
    order("nobody", AT + SECOND)
    assert earned(stores) == {("u1", 0): 2.0, ("u2", 0): 0.0}


@pytest.mark.parametrize("named", [True, False], ids=["named", "by time"])
@pytest.mark.parametrize(
    ("after", "value"),
    [
        (-MICROSECOND, 0.0),
        (timedelta(0), 1.0),
        (WINDOW - MICROSECOND, 1.0),
        (WINDOW, 0.0),
    ],
    ids=["just before", "at once", "just inside", "just outside"],
)
def test_the_window_is_exact_to_the_microsecond(
    stores: Stores, decide: Decide, order: Order, after: timedelta, value: float, named: bool
) -> None:
    at = AT + 3 * MICROSECOND
    decide("u1", at=at)
    order("u1", at + after, {"decision_id": decision_id("u1")} if named else {})
    assert earned(stores) == {("u1", 0): value}


def test_the_newest_decision_before_the_outcome_has_it(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", day=day(0))
    decide("u1", day=day(1))
    decide("u1", day=day(2))
    order("u1", AT + timedelta(days=1, seconds=1))
    assert earned(stores) == {("u1", 0): 0.0, ("u1", 1): 1.0, ("u1", 2): 0.0}


def test_an_outcome_counts_for_the_decision_that_it_names_and_for_no_other(
    stores: Stores, decide: Decide, order: Order
) -> None:
    for number in (0, 1, 2):
        decide("u1", day=day(number))
    order("u1", AT + timedelta(days=1, hours=1), {"decision_id": decision_id("u1")})
    assert earned(stores) == {("u1", 0): 1.0, ("u1", 1): 0.0, ("u1", 2): 0.0}


def test_the_named_decision_has_it_whichever_day_is_written_first(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", day=day(0))
    decide("u1", day=day(1))
    order("u1", AT + timedelta(days=1, hours=1), {"decision_id": decision_id("u1")})
    assert earned(stores, now=AT + WINDOW) == {("u1", 0): 1.0}
    assert earned(stores) == {("u1", 0): 1.0, ("u1", 1): 0.0}


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/tv?d=next:20260301:u1",
        "https://shop.example/tv?id=7&d=next:20260301:u1&utm_source=mail#top",
    ],
)
@pytest.mark.parametrize("is_page", [False, True], ids=["url", "page"])
def test_the_link_that_led_there_names_the_decision(
    stores: Stores, decide: Decide, order: Order, url: str, is_page: bool
) -> None:
    decide("u1", day=day(0))
    decide("u1", day=day(1))
    at = AT + timedelta(days=1, hours=1)
    order("u1", at, None if is_page else {"url": url}, page=url if is_page else None)
    # What the event says itself goes before the page it happened on.
    order("u1", at, {"decision_id": decision_id("u1", day(1))}, page=url)
    # No parameter of that name, and one that names nothing.
    order("u1", at, {"url": url.replace("d=", "dd=")})
    order("u1", at, {"url": url.replace("u1", "u2")})
    assert earned(stores) == {("u1", 0): 1.0, ("u1", 1): 3.0}


CLICKS = replace(ORDERS, event="Message Clicked")


@pytest.mark.parametrize("is_early", [False, True], ids=["after the answer", "before it"])
def test_engagement_goes_to_the_decision_whose_send_was_in_the_call_that_it_names(
    stores: Stores, decide: Decide, order: Order, is_early: bool
) -> None:
    """Two decisions of each are open, and a call has many users."""

    def settle(user: str, number: int, source_id: str = events.OURS) -> None:
        order(
            user,
            AT + timedelta(days=number, minutes=1),
            {
                "decision_id": decision_id(user, day(number)),
                "use_case": "next",
                "dispatch_id": f"call {number}",
            },
            event="Message Sent",
            source_id=source_id,
        )

    def click(user: str, call: object, **named: object) -> None:
        at = AT + timedelta(days=1, hours=1)
        order(user, at, {"dispatch_id": call, **named}, event="Message Clicked")

    decide("u1", "u2", day=day(0))
    decide("u1", "u2", day=day(1))
    for part in (False, True) if is_early else (True, False):
        if part:
            settle("u1", 0)
            settle("u1", 1)
            settle("u2", 1)
            # What anybody else says of sends is not believed.
            settle("u2", 0, source_id="shop")
        else:
            click("u1", "call 0")
            click("u1", "call 1")
            click("u1", "call 0")
            # No call of ours, none at all, a call with others, and one that a link overrules.
            click("u1", "call 7")
            click("u1", None)
            click("u2", "call 0")
            click("u1", "call 0", decision_id=decision_id("u1", day(1)))
    # Day by day: the send of the first day is older than all that is asked of the second.
    assert earned(stores, CLICKS, now=AT + WINDOW) == {("u1", 0): 2.0, ("u2", 0): 0.0}
    assert earned(stores, CLICKS) == {
        ("u1", 0): 2.0,
        ("u2", 0): 0.0,
        ("u1", 1): 4.0,
        ("u2", 1): 1.0,
    }


def test_a_coupon_goes_to_the_newest_decision_that_carried_it(
    stores: Stores, known: dict[str, int], decide: Decide, order: Order
) -> None:
    options = (
        Option(name="tv", eligible=None, parameters={"coupon": "Save10"}),
        Option(name="film", eligible=None),
    )
    use_case = replace(
        USE_CASE, dimensions=(Dimension(name="offer", meaning="choice", options=options),)
    )
    decide("u1", day=day(0))
    decide("u1", day=day(1), action="film")
    decide("u2", day=day(0))
    decide("u2", day=day(1))
    at = AT + timedelta(days=1, hours=1)
    order("u1", at, {"coupon": "SAVE10"})
    order("u1", at + SECOND, {"coupon": "OTHER"})
    order("u1", at + SECOND, {})
    order("u2", at, {"coupon": "save10"})
    # Too late for the one that carried it.
    order("u1", AT + WINDOW + SECOND, {"coupon": "save10"})
    # An id says more than a coupon.
    order("u1", at, {"coupon": "save10", "decision_id": decision_id("u1", day(1))})
    reward(stores, use_case, ORDERS, now=AT + 20 * WINDOW)
    assert rewards(stores) == {("u1", 0): 1.0, ("u1", 1): 4.0, ("u2", 0): 0.0, ("u2", 1): 1.0}


@pytest.mark.parametrize(
    ("event", "by_machine"),
    [("Message Opened", "machine_open"), ("Message Clicked", "suspected_bot")],
)
def test_what_machines_open_and_click_never_counts(
    stores: Stores, decide: Decide, order: Order, event: str, by_machine: str
) -> None:
    decide("u1", "u2", "u3")
    for user, said in (("u1", True), ("u1", False), ("u2", True), ("u3", None)):
        order(user, AT + SECOND, {} if said is None else {by_machine: said}, event=event)
        # Of other events it says nothing.
        order(user, AT + SECOND, {by_machine: True})
    metric = replace(ORDERS, event=event)
    assert earned(stores, metric) == {("u1", 0): 1.0, ("u2", 0): 0.0, ("u3", 0): 1.0}


@pytest.mark.parametrize(
    "named",
    [
        decision_id("u2"),
        decision_id("u1", use_case="other"),
        decision_id("u1", day(-9)),
        decision_id("u1", day(-4)),
        "",
        7,
        None,
        {"a": 1},
    ],
    ids=[
        "another profile's",
        "another use case's",
        "unknown",
        "too old",
        "empty",
        "7",
        "null",
        "{}",
    ],
)
def test_an_outcome_that_names_none_that_counts_goes_by_time(
    stores: Stores, decide: Decide, order: Order, named: object
) -> None:
    decide("u1", use_case="other")
    decide("u1", day=day(-4))
    decide("u1", "u2")
    order("u1", AT + SECOND, {"decision_id": named})
    assert earned(stores) == {("u1", -4): 0.0, ("u1", 0): 1.0, ("u2", 0): 0.0}


def test_a_day_that_was_decided_late_counts_from_when_it_was_decided(
    stores: Stores, decide: Decide, order: Order
) -> None:
    late = AT + timedelta(days=10)
    decide("u1", day=day(0), at=late)
    decide("u1", day=day(10), at=late + timedelta(hours=1))
    order("u1", AT + timedelta(days=1))
    order("u1", late + timedelta(minutes=1))
    order("u1", late + timedelta(hours=2))
    order("u1", late + timedelta(hours=3), {"decision_id": decision_id("u1")})
    assert earned(stores) == {("u1", 0): 2.0, ("u1", 10): 1.0}


@pytest.mark.parametrize(
    ("waits", "days"),
    [
        (None, 0),
        (timedelta(0), 0),
        (timedelta(hours=23, minutes=59), 0),
        (timedelta(days=1), 1),
        (timedelta(days=5, hours=7), 5),
        (timedelta(hours=-3), 0),
    ],
    ids=["sends nothing", "at once", "same day", "next day", "five days", "in the past"],
)
def test_the_window_begins_on_the_day_of_the_send_in_control_as_well(
    stores: Stores, decide: Decide, order: Order, waits: timedelta | None, days: int
) -> None:
    decide("u1", "u3", waits=waits)
    began = AT + timedelta(days=days)
    for user in ("u1", "u3"):
        order(user, began - MICROSECOND)
        order(user, began)
        order(user, began + WINDOW - MICROSECOND)
        order(user, began + WINDOW)
    assert reward(stores, USE_CASE, ORDERS, now=began + WINDOW - MICROSECOND) == []
    assert earned(stores, now=began + WINDOW) == {("u1", 0): 2.0, ("u3", 0): 2.0}


def test_what_happens_before_the_send_counts_for_the_decision_before(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", day=day(0))
    decide("u1", day=day(1), waits=timedelta(days=3))
    order("u1", AT + timedelta(days=1, hours=1))
    order("u1", AT + timedelta(days=4, hours=1))
    # Whoever names a decision before its send knows better.
    order("u1", AT + timedelta(days=1, hours=2), {"decision_id": decision_id("u1", day(1))})
    assert earned(stores) == {("u1", 0): 1.0, ("u1", 1): 2.0}


def test_a_reward_knows_when_the_first_and_the_last_of_it_came(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", "u2")
    order("u1", AT + 5 * SECOND, {"revenue": 2})
    order("u1", AT + 9 * SECOND, {"revenue": 3})
    order("u1", AT + SECOND, {"revenue": -1})
    order("u1", AT + 99 * SECOND, {"revenue": "a lot"})
    order("u2", AT + SECOND, {"revenue": 1e300})
    reward(stores, USE_CASE, REVENUE, now=AT + WINDOW)
    at_us = (AT - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
    columns = ["reward", "metric", "began_at_us", "first_at_us", "last_at_us"]
    found = stores.lake.read("rewards", columns).to_pylist()
    assert [tuple(row[name] for name in columns) for row in found] == [
        (4.0, "revenue", at_us, at_us + 5_000_000, at_us + 9_000_000),
        (0.0, "revenue", at_us, None, None),
    ]


def test_an_amount_is_summed(stores: Stores, decide: Decide, order: Order) -> None:
    decide("u1", "u2")
    for revenue in (10, 2.5, "3.25", -1):
        order("u1", AT + SECOND, {"revenue": revenue})
    assert earned(stores, REVENUE) == {("u1", 0): 14.75, ("u2", 0): 0.0}


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [("sum", 12.0), ("mean", 4.0), ("last", 5.0), ("unique_days", 2.0)],
)
def test_what_came_after_a_decision_is_aggregated_as_the_metric_says(
    stores: Stores, decide: Decide, order: Order, aggregate: Aggregate, value: float
) -> None:
    decide("u1", "u2")
    # In another order than they happened; one is not meant, and one has no amount.
    order("u1", AT + timedelta(days=1), {"revenue": 5, "store": "web"})
    order("u1", AT + SECOND, {"revenue": 4, "store": "web"})
    order("u1", AT + 2 * SECOND, {"revenue": 3, "store": "web"})
    order("u1", AT + timedelta(days=1, hours=1), {"revenue": 100, "store": "shop"})
    order("u1", AT + timedelta(days=1, hours=2), {"revenue": "?", "store": "web"})
    web = rules.Compare(name="store", operator="is", kind="text", value="web")
    metric = replace(REVENUE, where=web, aggregate=aggregate)
    assert earned(stores, metric) == {("u1", 0): value, ("u2", 0): 0.0}


def test_a_calculated_metric_is_asked_of_what_one_decision_brought(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", "u2")
    order("u1", AT + SECOND, {"revenue": 10, "cost": 4})
    order("u1", AT + 2 * SECOND, {"revenue": 5, "cost": 1})
    problems: list[str] = []
    event = {"event": "Order Completed", "window_days": 2}
    bodies = {
        "orders": {**event, "unit": "orders"},
        "profit": {**event, "value": "revenue", "cost": "cost", "currency": "EUR"},
        "each": {"formula": "profit / orders"},
    }
    metric = events.parse_metrics(bodies, problems)["each"]
    assert problems == []
    assert metric is not None
    assert metric.unit == "EUR per orders"
    # Who ordered nothing has no profit for each order: a division by zero, and no reward.
    assert earned(stores, metric) == {("u1", 0): 5.0, ("u2", 0): 0.0}


def test_an_amount_may_have_any_name(stores: Stores, decide: Decide, order: Order) -> None:
    decide("u1")
    order("u1", AT + SECOND, {"net/total~$.*'": 5})
    metric = Metric(
        name="odd",
        title="Odd",
        event="Order Completed",
        property="net/total~$.*'",
        unit="EUR",
        window_days=2,
    )
    assert earned(stores, metric) == {("u1", 0): 5.0}


@pytest.mark.parametrize(
    "properties",
    [
        "not json",
        "",
        "[1]",
        "null",
        '{"revenue": "a lot"}',
        '{"revenue": null}',
        '{"revenue": true}',
        '{"revenue": {"amount": 5}}',
        '{"revenue": 1e999}',
        '{"revenue": "nan"}',
        '{"revenue": "inf"}',
        '{"revenue": "-Infinity"}',
        '{"revenue": 1.7e308}',
        '{"revenue": ' + "9" * 400 + "}",
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_malformed_amount_is_worth_nothing_and_stops_nobody(
    stores: Stores, decide: Decide, order: Order, properties: str
) -> None:
    decide("u1", "u2")
    order("u1", AT + SECOND, properties)
    order("u1", AT + SECOND, properties)
    order("u1", AT + SECOND, {"revenue": 2})
    order("u2", AT + SECOND, {"revenue": 3})
    assert earned(stores, REVENUE) == {("u1", 0): 2.0, ("u2", 0): 3.0}


def test_malformed_properties_are_an_order_all_the_same(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", "u2")
    order("u1", AT + SECOND, "{broken")
    order("u2", AT + SECOND)
    assert earned(stores) == {("u1", 0): 1.0, ("u2", 0): 1.0}


@pytest.mark.parametrize("microsecond", [0, 1, 7, 999_999])
def test_a_day_is_mature_when_its_last_window_is_over_and_not_before(
    stores: Stores, decide: Decide, microsecond: int
) -> None:
    at = AT.replace(microsecond=microsecond)
    decide("u1", at=AT - SECOND)
    decide("u2", at=at)
    assert reward(stores, USE_CASE, ORDERS, now=at + WINDOW - MICROSECOND) == []
    assert rewards(stores) == {}
    assert reward(stores, USE_CASE, ORDERS, now=at + WINDOW) == [DAY]
    assert rewards(stores) == {("u1", 0): 0.0, ("u2", 0): 0.0}


def test_rewards_are_written_once(stores: Stores, decide: Decide, order: Order) -> None:
    decide("u1")
    order("u1", AT + SECOND)
    assert reward(stores, USE_CASE, ORDERS, now=AT + WINDOW) == [DAY]
    order("u1", AT + 2 * SECOND)
    assert reward(stores, USE_CASE, ORDERS, now=AT + 9 * WINDOW) == []
    assert rewards(stores) == {("u1", 0): 1.0}


def test_several_days_mature_at_once_and_the_rest_later(
    stores: Stores, decide: Decide, order: Order
) -> None:
    for number in range(4):
        decide("u1", "u2", day=day(number))
        order("u1", AT + timedelta(days=number, hours=1))
    now = AT + timedelta(days=2) + WINDOW
    assert reward(stores, USE_CASE, ORDERS, now=now) == [day(0), day(1), day(2)]
    assert reward(stores, USE_CASE, ORDERS, now=now + timedelta(days=1)) == [day(3)]
    assert rewards(stores) == {
        (user, number): float(user == "u1") for user in ("u1", "u2") for number in range(4)
    }


def test_an_anonymous_order_counts_once_its_owner_has_logged_in(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1", "u2")
    order(None, AT + SECOND, anonymous_id="a1")
    order(None, AT + SECOND, anonymous_id="a2")
    order("u2", AT + SECOND, anonymous_id="a1")
    login = _event("identify", AT + 5 * SECOND, user_id="u1", anonymous_id="a1")
    with stores.state.transaction() as connection:
        profiles.resolve(connection, pa.Table.from_pylist([login], schema=EVENTS))
    assert earned(stores) == {("u1", 0): 1.0, ("u2", 0): 1.0}


def test_another_use_case_has_rewards_of_its_own(
    stores: Stores, decide: Decide, order: Order
) -> None:
    decide("u1")
    decide("u1", use_case="other")
    order("u1", AT + SECOND)
    assert earned(stores) == {("u1", 0): 1.0}
    assert stores.lake.read("rewards")["use_case"].to_pylist() == ["next"]


def test_without_decisions_nothing_is_written(stores: Stores, known: dict[str, int]) -> None:
    assert reward(stores, USE_CASE, ORDERS, now=AT) == []
    assert rewards(stores) == {}
