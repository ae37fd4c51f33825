"""What a page of another origin needs before its browser sends anything."""

from __future__ import annotations

from typing import Any

import pytest

TRACK = b'{"userId": "c1", "event": "e"}'
ORIGIN = {"Origin": "http://shop.example"}
MESSAGES = [f"/v1/{name}" for name in (["identify", "track", "page", "screen", "group", "alias"])]
SHORT = [f"/v1/{letter}" for letter in "itpsgabm"]
SETTINGS = "/v1/projects/shop-key/settings"


def test_a_browser_may_ask_first_wherever_it_sends(server: Any) -> None:
    asked = {
        **ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-retry-count",
    }
    for path in (*MESSAGES, *SHORT, "/v1/batch", "/v1/import", SETTINGS):
        answer = server.call(path, key=None, headers=asked, method="OPTIONS")
        assert (path, answer.status, answer.text) == (path, 204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
        assert answer.headers["access-control-allow-headers"] == (
            "authorization, content-type, x-retry-count"
        )
        assert int(answer.headers["access-control-max-age"]) >= 3600


@pytest.mark.parametrize(
    ("body", "key", "status"), [(TRACK, "shop-key", 200), (b"{", "shop-key", 400), (b"", "x", 401)]
)
def test_every_answer_may_be_read_by_the_page(
    server: Any, body: bytes, key: str, status: int
) -> None:
    answer = server.call("/v1/t", body, key=key, headers={**ORIGIN, "Content-Type": "text/plain"})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == "*"


def test_when_to_try_again_may_be_read_by_the_page(server: Any) -> None:
    server.log.close()
    answer = server.call("/v1/t", TRACK, headers=ORIGIN)
    assert answer.status == 503
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "Retry-After, X-RateLimit-Reset"


def test_the_settings_tell_the_library_to_send_here(server: Any) -> None:
    answer = server.call(SETTINGS, key=None, headers=ORIGIN, method="GET")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.body == {
        "integrations": {
            "Segment.io": {
                "apiKey": "shop-key",
                "apiHost": f"127.0.0.1:{server.port}/v1",
                "protocol": "http",
            }
        },
        "plan": {"track": {"__default": {"enabled": True}}},
        "metrics": {"sampleRate": 0},
    }


def test_behind_a_proxy_the_settings_tell_the_address_that_was_asked(server: Any) -> None:
    headers = {"Host": "events.shop.example", "X-Forwarded-Proto": "https"}
    answer = server.call(SETTINGS, key=None, headers=headers, method="GET")
    here = answer.body["integrations"]["Segment.io"]
    assert (here["protocol"], here["apiHost"]) == ("https", "events.shop.example/v1")


def test_there_are_no_settings_for_an_unknown_key(server: Any) -> None:
    answer = server.call("/v1/projects/unknown/settings", key=None, headers=ORIGIN, method="GET")
    assert (answer.status, answer.body["code"]) == (404, "unknown_source")
    assert answer.headers["access-control-allow-origin"] == "*"
