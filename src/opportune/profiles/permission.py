"""What people are asked for: purposes, what holds while they said nothing, and who speaks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from opportune.documents import Document

__all__ = ["CONSENT_EVENT", "EVERY", "ConsentRules", "Purpose", "parse_consent"]

CONSENT_EVENT = "Consent Changed"
# Stands for every purpose, or every channel.
EVERY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What somebody may allow or refuse.

    ``unknown`` is what holds while nothing was said: true is opt-out, false opt-in. ``categories``
    are names of Segment's consent categories; ``traits`` maps a trait to the channel it speaks of.
    """

    name: str
    title: str
    unknown: bool
    categories: tuple[str, ...]
    traits: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRules:
    """The purposes by name, and the event that says what somebody allows.

    ``sends`` is the purpose that a use case needs unless it names another; empty: none is needed.
    """

    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    event: str = CONSENT_EVENT
    sends: str = ""

    @property
    def assumed(self) -> list[str]:
        """The purposes that nobody has to agree to first."""
        return sorted(name for name, each in self.purposes.items() if each.unknown)


def parse_consent(body: Mapping[str, object], problems: list[str], *, where: str) -> ConsentRules:
    """Read ``consent.toml``; notes a line in ``problems`` for every mistake.

    >>> body = {"purposes": {"marketing": {"unknown": "no", "traits": {"email_opt_in": "email"}}}}
    >>> parse_consent(body, [], where="consent.toml").purposes["marketing"].traits["email_opt_in"]
    'email'
    """
    document = Document(body, where, problems)
    written = document.table("purposes", required=False)
    purposes = {name: _purpose(name, written.table(name)) for name in written.body}
    rules = ConsentRules(
        purposes=MappingProxyType(purposes),
        event=document.text("event", CONSENT_EVENT),
        sends=document.text("sends", ""),
    )
    if rules.sends and rules.sends not in purposes:
        document.wrong("sends", f"no purpose '{rules.sends}'. Write [purposes.{rules.sends}].")
    if EVERY in purposes:
        written.wrong(EVERY, "stands for every purpose. Take another name.")
    document.close()
    return rules


def _purpose(name: str, document: Document) -> Purpose:
    unknown = document.text("unknown", "no")
    if unknown not in ("yes", "no"):
        document.wrong(
            "unknown",
            f"{unknown!r} given, must be 'no' (ask first) or 'yes' (until somebody refuses).",
        )
    traits = document.table("traits", required=False)
    purpose = Purpose(
        name=name,
        title=document.text("title", name),
        unknown=unknown == "yes",
        categories=document.texts("categories", ()),
        traits=MappingProxyType({trait: traits.text(trait) for trait in traits.body}),
    )
    document.close()
    return purpose
