"""`opportune decide`: what one profile gets, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opportune import pipeline, project
from opportune.storage import Stores

SHOP = Path(__file__).parents[2] / "examples" / "shop"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def ana(stores: Stores, take_in: Callable[..., None]) -> None:
    now = datetime.now(UTC)
    project.apply(stores.state, SHOP, now=now)
    said = {"userId": "ana", "timestamp": (now - timedelta(hours=1)).isoformat()}
    order = {"order_id": "1", "revenue": 20, "currency": "EUR"}
    traits = {"first_category": "running", "has_app": False, "orders": 1, "may_be_mailed": True}
    take_in(
        {"type": "identify", "messageId": "1", "traits": traits, **said},
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": "2",
            "properties": order,
            **said,
        },
        received_at=now,
    )


def test_before_the_first_day_it_says_what_to_do(run: Run) -> None:
    code, out, err = run("decide", "second-order", "user_id", "ana", "--dry-run")
    assert (code, out) == (4, "")
    assert err.startswith("not_started: Use case 'second-order' has no policy in version 1 yet")


def test_it_prints_the_action_and_every_reason(run: Run, stores: Stores) -> None:
    now = datetime.now(UTC)
    pipeline.run_day(stores, project.read(stores.state), "second-order", now.date(), now=now)
    asked = ("decide", "second-order", "user_id", "ana", "--request-id", "desk-1")
    code, out, _ = run(*asked)
    assert code == 0
    assert "second-order version 1, group " in out
    assert out.splitlines()[-2:] == [
        'excluded offer free_yoga_class: only where first_category is "yoga"',
        "excluded channel push: only where has_app is true",
    ]
    _, again, _ = run(*asked, "--traits", '{"has_app": true}')
    assert again == out
    _, other, _ = run(*asked[:-1], "desk-2", "--traits", '{"has_app": true}', "--json")
    assert json.loads(other)["eligible_actions"] == 8
    assert stores.state.rows("select count(*) as kept from asked_decision") == [{"kept": 2}]
    _, dry, _ = run(*asked[:4], "--dry-run")
    assert "dry run: nothing was kept" in dry.splitlines()
    assert stores.state.rows("select count(*) as kept from asked_decision") == [{"kept": 2}]


def test_traits_that_are_no_object_are_refused(run: Run) -> None:
    code, _, err = run("decide", "second-order", "user_id", "ana", "--traits", "[1]")
    assert code == 2
    assert err.startswith("invalid_question: --traits is no JSON object.")
