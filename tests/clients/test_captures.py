"""The recorded requests of real libraries, sent to the whole program: who it then knows."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
from pathlib import Path
from typing import Any

import pytest

BESIDE = Path(__file__).parents[2].parent / "shared" / "reference"
CAPTURES = Path(os.environ.get("REFERENCE_FOLDER", BESIDE)) / "segment-captures"
VISITOR = "9cb810d0-32db-42d8-a36f-bf85ef1c0370"
NAMES = ("segpy_plain", "segpy_gzip", "rudpy_plain", "rudpy_gzip", "segnode", "browser_std")


@pytest.fixture(scope="module")
def replayed(program: Any) -> None:
    """All of `NAMES`, posted as they were with a write key of the program's."""
    if not CAPTURES.exists():
        pytest.skip("no recorded requests of real clients: REFERENCE_FOLDER does not hold them")
    for name in NAMES:
        for request in json.loads((CAPTURES / f"{name}.json").read_text())["requests"]:
            if request["method"] == "POST":
                assert post(program, request) == {"success": True}


def post(program: Any, request: dict[str, Any]) -> object:
    key = base64.b64encode(f"{program.keys['recorded']}:".encode()).decode()
    headers = {"Authorization": f"Basic {key}"}
    body = json.dumps(request["body"]).encode()
    if request["headers"].get("Content-Encoding") == "gzip":
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body)
    connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)
    connection.request("POST", request["path"], body, headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


@pytest.mark.usefixtures("replayed")
def test_the_customer_of_the_recorded_calls_is_one_profile(program: Any) -> None:
    # 43 messages, of which five have the same id.
    rows = program.events("recorded", count=39)
    ids = [row["message_id"] for row in rows]
    assert len(ids) == len(set(ids)) == 39
    assert "fixed-message-id-1" in ids
    profile = program.profile("user_id", "cust-1")
    assert profile["traits"]["email"] == "michael.scott@example.com"
    assert profile["traits"]["name"] == "Michael Scott"
    assert profile["traits"]["plan"] == "gold"
    assert profile["traits"]["address"] == {"city": "Scranton", "country": "US"}
    named = [(each["kind"], each["value"]) for each in profile["identifiers"]]
    assert ("anonymous_id", VISITOR) in named
    assert program.profile("anonymous_id", VISITOR)["profile_id"] == profile["profile_id"]


@pytest.mark.usefixtures("replayed")
def test_an_alias_and_a_visitor_who_never_logged_in_join_nobody(program: Any) -> None:
    customer, visitor = (
        program.profile("user_id", "cust-1"),
        program.profile("anonymous_id", "anon-9"),
    )
    other = program.profile("user_id", "4711")
    assert len({each["profile_id"] for each in (customer, visitor, other)}) == 3
    assert visitor["traits"] == {}
