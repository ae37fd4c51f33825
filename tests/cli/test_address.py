"""Where the program listens: a port that is free, and a word about one that cannot be had."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opportune.cli.serve import PortTaken, UnusableAddress, free_port

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_nobody_listens_on_is_returned_as_it_is(taken: int) -> None:
    free = free_port("127.0.0.1", 0)
    assert free not in (0, taken)
    assert free_port("127.0.0.1", free) == free


def test_a_port_that_is_taken_is_named_with_every_way_out(taken: int) -> None:
    with pytest.raises(PortTaken) as refusal:
        free_port("127.0.0.1", taken)
    assert refusal.value.message == (
        f"Port {taken} is taken. Stop what listens there, or give another: OPPORTUNE_PORT for "
        "`serve`, --port and --sandbox-port for `demo`, --port for `sandbox`."
    )


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("127.0.0.1", 65_536, "a port is a number from 0 to 65535"),
        ("127.0.0.1", -1, "a port is a number from 0 to 65535"),
        # An address that is kept for examples, so it is no machine's.
        ("203.0.113.1", 8420, os.strerror(errno.EADDRNOTAVAIL)),
    ],
)
def test_an_address_that_cannot_be_had_is_refused_with_what_is_allowed(
    host: str, port: int, why: str
) -> None:
    with pytest.raises(UnusableAddress) as refusal:
        free_port(host, port)
    assert refusal.value.message == (
        f"Nothing can listen at {host}, port {port}: {why}. Give an address of this machine and a "
        "port up to 65535, 0 for any free one."
    )


@pytest.mark.parametrize("arguments", [("serve",), ("serve", "--only", "collector")])
def test_serve_does_not_listen_on_what_is_left_of_too_high_a_port(
    command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("OPPORTUNE_PORT", "70000")
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("unusable_address: Nothing can listen at 127.0.0.1, port 70000: ")
    assert not (tmp_path / "data").exists()


def test_every_server_refuses_a_taken_port_before_it_makes_anything(
    command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, taken: int
) -> None:
    monkeypatch.setenv("OPPORTUNE_PORT", str(taken))
    for arguments in [
        ("serve",),
        ("serve", "--only", "http"),
        ("sandbox", "braze", "--api-key", "k", "--port", str(taken)),
        ("demo", "--data", str(tmp_path / "demo"), "--port", str(taken)),
    ]:
        code, out, err = command(*arguments)
        assert (code, out) == (4, ""), arguments
        assert err.startswith(f"port_taken: Port {taken} is taken."), arguments
    assert list(tmp_path.iterdir()) == []
