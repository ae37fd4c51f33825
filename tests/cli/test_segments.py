"""`opportune segments`: list, show, preview."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from opportune import profiles, project, segments
from opportune.events import EVENTS
from opportune.storage import Stores

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def known(stores: Stores) -> None:
    """Two customers, one in a segment."""
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at) values"
        ' (\'segment\', \'plus\', 1, \'{"rule": {"trait": "plan", "is": "plus"}}\', now())'
    )
    rows = [
        {
            "message_id": f"m{plan}",
            "source_id": "shop",
            "type": "identify",
            "user_id": f"somebody-{plan}",
            "traits": json.dumps({"plan": plan}),
            **dict.fromkeys(
                ("occurred_at", "occurred_at_us", "received_at", "received_at_us"), 1_000_000
            ),
        }
        for plan in ("basic", "plus")
    ]
    with stores.state.transaction() as connection:
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))
    defined = project.read(stores.state).segments
    segments.current(stores, ["plus"], defined, now=datetime(2026, 3, 1, tzinfo=UTC))


def test_list_prints_sizes_and_rules(run: Run) -> None:
    code, out, _ = run("segments", "list")
    assert (code, out) == (0, 'plus  1 (50.0%)  plan is "plus"  (being filled by the worker)\n')
    code, out, _ = run("segments", "list", "--json")
    assert [(each["name"], each["members"]) for each in json.loads(out)] == [("plus", 1)]


def test_show_prints_days_and_members(run: Run) -> None:
    code, out, _ = run("segments", "show", "plus", "--days", "1", "--overlap", "plus")
    lines = out.splitlines()
    assert (code, lines[:2]) == (0, ['plus: plan is "plus"', "1 members (50.0% of all profiles)"])
    assert lines[3].endswith("  so…s  since 2026-03-01 00:00 UTC")
    assert lines[4] == "in both 'plus' and 'plus': 1 of 1/1"
    code, out, _ = run("segments", "show", "plus", "--json")
    assert (len(json.loads(out)["trend"]), json.loads(out)["members"]) == (14, 1)
    code, _, err = run("segments", "show", "plis")
    assert (code, "Did you mean 'plus'?" in err) == (3, True)


def test_preview_asks_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    file.write_text('rule = { all = [{ segment = "plus" }, { not = { event = "Login" } }] }')
    code, out, _ = run("segments", "preview", str(file))
    lines = out.splitlines()
    assert (code, lines[0]) == (0, 'is in segment "plus" and not (did "Login")')
    assert lines[1] == "1 profiles (50.0%)"
    assert lines[-1] == "note: No event 'Login' has come so far."
    code, out, _ = run("segments", "preview", str(file), "--json")
    assert json.loads(out)["size"] == 1
    for text, said in (("rule = 1", "must be a table"), ("rule", "not valid TOML")):
        file.write_text(text)
        code, _, err = run("segments", "preview", str(file))
        assert (code, said in err) == (2, True)
    assert run("segments", "preview", str(tmp_path / "none.toml"))[0] == 3
