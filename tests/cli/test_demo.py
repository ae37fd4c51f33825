"""The demo: played small, looked at from outside; and what it says where it cannot play."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from opportune.cli import demo
from opportune.cli.serve import Children
from opportune.settings import Settings

Run = Callable[..., tuple[int, str, str]]
Until = Callable[..., None]
PartsOf = Callable[[int], list[psutil.Process]]

AWAY = "postgresql://postgres@127.0.0.1:1/nowhere?connect_timeout=1"
CUSTOMERS = 60
DAYS = 2


# What it does


@dataclass(frozen=True)
class Played:
    folder: Path
    lines: list[str]
    page: str
    said: str
    status: int


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Not below pytest's own folder, which it closes to the database's user."""
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def played(place: Path) -> Played:
    """A demo as one starts it, up to the Ctrl-C that ends its serving.

    The settings name a database that is away: a demo must not touch what they name.
    """
    folder = place / "demo"
    arguments = ["--data", str(folder), "--port", "0", "--sandbox-port", "0", "--seed", "7"]
    size = ["--customers", str(CUSTOMERS), "--days", str(DAYS)]
    process = subprocess.Popen(
        [sys.executable, "-m", "opportune", "demo", *arguments, *size],
        env={**os.environ, "OPPORTUNE_DATABASE_URL": AWAY, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines, page = [], ""
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if told := re.search(r"http://127\.0\.0\.1:(\d+)(/\S+)", line):
                page = fetched(int(told.group(1)), told.group(2))
            if line.startswith("Serving"):
                break
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    return Played(folder=folder, lines=lines, page=page, said=said, status=process.returncode)


def fetched(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    assert response.status == 200, body
    return body


def test_it_ends_quietly_and_leaves_no_database_running(played: Played) -> None:
    assert (played.status, played.said) == (0, "")
    assert played.lines[-1] == "Serving; Ctrl-C ends it."
    assert (played.folder / "database" / "pg" / "PG_VERSION").exists()
    assert not (played.folder / "database" / "pg" / "postmaster.pid").exists()


def test_it_keeps_what_it_says_of_each_day(played: Played) -> None:
    kept = json.loads((played.folder / "demo.json").read_text())
    assert kept["seed"] == 7
    first = date.fromisoformat(kept["captured"][0]["day"])
    assert [row["day"] for row in kept["captured"]] == [
        (first + timedelta(days=place)).isoformat() for place in range(DAYS)
    ]
    assert [line for line in played.lines if " done, captured " in line] == [
        f"{row['day']} done, captured {row['share']:+.0%} of the achievable uplift"
        for row in kept["captured"]
    ]
    assert max(row["share"] for row in kept["captured"]) <= 1


def test_everybody_who_was_decided_for_got_one_message_a_day(played: Played) -> None:
    journal = (played.folder / "sandbox.jsonl").read_text().splitlines()
    sent = [
        (call["at"][:10], message["external_user_id"])
        for call in map(json.loads, journal)
        for message in call["messages"]
    ]
    assert len(sent) == len(set(sent))
    assert CUSTOMERS * DAYS * 0.7 < len(sent) < CUSTOMERS * DAYS
    assert f"Recommendations: {len(sent)} sent." in played.lines
    assert played.lines[-2] == (
        f"Braze sandbox: {len(sent)} messages, at most 1 per customer and day."
    )


def test_the_page_it_points_at_shows_the_use_case(played: Played) -> None:
    assert "Next best offer" in played.page


def test_the_next_demo_takes_its_place_and_ends_the_database_it_left_behind(
    played: Played, until: Until
) -> None:
    database = played.folder / "database" / "pg"
    left = "import os, sys; from pathlib import Path; from opportune.storage import embedded; "
    left += "embedded.start(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", left, str(database)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    server = psutil.Process(int((database / "postmaster.pid").read_text().splitlines()[0]))
    older = Settings(data_folder=Path("live"), database_url=AWAY, braze_api_key="live")
    found = demo._prepare(played.folder, 4711, older)
    until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, within_s=10)
    assert [file.name for file in played.folder.iterdir()] == ["demo.json"]
    assert (found.data_folder, found.port, found.host) == (played.folder, 4711, "127.0.0.1")
    assert found.database_url == ""
    assert found.braze_api_key != "live"


def test_a_demo_that_is_told_to_end_takes_its_children_along(
    place: Path, until: Until, parts_of: PartsOf
) -> None:
    folder = place / "ended"
    arguments = ["--data", str(folder), "--port", "0", "--sandbox-port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "opportune", "demo", *arguments, "--customers", "10"],
        stdout=subprocess.DEVNULL,
    )
    children: list[psutil.Process] = []
    try:
        until(lambda: len(parts_of(process.pid)) == 3)
        children = parts_of(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=40) == 130
        assert [child for child in children if child.is_running()] == []
        assert not (folder / "database" / "pg" / "postmaster.pid").exists()
    finally:
        process.kill()
        process.wait()
        for left in children:
            if left.is_running():
                left.kill()


# Where it refuses to play


def test_a_file_is_no_folder_for_it(command: Run, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("mine")
    code, out, err = command("demo", "--data", str(file), "--port", "0", "--sandbox-port", "0")
    assert (code, out) == (4, "")
    assert err == f"folder_in_use: {file} is a file. Give a folder with --data.\n"
    assert file.read_text() == "mine"


def test_an_older_demo_stays_when_the_new_one_is_refused(command: Run, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"seed": 1}')
    given = ("demo", "--data", str(tmp_path), "--port", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = command(*given, "--sandbox-port", str(port))
    assert code == 4
    assert err.startswith(f"port_taken: Port {port} is taken.")
    assert (tmp_path / "demo.json").read_text() == '{"seed": 1}'


def test_dashboard_and_sandbox_need_two_ports(command: Run, tmp_path: Path) -> None:
    given = ("demo", "--data", str(tmp_path / "demo"))
    code, out, err = command(*given, "--port", "8477", "--sandbox-port", "8477")
    assert (code, out) == (2, "")
    told = " ".join(err.replace("│", " ").split())
    assert "--port and --sandbox-port are both 8477; give two ports." in told
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--customers", "9"), ("--days", "0"), ("--days", "91")]
)
def test_its_size_has_limits(command: Run, tmp_path: Path, option: str, value: str) -> None:
    code, out, err = command("demo", "--data", str(tmp_path / "demo"), option, value)
    assert (code, out) == (2, "")
    assert f"Invalid value for '{option}'" in err
    assert not (tmp_path / "demo").exists()


# What it says when a part of it does not do its work


@contextmanager
def answering(*plan: int | None) -> Iterator[tuple[int, list[tuple[str, str, bytes]]]]:
    """A server that gives one answer of the plan a request: a status, or None to hang up.

    Yields its port, and (method and path, authorization, body) of each request it got.
    """
    answers, got = list(plan), list[tuple[str, str, bytes]]()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            got.append((self.requestline[:-9], self.headers.get("Authorization", ""), body))
            status = answers.pop(0)
            if status is None:
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"sends": 3}' if status == 200 else b"no room")

        do_GET = do_POST = answer  # noqa: N815 - names the server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, got
        server.shutdown()
        thread.join()


@contextmanager
def connected(port: int, timeout_s: float = 10) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    yield connection
    connection.close()


def test_a_call_that_was_hung_up_on_is_made_once_more() -> None:
    with answering(None, 200) as (port, got), connected(port) as connection:
        assert demo._post(connection, "/v1/batch", {"a": 1}, key="k") == {"sends": 3}
    # "k:" in base 64.
    assert got == [("POST /v1/batch", "Basic azo=", b'{"a":1}')] * 2


def test_a_call_that_is_hung_up_on_again_is_given_up() -> None:
    given_up = pytest.raises(demo.DemoStuck, match=r"^/_sandbox/sends is not answered: .+\. Run ")
    with answering(None, None) as (port, got), connected(port) as connection, given_up:
        demo._get(connection, "/_sandbox/sends")
    assert len(got) == 2


def test_an_answer_that_is_no_yes_is_told_with_its_words() -> None:
    given_up = pytest.raises(demo.DemoStuck, match=r"^/_sandbox/react answered 503: no room$")
    with answering(503) as (port, got), connected(port) as connection, given_up:
        demo._post(connection, "/_sandbox/react", {})
    assert got == [("POST /_sandbox/react", "", b"{}")]


def test_a_server_that_never_answers_is_given_up() -> None:
    given_up = pytest.raises(demo.DemoStuck, match=r"^/_sandbox/sends is not answered: timed out\.")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with connected(port, timeout_s=0.1) as connection, given_up:
            demo._get(connection, "/_sandbox/sends")


def test_a_part_that_never_listens_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PATIENCE_S", 0.6)
    with socket.socket() as nobody, ExitStack() as stack:
        # Bound and not listening: whoever connects is refused, and nobody else takes the port.
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(demo.DemoStuck) as stuck:
            demo._connected(stack, Children({}), port)
    assert stuck.value.message == (
        f"Still waiting for an answer on port {port} after 1 s. Run the demo again."
    )


def test_a_part_that_died_before_it_listened_is_started_again(
    tmp_path: Path, until: Until, capfd: pytest.CaptureFixture[str]
) -> None:
    environ = {**os.environ, "OPPORTUNE_DATA_FOLDER": str(tmp_path)}
    with answering() as (port, _), ExitStack() as stack, Children(environ) as children:
        children.start("keys", ["keys", "shop"])
        first = children.running["keys"]
        until(lambda: first.poll() is not None)
        demo._until(children, lambda: children.running["keys"] is not first, "starting")
        demo._connected(stack, children, port).close()
    capfd.readouterr()
