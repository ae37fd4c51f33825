"""What every Braze call meets before its operation: key, permission, type, size, limits."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from opportune.sandbox import CAMPAIGN_ID, SandboxConfig, create_app
from opportune.sandbox.people import braze_id

SEND = "/campaigns/trigger/send"
LIMITS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
_DAY = date(2026, 1, 1)
ONE = {"external_user_id": "c000001"}


def limits(answer: Any) -> list[str | None]:
    return [answer.headers.get(name) for name in LIMITS]


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic test-key", "wrong", ""])
def test_a_wrong_key_is_401_with_empty_limits_and_the_key_as_sent(
    client: Any, authorization: str
) -> None:
    client.key = None
    answer = client.call("POST", SEND, {}, {"Authorization": authorization})
    assert answer.status == 401
    assert answer.json == {"message": f"Invalid API key: {authorization.partition(' ')[2]}"}
    assert limits(answer) == ["", "", ""]
    assert answer.headers["x-request-id"]


def test_a_key_without_the_permission_is_403_and_with_it_passes(start: Any) -> None:
    client = start(restricted_keys={"reader": frozenset({"campaigns.list"})})
    client.key = "reader"
    refused = client.send(ONE)
    assert refused.status == 403
    assert refused.json == {"message": "You do not have permission to access this resource"}
    assert client.get("/campaigns/list").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("POST", "/campaigns/trigger/send/"), ("GET", SEND), ("POST", "/")],
)
def test_an_unknown_path_or_method_is_404_with_json(client: Any, method: str, path: str) -> None:
    answer = client.call(method, path, {} if method == "POST" else None)
    assert answer.status == 404
    assert answer.json == {"message": "Not Found"}
    assert limits(answer)[0] == "250000"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_415(client: Any, content_type: str) -> None:
    answer = client.call("POST", SEND, b"{}", {"Content-Type": content_type})
    assert answer.status == 415
    assert answer.json == {"message": "Unsupported Media Type: send application/json"}


def test_a_content_type_with_a_charset_passes(client: Any) -> None:
    body = {"campaign_id": CAMPAIGN_ID, "recipients": [ONE]}
    answer = client.call("POST", SEND, body, {"Content-Type": "application/json; charset=utf-8"})
    assert answer.status == 201


def test_a_body_above_4_mb_is_413_announced_or_in_chunks(client: Any) -> None:
    body = b" " * 4_000_001
    assert client.call("POST", SEND, body).status == 413
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answer = client.call("POST", SEND, chunked, {"Transfer-Encoding": "chunked"})
    assert answer.status == 413
    assert answer.json == {"message": "Request Entity Too Large"}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"campaign_id": "\xff"}'])
def test_what_is_not_json_is_400(client: Any, body: bytes) -> None:
    answer = client.call("POST", SEND, body)
    assert answer.status == 400
    assert answer.json["message"].startswith("The request body is not valid JSON")


def test_every_answer_has_a_request_id_a_runtime_and_json(client: Any) -> None:
    answers = [client.send(ONE), client.send(), client.get("/campaigns/list")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    assert [answer.headers["content-type"] for answer in answers] == ["application/json"] * 3
    assert all(float(answer.headers["x-runtime"]) >= 0 for answer in answers)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0  # the top of an hour

    def __call__(self) -> float:
        return self.now


def limited(start: Any, **changes: Any) -> tuple[Any, Clock]:
    clock = Clock()
    base = SandboxConfig(api_key="test-key", customers=10, seed=1, start=_DAY)
    settings = {name: getattr(base, name) for name in base.__slots__} | changes
    return start(app=create_app(SandboxConfig(**settings), wall_clock=clock)), clock


def test_the_default_pool_counts_down_to_429_and_refills_at_the_top_of_the_hour(
    start: Any,
) -> None:
    client, clock = limited(start, requests_per_hour=2)
    ends = "1800003600"
    assert limits(client.send(ONE)) == ["2", "1", ends]
    assert limits(client.get("/campaigns/list")) == ["2", "0", ends]
    refused = client.send(ONE)
    assert (refused.status, refused.json) == (429, {"message": "Rate limit exceeded"})
    assert limits(refused) == ["2", "0", ends]
    assert client.get("/_sandbox/sends").json["sends"] == 1
    clock.now += 3600
    assert limits(client.send(ONE)) == ["2", "1", "1800007200"]


def test_newer_contracts_answer_429_with_seconds_to_wait_alone(start: Any) -> None:
    client, clock = limited(start, requests_per_hour=1, retry_after_style=True)
    client.send(ONE)
    clock.now += 3590.5
    refused = client.send(ONE)
    assert refused.status == 429
    assert refused.headers["x-ratelimit-retry-after"] == "10"
    assert limits(refused) == [None, None, None]


def test_exports_have_their_own_pools(start: Any) -> None:
    client, _ = limited(start, exports_per_minute=1)
    heavy = {"external_ids": ["c000001"], "fields_to_export": ["campaigns_received"]}
    light = {"external_ids": ["c000001"], "fields_to_export": ["external_id"]}
    assert limits(client.post("/users/export/ids", heavy)) == ["1", "0", "1800000060"]
    assert client.post("/users/export/ids", heavy).status == 429
    assert limits(client.post("/users/export/ids", light)) == ["40", "39", "1800000001"]
    assert limits(client.post("/users/track", {"events": []})) == ["3000", "2999", "1800000003"]


def test_broadcasts_to_one_audience_are_limited_to_ten_a_minute(start: Any) -> None:
    client, _ = limited(start)
    body = {"campaign_id": CAMPAIGN_ID, "broadcast": True}
    assert [client.post(SEND, body).status for _ in range(11)] == [201] * 10 + [429]


def test_a_user_is_the_same_by_external_id_and_by_braze_id(client: Any) -> None:
    assert client.send({"braze_id": braze_id("c000002")}).status == 201
    assert client.sent_users() == [["c000002"]]
    assert json.dumps(client.received("c000002")) != "[]"
