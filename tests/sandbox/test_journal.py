"""What was accepted is on file before the answer, and remembered after a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opportune.sandbox.model import DamagedJournal

DAY = "2026-01-05"


def action(offer: str = "tv_bundle") -> dict[str, str]:
    return {"offer": offer, "channel": "email", "hour": "09", "decision_id": "d-1"}


def filled(start: Any, path: Path, **changes: Any) -> Any:
    client = start(journal=path, **changes)
    client.post("/_sandbox/clock", {"now": f"{DAY}T06:00:00Z"})
    for number in range(1, 4):
        user = f"c{number:06d}"
        client.send(
            {"external_user_id": user, "trigger_properties": action()}, {"external_user_id": "gone"}
        )
    return client


def test_a_call_is_in_the_file_when_it_is_answered(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    client = filled(start, path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 3
    assert lines == client.get("/_sandbox/journal").json["calls"]
    assert lines[0]["messages"] == [{"external_user_id": "c000001", "trigger_properties": action()}]
    assert lines[0]["dropped"] == ["gone"]
    assert lines[0]["at"] == f"{DAY}T06:00:00Z"


def test_a_refused_or_failed_call_is_not_in_the_file(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    client = start(journal=path)
    client.post("/_sandbox/faults", {"faults": ["503"]})
    assert client.send({"external_user_id": "c000001"}).status == 503
    assert client.send({"external_user_id": "c000001"}, campaign_id="x").status == 400
    assert path.read_bytes() == b""


def test_a_sandbox_started_on_the_file_of_another_remembers_it(
    start: Any, tmp_path: Path, collector: Any
) -> None:
    path = tmp_path / "journal.jsonl"
    before = filled(start, path, events_url=collector.url)
    assert before.post("/_sandbox/react", {"day": DAY}).status == 200
    posted = sorted(event["id"] for event in collector.engagement)
    collector.posts.clear()
    after = start(journal=path, events_url=collector.url)
    for where in ("/_sandbox/sends", "/_sandbox/journal", "/_sandbox/clock"):
        assert after.get(where).json == before.get(where).json
    assert after.received("c000002")[0]["last_received"] == f"{DAY}T06:00:00.000Z"
    assert after.post("/_sandbox/react", {"day": DAY}).status == 200
    assert sorted(event["id"] for event in collector.engagement) == posted


def test_a_torn_last_line_was_never_processed_and_leaves_no_trace(
    start: Any, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    filled(start, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    client = start(journal=path)
    assert client.get("/_sandbox/sends").json["sends"] == 2
    assert client.received("c000003") == []
    client.send({"external_user_id": "c000003"})
    assert [json.loads(line)["dropped"] for line in path.read_text().splitlines()] == [
        ["gone"],
        ["gone"],
        [],
    ]


@pytest.mark.parametrize("line", [b'{"at": 7}', b"\xff", b"{"])
def test_a_damaged_line_in_the_middle_stops_the_start(
    start: Any, tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "journal.jsonl"
    filled(start, path)
    path.write_bytes(line + b"\n" + path.read_bytes())
    with pytest.raises(DamagedJournal, match=r"Line 1 of journal\.jsonl is not a send call"):
        start(journal=path)


def test_a_created_user_is_remembered_too(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    new = {"external_user_id": "new", "send_to_existing_only": False, "attributes": {}}
    start(journal=path).send(new)
    assert len(start(journal=path).received("new")) == 1


def test_the_journal_shows_the_newest_calls_up_to_a_limit(client: Any) -> None:
    for number in range(1, 4):
        client.send({"external_user_id": f"c{number:06d}"})
    calls = client.get("/_sandbox/journal?limit=2").json["calls"]
    assert [call["messages"][0]["external_user_id"] for call in calls] == ["c000002", "c000003"]


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_wrong_limit_is_400(client: Any, limit: str) -> None:
    assert client.get(f"/_sandbox/journal?limit={limit}").status == 400
