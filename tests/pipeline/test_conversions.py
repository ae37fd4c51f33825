"""A send that waits ends with what its use case's metric counts, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opportune import project
from opportune.activation import ends_with
from opportune.pipeline.conversions import ends_on
from opportune.storage import Stores

SIX = datetime(2026, 3, 1, 6, tzinfo=UTC)
SEVEN = SIX + timedelta(hours=1)
PAID = """
event = "Order Completed"
unit = "orders"
window_days = 2
where = { property = "paid", is = true }
"""
USE_CASE = """
success_metric = "paid"
audience = { segments = ["customers"] }
[activation]
connector = "braze"
base_url = "http://127.0.0.1:8421"
campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
cancel_when = "converted"
[[dimensions]]
name = "offer"
options = [{ name = "tv" }, { name = "sim" }]
"""


def test_only_an_event_that_the_metric_counts_ends_a_send(
    stores: Stores, take_in: Callable[..., None], tmp_path: Path
) -> None:
    for name, text in (
        ("metrics/paid.toml", PAID),
        ("segments/customers.toml", 'rule = { trait = "tenure", at_least = 1 }'),
        ("use_cases/next.toml", USE_CASE),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    project.apply(stores.state, tmp_path, now=SIX)
    metric = project.read(stores.state).metrics["paid"]
    assert ends_on(metric) == (ends_with("paid"),) == ("metric=paid",)
    stores.state.rows(
        "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
        " due_at, ends_on, ends_from) select u, 'next', '2026-03-01', 'braze', 1, u, '{}',"
        " %(due)s, %(ends_on)s, %(six)s from unnest(%(users)s::text[]) as u",
        {
            "users": ["paid", "open", "other", "posing"],
            "due": SIX + timedelta(hours=3),
            "ends_on": list(ends_on(metric)),
            "six": SIX,
        },
    )
    done = [
        ("paid", "Order Completed", {"paid": True}),
        ("open", "Order Completed", {"paid": False}),
        ("open", "Order Completed", {}),
        ("other", "Page Viewed", {"paid": True}),
        ("posing", "metric=paid", {"paid": True}),
    ]
    take_in(
        *(
            {
                "type": "track",
                "messageId": f"m{place}",
                "userId": user,
                "event": event,
                "timestamp": SEVEN.isoformat(),
                "properties": properties,
            }
            for place, (user, event, properties) in enumerate(done)
        ),
        received_at=SEVEN,
    )
    rows = stores.state.rows("select key, state, reason from outbox where state <> 'pending'")
    assert rows == [{"key": "paid", "state": "failed", "reason": "converted"}]
