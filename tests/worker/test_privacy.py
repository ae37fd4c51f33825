"""The worker forgets whom it is asked to, and lets the silent expire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from opportune import privacy

LATE = datetime(2026, 3, 1, 21, tzinfo=UTC)


def test_a_request_is_carried_out_while_the_worker_works(
    market: Any, sandbox: Any, until: Callable[..., None]
) -> None:
    market.apply({"next-best-offer": sandbox.url})
    market.register(20)
    with market.working():
        until(market.all_sent)
        asked = privacy.ask(
            market.stores.state,
            "user_id",
            "c000003",
            privacy.Asked(request_id="r1", mode="erase", by="Ana", now=LATE),
        )
        until(lambda: privacy.request(market.stores.state, asked.request_id).state == "done")
        # It goes on with its work.
        market.register(5, prefix="new-")
        # One of them has the address of who was forgotten, and says so of the day before.
        until(lambda: market.count("profile") == 23)
    assert market.count("identifier", "value = 'c000003'") == 0
    assert market.count("outbox", "user_id = 'c000003'") == 0
    assert market.all_sent()


def test_silent_profiles_expire_once_a_day(market: Any, until: Callable[..., None]) -> None:
    market.register(3)
    state = market.stores.state
    state.rows(
        "insert into profile (profile_id, first_seen_at, last_seen_at)"
        " values (identity_hash('anonymous_id', 'v'), %(at)s, %(at)s)",
        {"at": LATE - timedelta(days=40)},
    )
    state.rows(
        "insert into identifier (kind, value, profile_id, linked_at)"
        " values ('anonymous_id', 'v', identity_hash('anonymous_id', 'v'), %(at)s)",
        {"at": LATE - timedelta(days=40)},
    )
    settings = replace(market.stores.settings, expire_after_days="anonymous_id=30")
    expiring = replace(market, stores=replace(market.stores, settings=settings))
    with expiring.working():
        until(lambda: market.count("job", "kind = 'expire' and done_at is not null") == 1)
    assert market.count("profile") == 3
    assert market.count("privacy_expired", "profiles = 1") == 1
