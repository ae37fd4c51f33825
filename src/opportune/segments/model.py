"""A segment as the marketer wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opportune import rules
from opportune.documents import Document

__all__ = ["Segment", "parse_segment"]


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
        return rules.parse(body.body, where=body.where)
    except rules.InvalidRule as error:
        document.problems.extend(error.problems)
        return None
