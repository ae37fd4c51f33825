"""Signing in from the command line, and a server that does not start without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from opportune import sign_in
from opportune.settings import Settings, as_variables
from opportune.storage import Stores


def run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "opportune", *arguments],
        env={**os.environ, **as_variables(settings)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_a_link_is_made_used_listed_and_ended(settings: Settings, stores: Stores) -> None:
    named = replace(settings, hosts="shop.example.com other.example.com")
    status, link, _ = run(named, "sign-in", "link", "ana")
    assert (status, link.partition("=")[0]) == (0, "http://shop.example.com:8420/sign-in?link")
    now = datetime.now(UTC)
    session = sign_in.enter(stores.state, link.partition("=")[2], now=now)
    assert sign_in.who(stores.state, session=session, authorization=None, now=now) == "ana"
    token = run(settings, "sign-in", "token", "crm")[1]
    given = f"Bearer {token}"
    assert sign_in.who(stores.state, session="", authorization=given, now=now) == "crm"
    lines = run(settings, "sign-in", "list")[1].splitlines()
    assert [line.partition(", made")[0] for line in lines] == ["ana: session", "crm: token"]
    assert run(settings, "sign-in", "end", "ana")[:2] == (0, "ana: 1 ended.")
    assert run(settings, "sign-in", "end", "ana")[0] == 3
    elsewhere = replace(settings, host="0.0.0.0")
    shown = run(elsewhere, "sign-in", "link", "ben", "--address", "https://x.example/")[1]
    assert shown.startswith("https://x.example/sign-in?link=")


def test_serve_refuses_to_show_people_to_others_while_nobody_can_sign_in(
    settings: Settings, stores: Stores, until: Callable[..., None]
) -> None:
    for arguments in (("serve",), ("serve", "--only", "http")):
        status, _, said = run(replace(settings, host="0.0.0.0", port=0), *arguments)
        assert (status, said.startswith("no_sign_in: ")) == (4, True)
        assert "opportune sign-in link NAME" in said
