"""The collector inside the server that `opportune serve` runs, while there is no database."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette

from opportune.cli.serve import http_application
from opportune.keys import create_key
from opportune.settings import Settings
from opportune.storage import SegmentLog, read_frames

TRACK = {"type": "track", "userId": "c1", "event": "e", "messageId": "m1"}


@pytest.mark.parametrize("compatible", [False, True])
def test_its_settings_reach_the_collector_and_its_counts_the_metrics(
    serving: Callable[[Starlette], AbstractContextManager[int]], tmp_path: Path, compatible: bool
) -> None:
    settings = Settings(
        data_folder=tmp_path,
        database_url="postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1",
        max_batch_bytes=1_000,
        max_message_bytes=500,
        segment_compatible=compatible,
    )
    key = create_key(settings, "shop")
    with ExitStack() as stack:
        log = SegmentLog(settings.log_folder)
        stack.callback(log.close)
        port = stack.enter_context(serving(http_application(settings, log, stack)))

        def post(key: str, text: str = "") -> tuple[int, object]:
            return ask(port, "POST", {"batch": [TRACK, {**TRACK, "x": text}], "writeKey": key})

        assert post("unknown")[0] == (200 if compatible else 401)
        assert post(key) == (200, {"success": True})
        (rejected,) = post(key, "x" * 500)[1]["rejected"]  # type: ignore[index]
        assert rejected["code"] == "message_too_large"
        assert post(key, "x" * 1_000)[1]["code"] == "body_too_large"  # type: ignore[index]
        figures = str(ask(port, "GET", None, path="/metrics")[1]).splitlines()
        assert "opportune_requests_unknown_source_total{} 1" in figures
    assert len(read_frames(settings.log_folder, {}, limit_bytes=1 << 30)[0]) == 2


def ask(port: int, method: str, body: object, *, path: str = "/v1/batch") -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text.startswith("{") else text
