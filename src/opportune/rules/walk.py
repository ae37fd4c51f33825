"""Go through a rule, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator

from opportune.rules.model import AllOf, AnyOf, Happened, InSession, Match, Not, Rule, Sequence

__all__ = ["matches", "parts"]


def parts(rule: Rule) -> Iterator[Rule]:
    """Yield the rule and every rule within it, but not what it asks of single events."""
    yield rule
    match rule:
        case AllOf() | AnyOf():
            for each in rule.rules:
                yield from parts(each)
        case Not() | InSession():
            yield from parts(rule.rule)


def matches(rule: Rule) -> Iterator[Match]:
    """Yield every match that the rule itself asks for, not those of rules within it."""
    match rule:
        case Happened():
            yield rule.match
        case Sequence():
            for step in rule.steps:
                yield step.match
                if step.without is not None:
                    yield step.without
