"""How a body comes: compressed or not, in one piece or in chunks, and never too much of it."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
from typing import Any

import pytest

PLAIN = json.dumps(
    {"batch": [{"type": "track", "userId": "c1", "event": "e", "messageId": "m1"}]}
).encode()
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip "])
def test_a_gzipped_body_is_kept_decompressed(server: Any, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    assert server.call("/v1/batch", gzip.compress(PLAIN), headers=headers).status == 200
    assert [frame.body for frame in server.frames()] == [PLAIN]


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "text/plain;x", "a/b"])
@pytest.mark.parametrize("encoding", ["identity", ""])
def test_the_body_decides_what_it_is_and_not_its_header(
    server: Any, media_type: str, encoding: str
) -> None:
    headers = {"Content-Type": media_type, "Content-Encoding": encoding}
    assert server.call("/v1/batch", PLAIN, headers=headers).status == 200
    assert [frame.body for frame in server.frames()] == [PLAIN]


@pytest.mark.parametrize("headers", [{}, GZIP])
def test_a_body_in_chunks_is_put_together(server: Any, headers: dict[str, str]) -> None:
    body = gzip.compress(PLAIN) if headers else PLAIN
    pieces = [body[:10], body[10:11], body[11:]]
    sent = {**headers, "Transfer-Encoding": "chunked"}
    assert server.call("/v1/batch", pieces, headers=sent).status == 200
    assert [frame.body for frame in server.frames()] == [PLAIN]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (gzip.compress(b" " * 50_000_000), "body_too_large"),
        (b"no gzip", "bad_request"),
        (gzip.compress(PLAIN, mtime=0)[:-9], "bad_request"),
        (b"", "bad_request"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/t"])
def test_a_gzip_bomb_or_a_broken_one_is_400(server: Any, path: str, body: bytes, code: str) -> None:
    answer = server.call(path, body, headers=GZIP)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert server.frames() == []


def test_another_encoding_is_400(server: Any) -> None:
    answer = server.call("/v1/batch", PLAIN, headers={"Content-Encoding": "br"})
    assert (answer.status, answer.body["code"]) == (400, "bad_request")
    assert server.frames() == []


@pytest.mark.parametrize("chunks", [1, 10])
def test_a_body_past_the_limit_is_refused_and_the_connection_closed(
    server: Any, chunks: int
) -> None:
    pieces = [b" " * (1_000_000 // chunks)] * chunks
    answer = server.call("/v1/batch", pieces, headers={"Transfer-Encoding": "chunked"})
    assert (answer.status, answer.body["code"]) == (400, "body_too_large")
    assert answer.headers["connection"] == "close"
    assert server.frames() == []


def test_an_endless_body_is_cut_off(server: Any) -> None:
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 40}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode())
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 200_000_000:
                sent += connection.send(b" " * 1_000_000)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert sent < 100_000_000
    assert server.frames() == []
