"""A use case with a budget and a guard rail, from its files to what its commands print."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from opportune import pipeline, profiles, project
from opportune.events import EVENTS
from opportune.storage import Stores

Run = Callable[..., tuple[int, str, str]]
PEOPLE = 300
DAY = date(2026, 3, 2)
FILES = {
    "metrics/revenue.toml": 'event = "Ordered"\nvalue = "revenue"\nunit = "EUR"\nwindow_days = 1\n',
    "metrics/leaving.toml": 'event = "Left"\nunit = "people"\nwindow_days = 7\n',
    "segments/all.toml": 'rule = { trait = "plan", is = "basic" }\n',
    "use_cases/next.toml": """
success_metric = "revenue"
features = ["plan"]
[audience]
segments = ["all"]
[policy]
name = "uniform"
[groups]
control_share = 0.1
random_share = 0.1
[activation]
connector = "braze"
campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
base_url = "http://127.0.0.1:8421"
[[dimensions]]
name = "offer"
options = [{ name = "none" }, { name = "gift", cost = 2 }]
[budget]
per_day = 100
total = 150
unit = "EUR"
[[guard_rails]]
metric = "leaving"
limit = 0.02
""",
}


def events(stores: Stores, kind: str, at: datetime, count: int, **more: str) -> pa.Table:
    at_us = int(at.timestamp() * 1e6)
    times = dict.fromkeys(("occurred_at", "received_at"), at)
    times |= dict.fromkeys(("occurred_at_us", "received_at_us"), at_us)
    rows = [
        {"message_id": f"{kind}-{at}-{n}", "source_id": "shop", "type": kind, "user_id": f"u{n}"}
        | times
        | more
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS)


@pytest.fixture
def folder(stores: Stores, tmp_path: Path) -> Path:
    """The definitions, applied, with 300 people in their segment."""
    place = tmp_path / "shop"
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    pipeline.create_tables(stores)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    people = events(stores, "identify", at, PEOPLE, traits=json.dumps({"plan": "basic"}))
    with stores.state.transaction() as connection:
        profiles.resolve(connection, people)
    project.apply(stores.state, place, now=at)
    return place


def decide(stores: Stores, days: int) -> pipeline.DayDone:
    day = DAY + timedelta(days=days)
    now = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
    return pipeline.run_day(stores, project.read(stores.state), "next", day, now=now)


def test_money_is_spent_to_its_end_and_the_report_says_so(
    run: Run, stores: Stores, folder: Path
) -> None:
    assert run("check", str(folder))[0] == 0
    first, second = decide(stores, 0), decide(stores, 1)
    assert first.decided
    assert second.decided
    assert not decide(stores, 1).decided
    rows = stores.lake.read("decisions").to_pylist()
    sent = [row for row in rows if row["variant"] != "control"]
    by_day = [sum(row["cost"] for row in sent if row["day"] == day) for day in (DAY, DAY + TO_NEXT)]
    assert by_day == [100.0, 50.0]
    # The random group is sent what it got, as treatment is.
    assert any(row["variant"] == "random" for row in sent)
    assert first.enqueued == sum(row["day"] == DAY for row in sent)
    code, out, _ = run("report", "next")
    said = " ".join(out.split())
    assert code == 0
    assert "Costs: 150.00 EUR spent, 0.00 reserved, of 100.00 a day and 150.00 in total." in said
    assert "2026-03-03: 50.00 of 50.00 given out, shadow price 0, " in said
    assert "0 held back." in said
    document = json.loads(run("report", "next", "--json")[1])
    assert (document["stopped"], document["spending"]["spent"]) == ("", 150.0)
    assert [day["committed"] for day in document["spending"]["days"]] == [50.0, 100.0]


TO_NEXT = timedelta(days=1)


def test_harm_stops_the_day_until_a_person_resumes(run: Run, stores: Stores, folder: Path) -> None:
    decide(stores, 0)
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    stores.lake.append("events", events(stores, "track", noon, 90, event="Left"))
    stopped = decide(stores, 1)
    assert (stopped.decided, stopped.enqueued) == (False, 0)
    assert stopped.stopped.startswith("leaving is 0.")
    assert decide(stores, 2).stopped == stopped.stopped
    assert {row["day"] for row in stores.lake.read("decisions").to_pylist()} == {DAY}
    code, out, _ = run("run-day", "next", "--day", "2026-03-05")
    assert (code, out.partition(".")[0]) == (0, "next 2026-03-05: stopped")
    assert "Stopped: leaving is" in run("report", "next")[1]
    code, out, _ = run("resume", "next", "--by", "ann")
    assert code == 0
    assert out.startswith("next goes on. It was stopped on 2026-03-03: leaving is 0.")
    assert run("resume", "next")[::2] == (
        4,
        "not_stopped: Use case 'next' is not stopped. There is nothing to resume.\n",
    )
    # Resumed now, which is after these days: what was before is no evidence.
    assert decide(stores, 1).decided
    assert "Stopped" not in run("report", "next")[1]


def test_a_guard_rail_on_a_metric_that_is_not_there_is_a_mistake(run: Run, folder: Path) -> None:
    file = folder / "use_cases" / "next.toml"
    file.write_text(file.read_text().replace('metric = "leaving"', 'metric = "leving"'))
    code, _, err = run("check", str(folder))
    assert code == 2
    assert err == (
        "invalid_definition: use_cases/next.toml: guard_rails.metric: no metric 'leving'. Did you "
        "mean 'leaving'? Allowed: leaving, revenue.\n"
    )
