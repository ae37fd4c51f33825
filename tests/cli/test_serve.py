"""The whole program as an engineer starts it: real processes, real HTTP, a real client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from segment.analytics.client import Client

from opportune.keys import create_key
from opportune.settings import Settings, as_variables

Until = Callable[..., None]
Serving = Callable[..., AbstractContextManager[int]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def serving(until: Until) -> Serving:
    """`opportune serve` with some settings until the block ends; yields its port."""

    @contextmanager
    def serve(settings: Settings) -> Iterator[int]:
        port = free_port()
        environ = {**os.environ, **as_variables(settings), "OPPORTUNE_PORT": str(port)}
        process = subprocess.Popen([sys.executable, "-m", "opportune", "serve"], env=environ)
        try:
            until(lambda: answers(port))
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0

    return serve


def answers(port: int) -> bool:
    try:
        return get(port, "/healthz")[0] == 200
    except OSError:
        return False


def get(port: int, path: str) -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, json.loads(body) if body[:1] in b"{[" else body.decode()


def post(port: int, path: str, body: bytes, key: str) -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    token = b64encode(f"{key}:".encode()).decode()
    connection.request("POST", path, body, {"Authorization": f"Basic {token}"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_events_of_the_real_segment_client_are_found_in_the_profile(
    settings: Settings, serving: Serving, until: Until
) -> None:
    key = create_key(settings, "shop")
    with serving(settings) as port:
        errors: list[object] = []
        client = Client(
            key,
            host=f"http://127.0.0.1:{port}",
            on_error=lambda error, items: errors.append(error),
        )
        client.identify("michael", {"plan": "plus", "tenure_months": 14})
        client.track("michael", "review_left", {"stars": 5})
        client.flush()
        client.join()
        assert errors == []
        until(lambda: get(port, "/api/profiles/user_id/michael")[0] == 200)
        until(lambda: "plan" in get(port, "/api/profiles/user_id/michael")[1]["traits"])  # type: ignore[index]
        status, profile = get(port, "/api/profiles/user_id/michael")
    assert status == 200
    assert isinstance(profile, dict)
    assert profile["traits"] == {"plan": "plus", "tenure_months": 14}
    named = [(each["kind"], each["value"]) for each in profile["identifiers"]]
    assert named == [("user_id", "michael")]


@pytest.mark.slow
def test_events_are_accepted_while_the_database_is_away_and_found_when_it_is_back(
    settings: Settings, serving: Serving, until: Until
) -> None:
    away = Settings(
        data_folder=settings.data_folder,
        database_url=f"postgresql://postgres@127.0.0.1:{free_port()}/nowhere?connect_timeout=1",
    )
    key = create_key(away, "shop")
    body = json.dumps(
        {"batch": [{"type": "identify", "userId": "sarah", "messageId": "m1", "traits": {"a": 1}}]}
    ).encode()
    with serving(away) as port:
        assert post(port, "/v1/batch", body, key) == (200, {"success": True})
        status, answer = get(port, "/api/profiles/user_id/sarah")
        assert (status, answer["code"]) == (503, "database_unavailable")  # type: ignore[index]
    with serving(settings) as port:
        until(lambda: get(port, "/api/profiles/user_id/sarah")[0] == 200)


def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environ = {**os.environ, **as_variables(settings), "OPPORTUNE_PORT": str(port)}
        done = subprocess.run(
            [sys.executable, "-m", "opportune", "serve"],
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 4
    assert f"Port {port} is taken" in done.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_quietly_when_asked_to(
    settings: Settings, until: Until, signal_number: signal.Signals
) -> None:
    port = free_port()
    environ = {**os.environ, **as_variables(settings), "OPPORTUNE_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "opportune", "serve"], env=environ, stderr=subprocess.PIPE, text=True
    )
    until(lambda: answers(port))
    process.send_signal(signal_number)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (0, "")
