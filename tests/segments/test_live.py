"""Segments that follow every event: in the ingest, with the time, and in the log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mortal import Fate, Killed, MortalState
from opportune import profiles, segments
from opportune.events.history.mark import context_of
from opportune.storage import DuckDB, Lake, State

T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOUGHT = {"event": "Order Completed", "within": {"days": 1}}


ORDER = {"event": "Order Completed", "userId": "ada"}


def test_members_enter_with_the_event_and_leave_when_its_time_is_over(shop: Any) -> None:
    shop.define("buyers", BOUGHT)
    shop.follow()
    shop.say(ORDER)
    assert shop.intervals("buyers") == [(timedelta(0), None)]
    shop.wait(timedelta(days=1))
    assert shop.members("buyers") == 1
    shop.wait(timedelta(seconds=1))
    left = timedelta(days=1, seconds=1)
    assert shop.intervals("buyers") == [(timedelta(0), left)]
    shop.wait(HOUR)
    shop.say(ORDER)
    assert shop.intervals("buyers") == [(timedelta(0), left), (left + HOUR, None)]


def test_what_should_not_come_is_missed_on_time(shop: Any) -> None:
    absent = {"event": "Order Completed", "absent": True, "within": {"hours": 2}}
    shop.define("left", {"sequence": [{"event": "Cart Added"}, absent]})
    shop.follow()
    shop.say({"event": "Cart Added", "anonymousId": "a"}, {"event": "Cart Added", "userId": "bob"})
    shop.wait(HOUR)
    shop.say({"event": "Order Completed", "userId": "bob"})
    shop.wait(HOUR)
    assert shop.members("left") == 0
    shop.wait(timedelta(seconds=1))
    assert shop.intervals("left") == [(2 * HOUR + timedelta(seconds=1), None)]


def test_the_log_is_told_of_each_change_once(shop: Any) -> None:
    shop.define("buyers", BOUGHT)
    shop.define("gone", {"not": {"segment": "buyers"}})
    shop.follow()
    shop.say(ORDER, {"event": "Order Completed", "anonymousId": "a"})
    waiting = shop.stores.state.rows("select * from segment_change")
    assert (len(waiting), shop.announce(), shop.announce()) == (2, 2, 0)
    # Killed after the log had them and before they were struck off.
    for row in waiting:
        shop.stores.state.rows(
            "insert into segment_change overriding system value values (%(change_id)s,"
            " %(segment)s, %(profile_id)s, %(entered)s, %(changed_at)s, %(by_history)s)",
            row,
        )
    assert shop.announce() == 2
    shop.wait(timedelta(days=2))
    assert (shop.announce(), shop.announce()) == (4, 0)
    day = timedelta(days=2)
    assert shop.told() == [
        ("Segment Entered", "a", timedelta(0)),
        ("Segment Entered", "ada", timedelta(0)),
        ("Segment Entered", "a", day),
        ("Segment Entered", "ada", day),
        ("Segment Exited", "a", day),
        ("Segment Exited", "ada", day),
    ]
    seen = profiles.get(shop.stores.state, "user_id", "ada")
    assert (seen.last_seen_at, seen.segments) == (T0, ("gone",))


def test_what_an_import_alone_moved_is_history_too(shop: Any) -> None:
    shop.define("buyers", BOUGHT)
    shop.follow()
    old = {"context": context_of("4be0", "orders.csv", live=False)}
    shop.say({**ORDER, "userId": "old", **old}, ORDER, {**ORDER, **old})
    shop.announce()
    rows = shop.stores.lake.read("events").to_pylist()
    said = {row["user_id"]: row["context"] for row in rows if row["event"] == "Segment Entered"}
    assert said == {"ada": None, "old": '{"import":{"id":"segments","file":""}}'}


def test_a_rule_may_not_ask_for_what_segments_say() -> None:
    problems: list[str] = []
    body = {"rule": {"not": {"event": "Segment Exited"}}}
    assert segments.parse_segment("odd", body, problems) is None
    assert problems == [
        "segments/odd.toml: rule: 'Segment Exited' is said by segments themselves, and no segment "
        'may depend on it. Ask {segment = "NAME"} instead.'
    ]


def test_a_visitor_who_logs_in_takes_along_what_was_done(shop: Any) -> None:
    shop.define("regulars", {"event": "Order Completed", "count": {"at_least": 2}})
    shop.follow()
    shop.say(ORDER, {"event": "Order Completed", "anonymousId": "a"})
    assert shop.members("regulars") == 0
    shop.wait(HOUR)
    shop.say({"event": "Login", "userId": "ada", "anonymousId": "a"})
    assert shop.intervals("regulars") == [(HOUR, None)]
    shop.now += HOUR
    profiles.cut(shop.stores.state, "anonymous_id", "a", by="ann", reason="no", now=shop.now)
    shop.wait(timedelta(0))
    assert shop.intervals("regulars") == [(HOUR, 2 * HOUR)]


def test_a_new_segment_begins_with_all_that_happened_before(shop: Any) -> None:
    big = {**BOUGHT, "where": {"property": "revenue", "at_least": 50}}
    shop.define("buyers", BOUGHT)
    shop.follow()
    shop.say({**ORDER, "properties": {"revenue": 60}}, {"event": "Order Completed", "userId": "b"})
    shop.announce()
    shop.wait(HOUR)
    shop.define("big", big)
    shop.define("small", {"all": [{"segment": "buyers"}, {"not": {"segment": "big"}}]})
    shop.follow()
    assert shop.intervals("big") == shop.intervals("small") == [(HOUR, None)]
    assert shop.announce() == 0, "nobody did anything"
    shop.wait(timedelta(days=1))
    assert (shop.members("big"), shop.members("small")) == (0, 0)
    assert shop.announce() == 4


def test_what_happens_while_a_segment_is_filled_counts(shop: Any) -> None:
    shop.say(ORDER)
    shop.define("buyers", BOUGHT)
    shop.define("regulars", {**BOUGHT, "count": {"at_least": 2}})
    segments.sync(shop.stores.state, now=shop.now)
    shop.say(ORDER, {"event": "Order Completed", "userId": "bob"})
    assert shop.members("buyers") == 0
    segments.fill(shop.stores, now=shop.now)
    shop.say({"event": "Order Completed", "userId": "bob"})
    assert (shop.members("buyers"), shop.members("regulars")) == (2, 2)


def test_filling_goes_on_wherever_it_was_killed(shop: Any) -> None:
    shop.say(ORDER, {"event": "Order Completed", "userId": "bob"})
    shop.define("buyers", BOUGHT)
    shop.define("others", {"not": {"segment": "buyers"}})
    segments.sync(shop.stores.state, now=shop.now)
    kills, fate = 0, Fate()
    with closing(MortalState(shop.stores.database_url, fate)) as state:
        dying = replace(shop.stores, state=state)
        filled: list[str] = []
        while not filled:
            fate.at, fate.passed = kills, 0
            with suppress(Killed):
                filled = segments.fill(dying, now=shop.now) or ["done before"]
            kills += 1
    assert kills > 8
    assert (shop.members("buyers"), shop.members("others")) == (2, 0)
    shop.wait(timedelta(days=1, seconds=1))
    assert (shop.members("buyers"), shop.members("others")) == (0, 2)


def test_a_rule_that_changes_moves_its_members_and_one_that_goes_ends_them(shop: Any) -> None:
    shop.define("buyers", BOUGHT)
    shop.define("others", {"not": {"segment": "buyers"}})
    shop.follow()
    shop.say(ORDER, {"event": "Login", "userId": "bob"})
    shop.wait(HOUR)
    shop.define("buyers", {"event": "Login"}, version=2)
    shop.follow()
    shop.wait(timedelta(0))
    assert shop.intervals("buyers") == [(timedelta(0), HOUR), (HOUR, None)]
    assert shop.intervals("others") == [(timedelta(0), HOUR), (HOUR, None)]
    shop.define("buyers", {"event": "Login"}, version=3)
    assert segments.sync(shop.stores.state, now=shop.now) == ["buyers"]
    assert segments.fill(shop.stores, now=shop.now) == []
    shop.stores.state.rows("delete from definition where name = 'others'")
    assert segments.sync(shop.stores.state, now=shop.now) == ["others"]
    assert (shop.members("others"), shop.members("buyers")) == (0, 1)


def test_what_nobody_looks_back_at_is_dropped(shop: Any) -> None:
    def kept() -> int:
        count: int = shop.stores.state.rows("select count(*)::int as n from live_event")[0]["n"]
        return count

    shop.define("buyers", {**BOUGHT, "where": {"property": "paid", "is": True}})
    shop.follow()
    shop.say({**ORDER, "properties": {"paid": True, "secret": "x"}}, {**ORDER, "event": "Login"})
    rows = shop.stores.state.rows("select event, properties from live_event")
    assert rows == [{"event": "Order Completed", "properties": '{"paid":true}'}]
    shop.wait(timedelta(days=1))
    segments.sweep(shop.stores.state, now=shop.now)
    assert kept() == 1
    shop.wait(HOUR)
    segments.sweep(shop.stores.state, now=shop.now)
    assert kept() == 0


def test_a_rebuild_from_the_log_has_the_same_members(
    shop: Any, fresh_database: Callable[..., Any], tmp_path: Any
) -> None:
    rules = {
        "buyers": BOUGHT,
        "twice": {"event": "Order Completed", "count": {"at_least": 2}},
        "plus": {"all": [{"trait": "plan", "is": "plus"}, {"not": {"segment": "buyers"}}]},
    }
    for name, rule in rules.items():
        shop.define(name, rule)
    shop.follow()
    for number in range(6):
        shop.say(
            {"event": "Order Completed", "anonymousId": f"a{number % 4}"},
            {"type": "identify", "userId": f"u{number}", "traits": {"plan": "plus"}},
            {"event": "Login", "userId": f"u{number % 3}", "anonymousId": f"a{number % 3}"},
        )
        shop.wait(7 * HOUR)
    query = (
        "select segment, profile_id from segment_membership where left_at is null"
        " order by segment, profile_id"
    )
    live = shop.stores.state.rows(query)
    assert len({row["segment"] for row in live}) == 3
    with fresh_database() as url, closing(State(url)) as state:
        settings = replace(shop.stores.settings, data_folder=tmp_path / "again")
        settings.log_folder.parent.mkdir(parents=True, exist_ok=True)
        settings.log_folder.symlink_to(shop.stores.settings.log_folder)
        lake = Lake(settings.lake_folder)
        again = replace(shop.stores, settings=settings, lake=lake, engine=DuckDB(lake), state=state)
        rebuilt = type(shop)(again)
        rebuilt.now = shop.now
        for name, rule in rules.items():
            rebuilt.define(name, rule)
        rebuilt.ingest.catch_up()
        rebuilt.follow()
        rebuilt.wait(timedelta(0))
        assert state.rows(query) == live
        rebuilt.ingest.close()
