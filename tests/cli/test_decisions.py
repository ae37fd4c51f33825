"""`opportune decisions`: what was decided for whom, one by one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opportune import pipeline, project
from opportune.storage import Stores

SHOP = Path(__file__).parents[2] / "examples" / "shop"
NAME = "second-order"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def decided(stores: Stores, take_in: Callable[..., None]) -> str:
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
    pipeline.run_day(stores, project.read(stores.state), NAME, now.date(), now=now)
    return str(stores.lake.read("decisions", ["decision_id"])["decision_id"][0].as_py())


def test_the_list_is_written_for_people_and_for_programs(run: Run, decided: str) -> None:
    code, out, _ = run("decisions", NAME, "--user-id", "ana")
    assert (code, out.splitlines()[0]) == (0, "1 of 1 decisions, the newest first")
    assert out.splitlines()[1].split()[1] == decided
    document = json.loads(run("decisions", NAME, "--format", "json")[1])
    assert (document["total"], document["decisions"][0]["user_id"]) == (1, "ana")
    (row,) = csv.DictReader(io.StringIO(run("decisions", NAME, "--format", "csv")[1]))
    assert row["decision_id"] == decided
    assert row["chosen_channel"] == document["decisions"][0]["action"]["channel"]
    assert run("decisions", NAME, "--to-day", "2020-01-01")[1].startswith("0 of 0 decisions")


def test_what_nothing_can_be_is_refused(run: Run) -> None:
    code, out, err = run("decisions", NAME, "--option", "colour:red")
    assert (code, out) == (2, "")
    assert err.startswith("invalid_decision_filter: Use case 'second-order' has no dimension")
    assert run("decisions", NAME, "--user-id", "bob")[0] == 3


def test_a_decision_and_a_use_case_say_what_happened(run: Run, decided: str) -> None:
    code, out, _ = run("explain", decided)
    assert code == 0
    assert "excluded channel push: only where has_app is true" in out
    document = json.loads(run("explain", decided, "--json")[1])
    assert document["decided"]["decision_id"] == decided
    assert document["propensity"] == document["decided"]["propensity"]
    assert run("explain", "nothing")[0] == 3
    out = run("timeline", NAME)[1]
    assert "Version 1 applied" in out
    assert "learned from nothing yet" in out
    assert json.loads(run("timeline", NAME, "--json")[1])["use_case"] == NAME
