"""A shop whose customers are decided for daily and on request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from opportune import pipeline, project
from opportune.storage import Stores

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
PEOPLE = 40
USE_CASE = """
success_metric = "orders"
features = ["age", { trait = "plan", one_of = ["basic", "plus"] }]
[audience]
segments = ["adults"]
minus = ["quiet"]
[groups]
control_share = 0.4
[activation]
connector = "braze"
campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
base_url = "http://127.0.0.1:8421"
[[dimensions]]
name = "offer"
options = [
    { name = "tv" },
    { name = "sim" },
    { name = "fiber", eligible = { trait = "fiber", is = true } },
]
[[dimensions]]
name = "channel"
options = [{ name = "email", eligible = { trait = "mail", is_not = "no" } }, { name = "sms" }]
"""
FILES = {
    "metrics/orders.toml": (
        'event = "Order Completed"\nvalue = "count"\nunit = "orders"\nwindow_days = 1\n'
    ),
    "segments/adults.toml": 'rule = { trait = "age", at_least = 18 }\n',
    "segments/quiet.toml": 'rule = { trait = "quiet", is = true }\n',
    "use_cases/next.toml": USE_CASE,
}


@pytest.fixture
def define(stores: Stores, tmp_path: Path) -> Callable[..., None]:
    """Apply the shop's definitions, with texts of the use case replaced."""

    def defined(replaced: dict[str, str] | None = None) -> None:
        folder = tmp_path / "project"
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            for before, after in (replaced or {}).items() if "use_cases" in name else ():
                assert before in text
                text = text.replace(before, after)
            (folder / name).write_text(text)
        project.apply(stores.state, folder, now=NOW)

    return defined


@pytest.fixture
def customers(define: Callable[..., None], take_in: Callable[..., None]) -> None:
    """Forty customers u0 to u39, of whom every third has fiber; definitions; nothing decided."""
    define()
    take_in(
        *(
            {
                "type": "identify",
                "messageId": f"i{n}",
                "userId": f"u{n}",
                "anonymousId": f"a{n}",
                "timestamp": "2026-02-20T00:00:00Z",
                "traits": {
                    "age": 20 + n,
                    "plan": ("basic", "plus", "none")[n % 3],
                    "fiber": n % 3 == 0,
                    "mail": "yes",
                },
            }
            for n in range(PEOPLE)
        )
    )


@pytest.fixture
def shop(customers: None, stores: Stores) -> Stores:
    """The same after the run of the day, at six."""
    pipeline.run_day(stores, project.read(stores.state), "next", DAY, now=NOW)
    return stores
