"""A segment as the marketer wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opportune import rules
from opportune.documents import Document

__all__ = ["OWN_EVENTS", "Segment", "parse_segment"]

# What segments say of themselves: if a rule counted it, memberships would change for ever.
ENTERED, EXITED = OWN_EVENTS = ("Segment Entered", "Segment Exited")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A named rule over profiles."""

    name: str
    title: str
    rule: rules.Rule


def parse_segment(name: str, body: Mapping[str, object], problems: list[str]) -> Segment | None:
    """Read the table of ``segments/{name}.toml``; mistakes are added to ``problems``, then None."""
    before = len(problems)
    document = Document(body, f"segments/{name}.toml", problems)
    title = document.text("title", name)
    rule = parse_rule(document, "rule")
    document.close()
    if rule is None or len(problems) > before:
        return None
    return Segment(name=name, title=title, rule=rule)


def parse_rule(document: Document, key: str) -> rules.Rule | None:
    """Read the rule under ``key``; a mistake becomes a problem of the document."""
    before = len(document.problems)
    body = document.table(key)
    if len(document.problems) > before:
        return None
    try:
        rule = rules.parse(body.body, where=body.where)
    except rules.InvalidRule as error:
        document.problems.extend(error.problems)
        return None
    for event in sorted(rules.uses(rule).events & set(OWN_EVENTS)):
        document.problems.append(
            f"{body.where}: '{event}' is said by segments themselves, and no segment may depend on "
            'it. Ask {segment = "NAME"} instead.'
        )
    return None if len(document.problems) > before else rule
