"""``/users/export/segment``: an address that is not ready, an archive, a callback, a bucket."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from opportune.sandbox import SEGMENT_ID

PATH = "/users/export/segment"
FIELDS = ["external_id", "braze_id", "random_bucket"]


def export(client: Any, **fields: Any) -> Any:
    body = {"segment_id": SEGMENT_ID, "fields_to_export": FIELDS} | fields
    return client.post(PATH, body)


def fetch(client: Any, answer: Any, tries: int = 200) -> Any:
    """Ask until there is a file; how often it was not there, and the file."""
    path = "/exports/" + answer.json["url"].rpartition("/")[2]
    for number in range(tries):
        found = client.get(path)
        if found.status != 403:
            return number, found
        assert b"AccessDenied" in found.text
        time.sleep(0.01)
    raise AssertionError("it never came")


def lines(archive: bytes) -> list[list[dict[str, Any]]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return [
            [json.loads(line) for line in opened.read(name).splitlines()]
            for name in opened.namelist()
        ]


def test_an_archive_is_refused_until_it_is_ready_and_has_5000_users_a_file(start: Any) -> None:
    client = start(customers=5001, export_polls=3)
    answer = export(client, custom_attributes_to_export=["plan"])
    assert answer.status == 201
    assert answer.json["object_prefix"] in answer.json["url"]
    assert export(client).status == 429
    refused, found = fetch(client, answer)
    assert refused >= 3
    files = lines(found.text)
    assert [len(file) for file in files] == [5000, 1]
    assert sorted(files[0][0]) == [
        "appboy_id",
        "braze_id",
        "custom_attributes",
        "external_id",
        "random_bucket",
    ]
    assert list(files[0][0]["custom_attributes"]) == ["plan"]
    assert len({one["external_id"] for file in files for one in file}) == 5001
    assert export(client).status == 201


def test_a_gzip_has_the_lines_of_those_in_the_segment(start: Any) -> None:
    client = start(customers=50, export_polls=0)
    segment = client.post(
        "/_sandbox/segments", {"name": "Two", "external_ids": ["c000001", "c000009", "x"]}
    ).json
    answer = export(client, segment_id=segment["id"], output_format="gzip")
    _, found = fetch(client, answer)
    users = [json.loads(line)["external_id"] for line in gzip.decompress(found.text).splitlines()]
    assert users == ["c000001", "c000009"]


def test_an_archive_expires(start: Any) -> None:
    client = start(customers=5, export_polls=0, export_lives_s=0.0)
    path = "/exports/" + export(client).json["url"].rpartition("/")[2]
    until = time.monotonic() + 10
    while b"ExpiredToken" not in client.get(path).text:
        assert time.monotonic() < until
    assert client.get("/exports/other.zip").status == 403


def test_a_bucket_gets_files_and_the_answer_no_address(start: Any, tmp_path: Path) -> None:
    client = start(customers=5, bucket=tmp_path)
    answer = export(client)
    assert "url" not in answer.json
    folder = tmp_path / "segment-export" / SEGMENT_ID / "2026-01-01" / answer.json["object_prefix"]
    until = time.monotonic() + 10
    while not (found := list(folder.glob("*.zip"))):
        assert time.monotonic() < until
    assert [len(file) for file in lines(found[0].read_bytes())] == [5]


def test_a_callback_hears_when_it_is_ready(start: Any) -> None:
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    client = start(customers=5)
    answer = export(client, callback_endpoint=f"http://127.0.0.1:{server.server_port}/ready")
    thread.join(timeout=10)
    server.server_close()
    assert heard == [{"success": True, "url": answer.json["url"]}]
    assert fetch(client, answer)[0] == 0


def test_an_export_can_be_made_to_take_long_or_for_ever(start: Any) -> None:
    client = start(customers=5, export_polls=0)
    for fault in ("not_ready", "never_ready"):
        client.post("/_sandbox/faults", {"path": PATH, "faults": [fault]})
        answer = export(client)
        assert answer.status == 201
        path = "/exports/" + answer.json["url"].rpartition("/")[2]
        assert [client.get(path).status for _ in range(15)] == [403] * 15
        if fault == "not_ready":
            fetch(client, answer)
    assert export(client).status == 429


@pytest.mark.parametrize(
    "fields",
    [
        {"fields_to_export": []},
        {"fields_to_export": ["shoe_size"]},
        {"segment_id": "x"},
        {"output_format": "tar"},
        {"callback_endpoint": "ftp://x"},
        {"custom_attributes_to_export": ["a"] * 501},
    ],
)
def test_a_wrong_export_is_400(client: Any, fields: Any) -> None:
    assert export(client, **fields).status == 400
