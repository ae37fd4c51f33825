"""How identifiers become identities: kinds, priority, limits, blocked values, consent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from opportune.documents import Document

__all__ = ["ANONYMOUS_ID", "USER_ID", "IdentityRules", "Place", "parse_identity_rules"]

USER_ID = "user_id"
ANONYMOUS_ID = "anonymous_id"
# They come from fields of their own, or are accounts: no setting and no external id may claim them.
RESERVED = frozenset({USER_ID, ANONYMOUS_ID, "group_id"})
BLOCKED = frozenset(
    {"", "-1", "anonymous", "n/a", "none", "null", "test", "undefined", "unknown"},
)
BLOCKED_PATTERNS = ("^[0-]*$",)
ORIGINS = ("traits", "context", "properties")
MOST_VALUES = 1_000

KIND = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
# What means the same to Python and to PostgreSQL: characters, classes of them, groups, repeats.
PATTERN = re.compile(
    r"""(?:
        (?: [^\\\[\](){}*+?|^$\n] | \\[dswDSW] | \\[^\w\s] | \[\^?(?:\w-\w|[\w\ .@:/+,])+-?\] | \) )
        (?: [*+?] | \{\d{1,2}(?:,\d{0,2})?\} )?
        | [(|^$]
    )*""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message says an identifier: ``context`` and ``("device", "id")``, for example."""

    origin: str
    path: tuple[str, ...]


def _default_places() -> Mapping[str, tuple[Place, ...]]:
    return MappingProxyType({kind: _own_places(kind) for kind in ("email", "phone")})


def _own_places(kind: str) -> tuple[Place, ...]:
    return (
        Place(origin="traits", path=(kind,)),
        Place(origin="context", path=("traits", kind)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """What may identify a profile, and how much of it.

    ``priority`` lists kinds, the strongest first; all others follow by name. ``limits`` says how
    many values of a kind a profile may hold, ``other_limit`` for kinds not listed. ``consent``
    names the trait that must be true before what was known of an identifier earlier than its login
    is used; without one, the login is enough.
    """

    places: Mapping[str, tuple[Place, ...]] = field(default_factory=_default_places)
    priority: tuple[str, ...] = (USER_ID, "email")
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({USER_ID: 1}))
    other_limit: int = 5
    most_identifiers: int = MOST_VALUES
    blocked: frozenset[str] = BLOCKED
    blocked_patterns: tuple[str, ...] = BLOCKED_PATTERNS
    alias_sources: frozenset[str] = frozenset()
    consent: str | None = None

    def limit(self, kind: str) -> int:
        """Return how many values of ``kind`` one profile may hold."""
        return self.limits.get(kind, self.other_limit)

    def rank(self, kind: str) -> tuple[int, str]:
        """Return what sorts kinds by priority.

        >>> sorted(["phone", "anonymous_id", "email", "user_id"], key=IdentityRules().rank)
        ['user_id', 'email', 'anonymous_id', 'phone']
        """
        known = self.priority.index(kind) if kind in self.priority else len(self.priority)
        return known, kind


def parse_identity_rules(
    body: Mapping[str, object], problems: list[str], *, where: str
) -> IdentityRules:
    """Read the table ``[identity]`` of a project; what it does not say stays as by default.

    Notes a line in ``problems`` for every mistake.
    """
    document = Document(body, where, problems)
    places = dict(_default_places()) | dict(_places(document.table("kinds", required=False)))
    rules = IdentityRules(
        places=MappingProxyType(places),
        priority=_priority(document),
        limits=_limits(document.table("limits", required=False)),
        other_limit=round(document.number("other_limit", 5, low=1, high=MOST_VALUES)),
        most_identifiers=round(document.number("most_identifiers", 1000, low=2, high=MOST_VALUES)),
        blocked=BLOCKED | {value.lower() for value in document.texts("blocked", ())},
        blocked_patterns=BLOCKED_PATTERNS + _patterns(document),
        alias_sources=frozenset(document.texts("alias_sources", ())),
        consent=document.text("consent", "") or None,
    )
    document.close()
    return rules


def _places(document: Document) -> Iterator[tuple[str, tuple[Place, ...]]]:
    for kind in document.body:
        written = document.texts(kind)
        if not KIND.fullmatch(kind) or kind in RESERVED:
            document.wrong(
                kind,
                "no name for a kind. Allowed: small letters, digits, _ . and -, 63 at most; not "
                f"{', '.join(sorted(RESERVED))}.",
            )
            continue
        found = [place for each in written if (place := _place(document, kind, each))]
        yield kind, tuple(found)


def _place(document: Document, kind: str, written: str) -> Place | None:
    origin, *path = written.split(".")
    if origin in ORIGINS and path and all(path):
        return Place(origin=origin, path=tuple(path))
    document.wrong(
        kind,
        f"{written!r} is no place in a message. Allowed: traits, context or properties and the "
        "names below it, such as 'context.device.id'.",
    )
    return None


def _priority(document: Document) -> tuple[str, ...]:
    given = document.texts("priority", (USER_ID, "email"))
    if given[:1] != (USER_ID,) or len(set(given)) != len(given):
        document.wrong("priority", f"each kind once, and '{USER_ID}' first.")
    return given


def _limits(document: Document) -> Mapping[str, int]:
    given = {kind: round(document.number(kind, low=1, high=MOST_VALUES)) for kind in document.body}
    return MappingProxyType({USER_ID: 1} | given)


def _patterns(document: Document) -> tuple[str, ...]:
    given = document.texts("blocked_patterns", ())
    for pattern in given:
        reason = "" if PATTERN.fullmatch(pattern) else "holds what not every engine reads"
        try:
            re.compile("" if reason else pattern)
        except re.error as error:
            reason = error.msg
        if reason:
            document.wrong(
                "blocked_patterns",
                f"{pattern!r}: {reason}. Allowed: regular expressions of letters, [...], (...|...)"
                ", ^, $, ., *, +, ?, {2,5} and \\d, \\s, \\w.",
            )
    return given
