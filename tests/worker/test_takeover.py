"""What a dead worker leaves behind is taken over: at once, once, and never for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from opportune.storage import Stores, load_sql

DAY = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
SIX, NINE, LATE = (MIDNIGHT + timedelta(hours=hour) for hour in (6, 9, 21))
PROVIDER = "next-best-offer"
Until = Callable[..., None]


def test_a_dead_worker_s_job_and_rows_are_taken_over_at_once(
    market: Any, sandbox: Any, until: Until
) -> None:
    """Also when another job, one that failed and waits, would come first."""
    market.apply({"a-first": "http://127.0.0.1:1", PROVIDER: sandbox.url})
    market.register(20)
    for name, error in (("a-first", "failed"), (PROVIDER, None)):
        market.stores.state.rows(
            load_sql("opportune", "schedule_job"),
            {
                "kind": "decide_day",
                "key": f"{name}:{DAY}",
                "payload": json.dumps({"use_case": name, "day": str(DAY)}),
                "due_at": SIX,
            },
        )
        market.stores.state.rows(
            "update job set attempts = 1, leased_until = clock_timestamp() + interval '1 h',"
            " error = %(error)s where key = %(key)s",
            {"error": error, "key": f"{name}:{DAY}"},
        )
    with market.working():
        until(market.all_sent, within_s=15)
        until(lambda: market.count("job", "done_at is not null") == 2)


def test_a_job_that_kills_its_worker_is_taken_over_later_and_later(stores: Stores) -> None:
    waits = []
    for attempts in (0, 1, 2, 3, 5, 13, 40):
        stores.state.rows(
            "insert into job (kind, key, payload, due_at, attempts, leased_until)"
            " values ('k', %(key)s, '{}', %(now)s, %(attempts)s, 'infinity')",
            {"key": f"{attempts:02}", "now": SIX, "attempts": attempts},
        )
    stores.state.rows(load_sql("opportune", "release_jobs"), {"longest_s": 3600.0})
    for row in stores.state.rows(
        "select round(extract(epoch from least(leased_until, clock_timestamp() + interval '1 day')"
        " - clock_timestamp()))::int as wait_s from job order by key"
    ):
        waits.append(row["wait_s"])
    assert waits == [86400, 0, 1, 3, 15, 3600, 3600]


def test_a_job_is_claimed_once_and_comes_back_when_its_lease_ends(
    stores: Stores, market: Any
) -> None:
    facts = {"kind": "k", "key": "a", "payload": "{}", "due_at": SIX}
    for _ in range(2):
        stores.state.rows(load_sql("opportune", "schedule_job"), facts)
    assert market.count("job") == 1

    def claim(now: datetime) -> list[int]:
        rows = stores.state.rows(load_sql("opportune", "claim_job"), {"now": now, "lease_s": 60.0})
        return [row["attempts"] for row in rows]

    assert claim(SIX - timedelta(seconds=1)) == []
    assert claim(SIX) == [1]
    assert claim(SIX) == []
    stores.state.rows("update job set leased_until = clock_timestamp() - interval '1 s'")
    assert claim(SIX) == [2]
    done = {"kind": "k", "key": "a", "done_at": NINE, "error": None, "wait_s": 0.0}
    stores.state.rows(load_sql("opportune", "finish_job"), done)
    assert claim(LATE) == []


def test_positions_of_the_log_never_go_back(stores: Stores) -> None:
    set_sql, get_sql = (
        load_sql("opportune", name) for name in ("set_log_positions", "log_positions")
    )
    for files, offsets in ((["a", "b"], [10, 20]), (["a", "b"], [5, 30])):
        stores.state.rows(set_sql, {"files": files, "offsets": offsets})
    assert stores.state.rows(get_sql, {"files": ["b", "a", "c"]}) == [
        {"segment_file": "a", "byte_offset": 10},
        {"segment_file": "b", "byte_offset": 30},
    ]
