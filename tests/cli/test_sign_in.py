"""Signing in from the command line, and a server that does not start without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from opportune import sign_in
from opportune.settings import Settings, as_variables
from opportune.storage import Stores

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Type a command under these settings."""

    def under(settings: Settings, *arguments: str) -> tuple[int, str, str]:
        for name, value in as_variables(settings).items():
            monkeypatch.setenv(name, value)
        status, out, err = command(*arguments)
        return status, out.strip(), err

    return under


def test_a_link_is_made_used_listed_and_ended(
    settings: Settings, stores: Stores, typed: Typed
) -> None:
    named = replace(settings, hosts="shop.example.com other.example.com")
    status, link, _ = typed(named, "sign-in", "link", "ana")
    assert (status, link.partition("=")[0]) == (0, "http://shop.example.com:8420/sign-in?link")
    now = datetime.now(UTC)
    session = sign_in.enter(stores.state, link.partition("=")[2], now=now)
    assert sign_in.who(stores.state, session=session, authorization=None, now=now) == "ana"
    token = typed(settings, "sign-in", "token", "crm")[1]
    given = f"Bearer {token}"
    assert sign_in.who(stores.state, session="", authorization=given, now=now) == "crm"
    lines = typed(settings, "sign-in", "list")[1].splitlines()
    assert [line.partition(", made")[0] for line in lines] == ["ana: session", "crm: token"]
    assert typed(settings, "sign-in", "end", "ana")[:2] == (0, "ana: 1 ended.")
    assert typed(settings, "sign-in", "end", "ana")[0] == 3
    elsewhere = replace(settings, host="0.0.0.0")
    shown = typed(elsewhere, "sign-in", "link", "ben", "--address", "https://x.example/")[1]
    assert shown.startswith("https://x.example/sign-in?link=")


def test_serve_refuses_to_show_people_to_others_while_nobody_can_sign_in(
    settings: Settings, stores: Stores, typed: Typed
) -> None:
    for arguments in (("serve",), ("serve", "--only", "http")):
        status, _, said = typed(replace(settings, host="0.0.0.0", port=0), *arguments)
        assert (status, said.startswith("no_sign_in: ")) == (4, True)
        assert "opportune sign-in link NAME" in said
