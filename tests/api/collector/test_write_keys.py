"""Who may send: where a request carries its write key, and what the key allows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import pytest

from opportune.api import UnknownSource, WriteKeys
from opportune.events import Limits

KEY, OTHER = "shop-key", "WRITE_KEY_abc123"
TRACK = {"type": "track", "userId": "c1", "event": "e", "messageId": "m1"}
METRIC = "opportune_requests_unknown_source_total{}"


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        basic(f"{KEY}:"),
        basic(KEY),
        basic(f"{KEY}:password"),
        {"Authorization": "basic " + base64.b64encode(b"shop-key:").decode().rstrip("=")},
        {**basic(f"{KEY}:"), "Content-Type": "text/plain"},
        {},
        {"Authorization": "Bearer something"},
        basic(":"),
    ],
)
def test_a_write_key_is_taken_from_the_header_else_from_the_body(
    server: Any, headers: dict[str, str]
) -> None:
    body = {"batch": [TRACK], "writeKey": KEY}
    assert server.call("/v1/batch", body, key=None, headers=headers).status == 200
    assert [frame.source_id for frame in server.frames()] == ["shop"]


@pytest.mark.parametrize(
    ("headers", "write_key"),
    [
        (basic("unknown:"), None),
        (basic("unknown:"), KEY),
        (basic("unknown:"), OTHER),
        ({}, None),
        ({}, "unknown"),
        ({}, 5),
        ({"Authorization": "Basic //79"}, KEY),
        ({"Authorization": "Basic a"}, KEY),
        ({"Authorization": "Basic \u00e9"}, KEY),
    ],
)
def test_an_unknown_write_key_is_401_and_nothing_is_kept(
    server: Any, headers: dict[str, str], write_key: object
) -> None:
    body = {"batch": [TRACK], "writeKey": write_key}
    answer = server.call("/v1/batch", body, key=None, headers=headers)
    assert (answer.status, answer.body["code"]) == (401, "unknown_source")
    assert isinstance(answer.body["message"], str)
    assert answer.body["success"] is False
    assert server.frames() == []


def test_an_unknown_key_is_answered_after_its_whole_body(server: Any) -> None:
    answers = [
        server.call("/v1/batch", b" " * size, key="unknown").body["code"]
        for size in (100_000, 100_001)
    ]
    assert answers == ["unknown_source", "body_too_large"]


def test_the_header_wins_over_the_body(server: Any) -> None:
    body = {"batch": [TRACK], "writeKey": OTHER}
    assert server.call("/v1/batch", body, key=KEY).status == 200
    assert [frame.source_id for frame in server.frames()] == ["shop"]


def test_an_unreadable_body_without_a_header_is_400(server: Any) -> None:
    answer = server.call("/v1/batch", b"{", key=None)
    assert (answer.status, answer.body["code"]) == (400, "bad_request")


def count(server: Any) -> list[str]:
    text = server.call("/metrics", key=None, method="GET").text.decode()
    return [line for line in text.splitlines() if line.startswith(METRIC)]


@pytest.mark.parametrize("compatible", [False, True])
def test_where_it_must_be_like_segment_an_unknown_key_is_200_and_counted(
    collecting: Callable[..., AbstractContextManager[Any]], compatible: bool
) -> None:
    requests: list[Mapping[str, Any]] = [
        {"key": "unknown"},
        {"key": None},
        {"key": None, "headers": {"Authorization": "Basic a"}},
    ]
    with collecting(compatible=compatible) as server:
        assert count(server) == [f"{METRIC} 0"]
        answers = [server.call("/v1/track", TRACK, **request) for request in requests]
        assert count(server) == [f"{METRIC} 3"]
        # What cannot be read is told, and the address of a browser's settings stays unknown.
        assert server.call("/v1/track", b"{", key=None).status == 400
        settings = server.call("/v1/projects/unknown/settings", key=None, method="GET")
        assert server.call("/v1/track", TRACK).status == 200
    assert [answer.status for answer in answers] == [200 if compatible else 401] * 3
    assert [answer.body["success"] for answer in answers] == [compatible] * 3
    assert settings.status == 404
    assert [frame.source_id for frame in server.frames()] == ["shop"]


def batch(size: int, **fields: object) -> bytes:
    empty = json.dumps({"batch": [TRACK], **fields, "pad": ""})
    return json.dumps({"batch": [TRACK], **fields, "pad": "x" * (size - len(empty))}).encode()


@pytest.mark.parametrize(
    ("key", "size", "code"),
    [
        ("rudder", 300_000, None),
        ("rudder", 300_001, "body_too_large"),
        (KEY, 100_000, None),
        (KEY, 100_001, "body_too_large"),
        ("small", 1_000, None),
        ("small", 1_001, "body_too_large"),
        ("unknown", 100_000, "unknown_source"),
    ],
)
@pytest.mark.parametrize("in_header", [True, False])
def test_a_source_may_have_a_limit_of_its_own(
    server: Any, key: str, size: int, code: str | None, in_header: bool
) -> None:
    server.know(
        {"rudder": "rudder", KEY: "shop", "small": "small"},
        largest={"rudder": 300_000, "small": 1_000},
    )
    body = batch(size) if in_header else batch(size, writeKey=key)
    assert len(body) == size
    answer = server.call("/v1/batch", body, key=key if in_header else None)
    assert answer.body.get("code") == code
    assert [len(frame.body) for frame in server.frames()] == ([] if code else [size])


def test_a_limit_that_no_source_raises_is_the_servers(
    collecting: Callable[..., AbstractContextManager[Any]],
) -> None:
    with collecting(limits=Limits(batch_bytes=2_000)) as server:
        assert server.call("/v1/batch", batch(2_000, writeKey=KEY), key=None).status == 200
        assert server.call("/v1/batch", batch(2_001, writeKey=KEY), key=None).status == 400


def test_keys_are_read_again_when_their_file_changes(server: Any) -> None:
    body = {"batch": [TRACK]}
    assert server.call("/v1/batch", body, key="new").status == 401
    server.know({"new": "second-shop"})
    assert server.call("/v1/batch", body, key="new").status == 200
    assert server.call("/v1/batch", body, key=KEY).status == 401
    server.keys_path.unlink()
    assert server.call("/v1/batch", body, key="new").status == 401


def test_keys_stay_valid_while_their_file_cannot_be_read(
    server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    keys = WriteKeys(server.keys_path)
    assert keys.source(KEY).source_id == "shop"
    server.keys_path.write_text('{"abc": 5}')
    assert keys.source(KEY).source_id == "shop"
    assert "keys.json cannot be read" in caplog.text
    with pytest.raises(UnknownSource):
        keys.source("other")
