"""Computed traits: values that follow from the events of a profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from opportune import rules
from opportune.documents import Document

__all__ = ["ComputedTrait", "parse_computed_trait"]

COMPUTES: tuple[rules.Compute, ...] = get_args(rules.Compute)
# What may show a value that somebody sent, and not only how many or how much.
SHOWING = ("first", "last", "most_frequent", "minimum", "maximum")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedTrait:
    """A trait that nobody tells: it follows from events, and is read like any other.

    It counts before a trait of the same name that was told.
    """

    name: str
    title: str
    computation: rules.Computation

    @property
    def rule(self) -> rules.Rule:
        """A rule that reads the same events and properties."""
        asked = self.computation
        return rules.Happened(
            match=asked.match,
            window=asked.window,
            aggregate="count" if asked.property is None else "distinct",
            property=asked.property,
            operator="at_least",
            value=1.0,
        )

    @property
    def shown_property(self) -> str | None:
        """The property whose values it may repeat."""
        return self.computation.property if self.computation.compute in SHOWING else None


def parse_computed_trait(
    name: str, body: Mapping[str, object], problems: list[str]
) -> ComputedTrait | None:
    """Read the table of ``computed_traits/{name}.toml``; mistakes go to ``problems``, then None.

    >>> body = {"event": "Order Completed", "compute": "sum", "property": "revenue",
    ...         "within": {"days": 90}}
    >>> parse_computed_trait("revenue_90d", body, []).computation.property
    'revenue'
    """
    before = len(problems)
    document = Document(body, f"computed_traits/{name}.toml", problems)
    title = document.text("title", name)
    asked = document.text("compute")
    compute = next((each for each in COMPUTES if each == asked), None)
    if compute is None and asked:
        document.wrong("compute", f"{asked!r} given, must be one of {', '.join(COMPUTES)}.")
    field = document.text("property") if "property" in body else None
    if compute is not None and (field is None) != (compute in rules.OF_EVENTS):
        needed = "takes no property" if field is not None else "needs the property to look at"
        document.wrong("property", f"'{compute}' {needed}.")
    told = {"title", "compute", "property"}
    happened = _happened({key: value for key, value in body.items() if key not in told}, document)
    if len(problems) > before or compute is None or happened is None:
        return None
    computation = rules.Computation(
        match=happened.match, window=happened.window, compute=compute, property=field
    )
    return ComputedTrait(name=name, title=title, computation=computation)


def _happened(asked: Mapping[str, object], document: Document) -> rules.Happened | None:
    """Read which events are meant, and when they must have happened, as a rule says it."""
    wrong = [key for key in asked if key in rules.AGGREGATES]
    for key in wrong:
        document.wrong(key, "stands in a rule. Here it is: compute = ... and property = ...")
    if wrong:
        return None
    try:
        rule = rules.parse({"event": None, **asked}, where=document.where)
    except rules.InvalidRule as error:
        document.problems.extend(error.problems)
        return None
    return rule if isinstance(rule, rules.Happened) else None
