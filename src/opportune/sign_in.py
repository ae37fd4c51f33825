"""Who may see people: under which names the server answers, and who is signed in.

On an address that only this machine reaches nobody has to sign in, and a server that is asked
under a name of somebody else's answers nothing: a page elsewhere could read it through a name that
it points here. On any other address everybody signs in: a browser with a link that works once and
becomes a session, a program with a token. Of each of them State keeps the digest alone.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from opportune.errors import Conflict, Forbidden, InvalidInput, NotFound
from opportune.settings import Settings
from opportune.storage import State, load_sql

__all__ = [
    "LINK_FOR",
    "SESSION_COOKIE",
    "SESSION_FOR",
    "CrossSitePost",
    "InvalidName",
    "InvalidSignIn",
    "NoSignIn",
    "SignIn",
    "SignInNeeded",
    "UnknownHost",
    "UnknownName",
    "check_host",
    "check_origin",
    "check_ready",
    "end",
    "enter",
    "is_loopback",
    "is_needed",
    "leave",
    "listed",
    "make",
    "who",
]

Kind = Literal["link", "session", "token"]

LINK_FOR = timedelta(hours=1)
SESSION_FOR = timedelta(days=30)
SESSION_COOKIE = "opportune_session"
# How this machine calls itself; nobody else can point these names anywhere.
OWN_NAMES = ("localhost", "127.0.0.1", "::1")
NAME = re.compile(r"[a-z0-9][a-z0-9_.@+-]{0,99}")


class UnknownHost(Forbidden):
    """The server is asked under a name that is none of its own."""

    code = "unknown_host"


class CrossSitePost(Forbidden):
    """A form or a request was sent from another site, or from a page that is too old."""

    code = "cross_site_post"


class SignInNeeded(Forbidden):
    """Who asks is not signed in, or not any more."""

    code = "sign_in_needed"


class InvalidSignIn(Forbidden):
    """A link to sign in was used before, is over, or was not made here."""

    code = "invalid_sign_in"


class InvalidName(InvalidInput):
    """The name of somebody who is to sign in cannot be used."""

    code = "invalid_name"


class UnknownName(NotFound):
    """Nobody of this name can sign in."""

    code = "unknown_name"


class NoSignIn(Conflict):
    """The server would be reached from elsewhere, and nobody could sign in."""

    code = "no_sign_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One way in: a link that was not used yet, a session of a browser, or a token."""

    name: str
    kind: Kind
    made_at: datetime
    ends_at: datetime | None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost")
    (True, True, True)
    >>> is_loopback("0.0.0.0"), is_loopback(""), is_loopback("shop.example.com")
    (False, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_needed(settings: Settings) -> bool:
    """Whether everybody signs in: always where more than this machine reaches the server."""
    return settings.sign_in or bool(settings.hosts.split()) or not is_loopback(settings.host)


def check_host(settings: Settings, given: str | None) -> None:
    """Refuse a request to a name that is none of this server's. Raises ``UnknownHost``.

    ``given`` is the header "Host", whose port does not matter.
    """
    allowed = {settings.host.lower(), *OWN_NAMES, *settings.hosts.lower().split()}
    if _name_of(given or "") not in {each.strip("[]") for each in allowed}:
        raise UnknownHost(
            "This server does not answer under the name that it was asked by. Ask it as "
            f"http://127.0.0.1:{settings.port}, or name the host in OPPORTUNE_HOSTS and start it "
            "again."
        )


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse what a page of another site has a browser send. Raises ``CrossSitePost``."""
    origin, host = headers.get("origin"), headers.get("host", "")
    elsewhere = origin is not None and urlsplit(origin).netloc != host
    if elsewhere or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise CrossSitePost(
            "This was sent by a page of another site. Nothing was changed. Send it from a page of "
            "this server, or from a program that is no browser."
        )


def make(state: State, name: str, kind: Literal["link", "token"], *, now: datetime) -> str:
    """Make a link for one browser, or a token for programs, and return its secret.

    A link works once, within an hour; a token works until it is ended. Raises ``InvalidName``.
    """
    if not NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} cannot be a name to sign in with. Allowed: small letters, digits and "
            "_ . @ + -, 100 at most, the first a letter or digit."
        )
    secret = secrets.token_urlsafe(32)
    ends_at = now + LINK_FOR if kind == "link" else None
    facts = {"digest": _digest(secret), "kind": kind, "name": name, "now": now, "ends_at": ends_at}
    state.rows(load_sql("opportune", "sign_in_make"), facts)
    return secret


def enter(state: State, link: str, *, now: datetime) -> str:
    """Use a link up and return the secret of the session it becomes. Raises ``InvalidSignIn``."""
    session = secrets.token_hex(32)
    facts = {
        "link": _digest(link),
        "session": _digest(session),
        "now": now,
        "ends_at": now + SESSION_FOR,
    }
    if not state.rows(load_sql("opportune", "sign_in_enter"), facts):
        raise InvalidSignIn(
            "This link was used before, or is over: it works once, within an hour. Have another "
            "one made with `opportune sign-in link NAME`."
        )
    return session


def who(state: State, *, session: str, authorization: str | None, now: datetime) -> str:
    """Return the name of who asks, by session or ``Bearer`` token. Raises ``SignInNeeded``."""
    scheme, _, token = (authorization or "").partition(" ")
    given: list[tuple[Kind, str]] = [("session", session)]
    if scheme.lower() == "bearer":
        given.append(("token", token.strip()))
    for kind, secret in given:
        facts = {"digest": _digest(secret), "kind": kind, "now": now}
        rows = state.rows(load_sql("opportune", "sign_in_who"), facts) if secret else []
        if rows:
            return str(rows[0]["name"])
    raise SignInNeeded(
        "Nobody sees people here without signing in. A browser opens the link that `opportune "
        "sign-in link NAME` prints; a program sends 'Authorization: Bearer TOKEN' with what "
        "`opportune sign-in token NAME` prints."
    )


def leave(state: State, session: str) -> None:
    """End one session; nothing happens where it is none."""
    state.rows(load_sql("opportune", "sign_in_leave"), {"digest": _digest(session)})


def end(state: State, name: str) -> int:
    """End every link, session and token of a name; returns how many. Raises ``UnknownName``."""
    ended = state.rows(load_sql("opportune", "sign_in_end"), {"name": name})
    if not ended:
        raise UnknownName(
            f"{name!r} cannot sign in anyway. `opportune sign-in list` names who can."
        )
    return len(ended)


def listed(state: State, *, now: datetime) -> list[SignIn]:
    """Return who may come in, by name."""
    return [
        SignIn(**row) for row in state.rows(load_sql("opportune", "sign_in_list"), {"now": now})
    ]


def check_ready(state: State, settings: Settings, *, now: datetime) -> None:
    """Refuse to serve people to others while nobody could sign in. Raises ``NoSignIn``."""
    if is_needed(settings) and not listed(state, now=now):
        raise NoSignIn(
            f"More than this machine may reach a server at {settings.host}, so everybody who sees "
            "people signs in there, and nobody can yet. Run `opportune sign-in link NAME` or "
            "`opportune sign-in token NAME` first. Or listen on 127.0.0.1 alone, or start only "
            "what takes events: `opportune serve --only collector`."
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
