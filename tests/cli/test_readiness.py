"""`opportune readiness` and the same over HTTP's document."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opportune import project
from opportune.storage import Stores

SHOP = Path(__file__).parents[2] / "examples" / "shop"
Run = Callable[..., tuple[int, str, str]]


def test_it_says_what_stands_in_the_way_and_who_may_get_what(
    run: Run, stores: Stores, take_in: Callable[..., None]
) -> None:
    now = datetime.now(UTC)
    project.apply(stores.state, SHOP, now=now)
    said = {"userId": "ana", "timestamp": (now - timedelta(hours=1)).isoformat()}
    bought: dict[str, object] = {"type": "track", "event": "Order Completed", "messageId": "2"}
    bought["properties"] = {"order_id": "1", "revenue": 20, "currency": "EUR"}
    traits = {"first_category": "running", "has_app": False, "orders": 1, "may_be_mailed": True}
    take_in(
        {"type": "identify", "messageId": "1", "traits": traits, **said},
        bought | said,
        received_at=now,
    )
    code, out, _ = run("readiness", "second-order")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("Not ready: One unit earns 20 and all of them the same")
    assert "audience: 1 profiles, 1 may get something" in lines
    assert (
        "offer free_yoga_class: nobody may get it, 0 decisions a day if all are played alike"
        in lines
    )
    code, out, _ = run("readiness", "second-order", "--json", "--within-days", "30")
    told = json.loads(out)
    assert (code, told["within_days"], told["ready"]) == (0, 30, False)
    assert told["earlier"]["mean"] == 20.0
    code, _, err = run("readiness", "second-ordr")
    assert code == 3
    assert "second-order" in err
