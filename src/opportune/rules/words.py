"""Say a rule as a sentence, for pages, explanations and reviews."""

from __future__ import annotations

from collections.abc import Mapping

from opportune.rules.model import (
    Aggregate,
    AllOf,
    AnyOf,
    Compare,
    DateIs,
    Distance,
    EventsApart,
    Exists,
    Happened,
    InSession,
    Leaf,
    Match,
    Member,
    Not,
    OneOf,
    Operator,
    Rule,
    Sequence,
    Step,
    TextIs,
    TextOperator,
)
from opportune.rules.phrases import listed, name_of, number_of, several, text_of, value_of
from opportune.rules.times import Span, Window

__all__ = ["words"]


def words(rule: Rule) -> str:
    """Say what the rule asks for; the sentence begins as the trait is written and has no full stop.

    >>> from opportune.rules import parse
    >>> words(parse({"all": [
    ...     {"trait": "age", "at_least": 18},
    ...     {"event": "Order Completed", "count": {"is": 0}, "within": {"days": 30}},
    ... ]}, where="rule"))
    'age is at least 18 and did not do "Order Completed" in the last 30 days'
    """
    match rule:
        case AllOf():
            return _join(" and ", rule.rules) or "everyone"
        case AnyOf():
            return _join(" or ", rule.rules) or "nobody"
        case Not(rule=Exists(name=name)):
            return f"{name_of(name)} is not known"
        case Not():
            return f"not ({words(rule.rule)})"
        case Happened():
            return _happened(rule)
        case Sequence():
            return _sequence(rule)
        case InSession():
            return f"in one session ({words(rule.rule)})"
        case Member():
            return f"is in segment {text_of(rule.segment)}"
        case _:
            return _leaf(rule)


PHRASES: Mapping[Operator, str] = {
    "is": "is",
    "is_not": "is known and not",
    "at_least": "is at least",
    "at_most": "is at most",
    "more_than": "is more than",
    "less_than": "is less than",
}
TEXTS: Mapping[TextOperator, str] = {
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
}
TIMES: Mapping[Operator, str] = {
    "is": "exactly",
    "is_not": "not exactly",
    "at_least": "at least",
    "at_most": "at most",
    "more_than": "more than",
    "less_than": "fewer than",
}
AGGREGATES: Mapping[Aggregate, str] = {
    "sum": "the sum of",
    "average": "the average of",
    "minimum": "the smallest",
    "maximum": "the largest",
    "distinct": "the number of different values of",
}


def _join(word: str, rules: tuple[Rule, ...]) -> str:
    if len(rules) == 1:
        return words(rules[0])
    return word.join(_inner(rule) for rule in rules)


def _inner(rule: Rule) -> str:
    """Put brackets wherever "and" could be read together with "or", or a "then" with either."""
    is_list = isinstance(rule, AllOf | AnyOf) and len(rule.rules) > 1
    is_choice = isinstance(rule, Happened) and len(rule.match.events) > 1
    needs = is_list or is_choice or isinstance(rule, OneOf | Sequence)
    return f"({words(rule)})" if needs else words(rule)


def _leaf(rule: Leaf) -> str:
    name = name_of(rule.name)
    match rule:
        case Exists():
            return f"{name} is known"
        case Compare():
            return f"{name} {PHRASES[rule.operator]} {value_of(rule.value)}"
        case OneOf():
            return f"{name} is {listed([value_of(value) for value in rule.values])}"
        case TextIs():
            return f"{name} {TEXTS[rule.operator]} {text_of(rule.text)}"
        case DateIs():
            return f"{name} is {rule.operator} {rule.moment.text}"
        case _:
            side = "last" if rule.operator == "in_last_days" else "next"
            return f"{name} is in the {side} {several(rule.days, 'days')}"


def _happened(rule: Happened) -> str:
    events, window = _match(rule.match), _window(rule.window)
    if rule.property is not None:
        asked = f"{AGGREGATES[rule.aggregate]} {name_of(rule.property)} of {events}{window}"
        phrase = "is not" if rule.operator == "is_not" else PHRASES[rule.operator]
        return f"{asked} {phrase} {number_of(rule.value)}"
    if (rule.operator, rule.value) in (("is", 0), ("at_most", 0), ("less_than", 1)):
        return f"did not do {events}{window}"
    if (rule.operator, rule.value) in (("at_least", 1), ("more_than", 0)):
        return f"did {events}{window}"
    return f"did {events} {TIMES[rule.operator]} {several(int(rule.value), 'times')}{window}"


def _match(match: Match) -> str:
    events = listed([text_of(event) for event in match.events])
    return events if match.where is None else f"{events} where ({words(match.where)})"


def _window(window: Window) -> str:
    said = ""
    if window.within is not None:
        said += f" in the last {_span(window.within)}"
    if window.ago is not None:
        said += f" at least {_span(window.ago)} ago"
    if window.since is not None:
        said += f" since {window.since.text}"
    if window.until is not None:
        said += f" until {window.until.text}"
    return said


def _sequence(rule: Sequence) -> str:
    first, *later = rule.steps
    said = f"did {_match(first.match)}" + "".join(_step(step) for step in later)
    if rule.same is not None:
        said += f", all with the same {name_of(rule.same)}"
    window = _window(rule.window)
    return f"{said}, all{window}" if window else said


def _step(step: Step) -> str:
    if step.absent:
        late = "" if step.within is None else f" within {_distance(step.within)}"
        return f", then did not do {_match(step.match)}{late}"
    said = f", then {_match(step.match)}"
    if step.after is not None:
        said += f" at least {_distance(step.after)} later"
    if step.within is not None:
        said += f" within {_distance(step.within)}"
    if step.without is not None:
        said += f" without {_match(step.without)} between"
    return said


def _distance(distance: Distance) -> str:
    if isinstance(distance, Span):
        return _span(distance)
    if isinstance(distance, EventsApart):
        of = "" if distance.of is None else f" of {text_of(distance.of)}"
        return several(distance.count, "events") + of
    return several(distance.count, "sessions") if distance.count else "the same session"


def _span(span: Span) -> str:
    return several(span.count, span.unit)
