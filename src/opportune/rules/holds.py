"""Ask a rule of one profile."""

from __future__ import annotations

from opportune.rules.chains import chains
from opportune.rules.fields import leaf_holds
from opportune.rules.model import (
    AllOf,
    AnyOf,
    Facts,
    Happened,
    InSession,
    Member,
    Not,
    Rule,
    Sequence,
)
from opportune.rules.past import Past, past_of, sessions
from opportune.rules.totals import aggregate_holds

__all__ = ["holds"]


def holds(rule: Rule, facts: Facts) -> bool:
    """Tell whether the rule holds for the profile of these facts; the meaning is the package's.

    >>> from datetime import UTC, datetime
    >>> from opportune.rules import parse
    >>> rule = parse({"trait": "plan", "is_not": "basic"}, where="rule")
    >>> now = datetime(2026, 3, 1, tzinfo=UTC)
    >>> [holds(rule, Facts(now=now, traits=traits)) for traits in ({"plan": "plus"}, {})]
    [True, False]
    """
    return _holds(rule, facts, past_of(facts))


def _holds(rule: Rule, facts: Facts, past: Past) -> bool:
    match rule:
        case AllOf():
            return all(_holds(each, facts, past) for each in rule.rules)
        case AnyOf():
            return any(_holds(each, facts, past) for each in rule.rules)
        case Not():
            return not _holds(rule.rule, facts, past)
        case Happened():
            places = past.matches(rule.match, rule.window)
            return aggregate_holds(rule, [past.events[place].properties for place in places])
        case Sequence():
            return bool(chains(rule, past))
        case InSession():
            return any(_holds(rule.rule, facts, session) for session in sessions(past))
        case Member():
            return rule.segment in facts.segments
        case _:
            return leaf_holds(rule, facts.traits, past.now_us)
