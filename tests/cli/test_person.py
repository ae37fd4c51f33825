"""`opportune person`: what is known, and what is allowed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opportune import project
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def ana(stores: Stores, take_in: Callable[..., None], tmp_path: Path) -> None:
    folder = tmp_path / "asking"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "shop", folder)
    (folder / "consent.toml").write_text('[purposes.marketing]\nunknown = "no"\n')
    project.apply(stores.state, folder, now=NOW)
    said = {"userId": "ana", "timestamp": NOW.isoformat()}
    take_in(
        {"type": "identify", "messageId": "1", "traits": {"plan": "plus"}, **said},
        {"type": "track", "event": "Order Completed", "messageId": "2", **said},
    )


def test_show_prints_what_is_known_and_what_happened(run: Run) -> None:
    code, out, _ = run("person", "show", "user_id", "ana", "--entries", "1")
    assert code == 0
    assert out.splitlines()[1:] == [
        "  user_id ana, since 2026-03-01 06:00:00 UTC",
        "time zone UTC (default: it is missing)",
        'trait plan = "plus", said 2026-03-01 06:00:00 UTC in message 1 of shop',
        "consent marketing by *: no, nothing was said",
        "2026-03-01 06:00:00 UTC event Order Completed",
    ]


def test_consent_is_put_on_record_for_programs_to_read(run: Run) -> None:
    how = ("--by", "desk", "--evidence", "form 7", "--channel", "email")
    code, out, _ = run("person", "consent", "user_id", "ana", "granted", *how)
    assert (code, out) == (0, "On record. 0 sends that were waiting will not be made.\n")
    _, out, _ = run("person", "show", "user_id", "ana", "--json")
    consent = {each["channel"]: each for each in json.loads(out)["consent"]}
    assert (consent["email"]["allowed"], consent["*"]["allowed"]) == (True, False)
    assert consent["email"]["because"]["evidence"]["evidence"] == "form 7"


def test_a_purpose_that_is_none_is_refused(run: Run) -> None:
    how = ("--by", "desk", "--evidence", "form 7", "--purpose", "marketting")
    code, _, err = run("person", "consent", "user_id", "ana", "granted", *how)
    assert (code, err) == (
        2,
        "consent_not_possible: No purpose 'marketting'. Allowed: marketing, *.\n",
    )
