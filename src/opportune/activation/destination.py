"""A destination: where events are sent on to, which of them, and what of them may leave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from opportune.activation.channel import Patience
from opportune.activation.connectors.segment import MAX_MESSAGES
from opportune.decisions import SENT, UNSENT
from opportune.documents import Document
from opportune.errors import NotFound, nearest
from opportune.settings import SECRET_PREFIX

__all__ = [
    "AUDIENCE_AS",
    "CALLS",
    "CONNECTORS",
    "EVERY",
    "KINDS",
    "Destination",
    "SentFields",
    "UnknownDestination",
    "named_destination",
    "parse_destination",
    "sent_fields",
]

# Connector -> the most messages of one call.
CONNECTORS = {"segment": MAX_MESSAGES, "webhook": 1, "file": 10_000}
BATCH = {"segment": 100, "webhook": 1, "file": 1_000}
# Calls that are no track calls, sent on as they came.
CALLS = ("page", "screen", "group", "alias")
KINDS = ("profile", "segment", "decision", *CALLS)
VARIANTS = (*SENT, *UNSENT)
AUDIENCE_AS = ("track", "identify")
EVERY = "*"
SECRET = re.compile(rf"{SECRET_PREFIX}[A-Z0-9_]{{1,63}}")
FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class UnknownDestination(NotFound):
    """No destination has this name."""

    code = "unknown_destination"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One receiver of events.

    Parameters
    ----------
    url:
        What is called; empty for files.
    folder:
        Name of a folder below the data folder's ``outgoing``; empty where there is a ``url``.
    secret:
        Name of the variable that has the write key or the signing secret, never the secret.
    kinds:
        Of ``KINDS``: what is known of profiles, who entered and left segments, recommendations, and
        calls of other types than track.
    events:
        Names of events, or ``EVERY``: all but those that Opportune itself makes.
    properties:
        Names of the properties of ``events`` that go along, or ``EVERY``.
    traits:
        Names of the traits that go along, and of which a profile's news consist.
    variants:
        Whose recommendations are told.
    audiences:
        Names of the audiences that are published there.
    audience_as:
        The call that tells of a change of an audience, of ``AUDIENCE_AS``.
    only:
        Name of a segment: of nobody else anything is told but audiences. Empty: of everybody.
    echoes:
        Whether events are sent on that a destination had from here before.
    except_sources:
        Sources whose events are not sent on.
    """

    name: str
    title: str
    connector: str
    url: str
    folder: str
    secret: str
    kinds: frozenset[str]
    events: frozenset[str]
    properties: tuple[str, ...]
    traits: tuple[str, ...]
    variants: tuple[str, ...]
    audiences: tuple[str, ...]
    audience_as: str
    only: str
    echoes: bool
    except_sources: frozenset[str]
    batch_size: int
    calls_per_hour: int
    patience: Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFields:
    """What may leave: traits of a profile, and properties of the events that are named.

    ``every_property`` stands for all of them. Events that Opportune makes leave with all they say.
    """

    traits: tuple[str, ...]
    properties: tuple[str, ...]
    every_property: bool


def sent_fields(destination: Destination) -> SentFields:
    """Return the fields that may leave to ``destination``: the one place that says so."""
    return SentFields(
        traits=tuple(sorted(destination.traits)),
        properties=tuple(sorted(destination.properties)),
        every_property=EVERY in destination.properties,
    )


def named_destination(destinations: Mapping[str, Destination], name: str) -> Destination:
    """Return one of ``destinations``, or raise ``UnknownDestination`` with the nearest name."""
    if name not in destinations:
        raise UnknownDestination(f"No destination '{name}'. {nearest(name, destinations)}")
    return destinations[name]


def parse_destination(
    name: str, body: Mapping[str, object], problems: list[str]
) -> Destination | None:
    """Read a destination, noting every mistake; None when there was one.

    >>> problems = []
    >>> body = {"title": "CRM", "connector": "webhook", "url": "https://crm.example/events",
    ...         "secret": "OPPORTUNE_SECRET_CRM", "kinds": ["segment"]}
    >>> parse_destination("crm", body, problems).url, problems
    ('https://crm.example/events', [])
    """
    before = len(problems)
    document = Document(body, f"destinations/{name}.toml", problems)
    connector = document.text("connector")
    if connector and connector not in CONNECTORS:
        document.wrong("connector", f"'{connector}' given. {nearest(connector, CONNECTORS)}")
        connector = ""
    is_file = connector == "file"
    most = CONNECTORS.get(connector, 1)
    attempts = int(document.number("most_attempts", 20, low=1, high=1_000))
    hours = document.number("longest_hours", 24, low=0.001, high=720)
    destination = Destination(
        name=name,
        title=document.text("title"),
        connector=connector,
        url="" if is_file else _url(document, connector),
        folder=_folder(document, name) if is_file else "",
        secret="" if is_file else _secret(document),
        kinds=_chosen(document, "kinds", KINDS),
        events=frozenset(document.texts("events", ())),
        properties=document.texts("properties", ()),
        traits=document.texts("traits", ()),
        variants=tuple(sorted(_chosen(document, "variants", VARIANTS, SENT))),
        audiences=tuple(sorted(set(document.texts("audiences", ())))),
        audience_as=_audience_as(document),
        only=document.text("only", ""),
        echoes=document.flag("echoes", default=False),
        except_sources=frozenset(document.texts("except_sources", ())),
        batch_size=int(document.number("batch_size", BATCH.get(connector, 1), low=1, high=most)),
        calls_per_hour=int(document.number("calls_per_hour", 250_000, low=1, high=100_000_000)),
        patience=Patience(attempts=attempts, age=timedelta(hours=hours)),
    )
    document.close()
    _check(document, destination)
    return destination if len(problems) == before else None


def _check(document: Document, destination: Destination) -> None:
    if not destination.kinds and not destination.events and not destination.audiences:
        document.wrong(
            "events", f"nothing is sent. Name events, '{EVERY}', kinds of them, or audiences."
        )
    if "profile" in destination.kinds and not destination.traits:
        document.wrong("traits", "of profiles, only traits that are listed are sent: list some.")
    if EVERY in destination.traits:
        document.wrong("traits", f"'{EVERY}' given: list the traits that may leave by name.")


def _chosen(
    document: Document, key: str, allowed: tuple[str, ...], default: tuple[str, ...] = ()
) -> frozenset[str]:
    given = document.texts(key, default)
    for each in given:
        if each not in allowed:
            document.wrong(key, f"'{each}' given. {nearest(each, allowed)}")
    return frozenset(given)


def _audience_as(document: Document) -> str:
    given = document.text("audience_as", AUDIENCE_AS[0])
    if given not in AUDIENCE_AS:
        document.wrong("audience_as", f"'{given}' given. {nearest(given, AUDIENCE_AS)}")
    return given


def _url(document: Document, connector: str) -> str:
    url = document.text("url", "https://api.segment.io" if connector == "segment" else None)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    plain = url.isascii() and url.isprintable() and " " not in url
    if url and not (usable and plain and "#" not in url and "@" not in url):
        document.wrong("url", "must be http(s)://host[:port][/path] with no user and no fragment.")
    return url


def _folder(document: Document, name: str) -> str:
    folder = document.text("folder", name)
    if not FOLDER.fullmatch(folder):
        document.wrong(
            "folder",
            f"'{folder}' given, must be a name: letters, digits, _, - and dots, 63 at most, the"
            " first a letter or digit. It is made below the data folder's outgoing/.",
        )
    return folder


def _secret(document: Document) -> str:
    secret = document.text("secret")
    if secret and not SECRET.fullmatch(secret):
        # Not quoted: it may be the secret itself.
        document.wrong(
            "secret",
            f"must name a variable that has the secret, such as {SECRET_PREFIX}CRM; never the"
            " secret itself.",
        )
    return secret
