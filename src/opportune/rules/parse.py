"""Read a rule as a person wrote it, or say everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opportune.errors import nearest
from opportune.rules.model import (
    AllOf,
    AnyOf,
    InSession,
    InvalidRule,
    Member,
    Not,
    Rule,
    Sequence,
)
from opportune.rules.parse_events import happened, sequence
from opportune.rules.parse_field import field
from opportune.rules.reading import STAND_IN, Place, Subject, show, text
from opportune.rules.walk import matches, parts

__all__ = ["parse"]

MAX_DEPTH = 20
MAX_RULES = 500
# Sequences and sessions: each is a sort of its events.
MAX_ORDERED = 20
MAX_PROBLEMS = 20

NESTED = ("all", "any", "not")
FORMS: Mapping[Subject, tuple[str, ...]] = {
    "profile": (*NESTED, "trait", "event", "sequence", "session", "segment"),
    "traits": (*NESTED, "trait"),
    "session": (*NESTED, "event", "sequence"),
    "event": (*NESTED, "property"),
}
EVERY_FORM = tuple(dict.fromkeys(form for forms in FORMS.values() for form in forms))
SUBJECTS: Mapping[Subject, str] = {
    "profile": "a profile",
    "traits": "traits alone",
    "session": "a session",
    "event": "one event",
}


def parse(document: Mapping[str, object], *, where: str, traits_only: bool = False) -> Rule:
    """Read one rule from TOML or JSON.

    Parameters
    ----------
    document:
        The table as loaded. Nothing of it is kept.
    where:
        The place to name in errors, such as ``"segments/adults.toml: rule"``.
    traits_only:
        Allow nothing but conditions on traits: what `condition` can ask.

    Raises ``InvalidRule`` with every mistake found (20 at most), each with its place, what was
    given and what is allowed.

    >>> parse({"trait": "age", "at_least": 18}, where="rule")
    Compare(name='age', operator='at_least', kind='number', value=18.0)
    >>> parse({"all": [{"trit": "age", "at_least": 18}]}, where="rule", traits_only=True)
    Traceback (most recent call last):
    opportune.rules.model.InvalidRule: rule.all[0]: 'trit' begins no rule. \
Did you mean 'trait'? Allowed: all, any, not, trait.
    """
    subject: Subject = "traits" if traits_only else "profile"
    place = Place(where=where, subject=subject, depth=1, problems=[])
    rule = _rule(document, place)
    if not place.problems:
        _check_size(rule, place)
    if place.problems:
        raise InvalidRule(place.problems[:MAX_PROBLEMS])
    return rule


def _check_size(rule: Rule, place: Place) -> None:
    every = list(parts(rule))
    asked = [match for each in every for match in matches(each)]
    wheres = [match.where for match in asked if match.where is not None]
    steps = sum(len(each.steps) for each in every if isinstance(each, Sequence))
    size = len(every) + steps + sum(1 for where in wheres for _ in parts(where))
    if size > MAX_RULES:
        place.wrong(f"{size} rules in one. Allowed: {MAX_RULES}. Split it.")
    ordered = sum(isinstance(each, Sequence | InSession) for each in every)
    if ordered > MAX_ORDERED:
        place.wrong(f"{ordered} sequences and sessions in one. Allowed: {MAX_ORDERED}. Split it.")


def _rule(given: object, place: Place) -> Rule:
    if place.depth > MAX_DEPTH:
        place.wrong(f"nested too deep. Allowed: {MAX_DEPTH} levels. Flatten the rule.")
        return STAND_IN
    if not isinstance(given, Mapping):
        leaf = "property" if place.subject == "event" else "trait"
        shape = f'a table such as {{{leaf} = "plan", is = "basic"}}'
        if place.subject == "session":
            shape = 'a table such as {event = "Order Completed"}'
        place.wrong(f"{show(given)} is not a rule. Allowed: {shape}.")
        return STAND_IN
    allowed = FORMS[place.subject]
    form = next((form for form in allowed if form in given), None)
    if form is not None:
        return READERS[form](given, place)
    elsewhere = next((form for form in EVERY_FORM if form in given), None)
    if elsewhere is not None:
        subject = SUBJECTS[place.subject]
        place.wrong(f"'{elsewhere}' cannot be asked of {subject}. {nearest('', allowed)}")
    else:
        first = str(next(iter(given), ""))
        place.wrong(f"{show(first)} begins no rule. {nearest(first, allowed)}")
    return STAND_IN


def _alone(given: Mapping[object, object], form: str, place: Place) -> object:
    if len(given) > 1:
        others = show(", ".join(sorted(str(key) for key in given if key != form)))
        place.wrong(f"'{form}' must be alone in its table, but there is also {others}.")
    return given[form]


def _all(given: Mapping[object, object], place: Place) -> Rule:
    return AllOf(rules=_rules(_alone(given, "all", place), place.at("all")))


def _any(given: Mapping[object, object], place: Place) -> Rule:
    inside = _alone(given, "any", place)
    if isinstance(inside, list | tuple) and not inside:
        place.at("any").wrong("an empty list would hold for nobody. Allowed: 1 rule or more.")
    return AnyOf(rules=_rules(inside, place.at("any")))


def _not(given: Mapping[object, object], place: Place) -> Rule:
    return Not(rule=_rule(_alone(given, "not", place), place.at("not").inner()))


def _session(given: Mapping[object, object], place: Place) -> Rule:
    inside = _alone(given, "session", place)
    return InSession(rule=_rule(inside, place.at("session").inner("session")))


def _segment(given: Mapping[object, object], place: Place) -> Rule:
    name = _alone(given, "segment", place)
    return Member(segment=text(name, place.at("segment"), noun="segment"))


def _rules(given: object, place: Place) -> tuple[Rule, ...]:
    if not isinstance(given, list | tuple) or len(given) > MAX_RULES:
        place.wrong(f"{show(given)} given. Allowed: a list of at most {MAX_RULES} rules.")
        return ()
    inner = place.inner()
    return tuple(_rule(item, inner.item(index)) for index, item in enumerate(given))


def _where(given: object, place: Place) -> Rule:
    return _rule(given, place.inner("event"))


READERS: Mapping[str, Callable[[Mapping[object, object], Place], Rule]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "trait": field,
    "property": field,
    "event": lambda given, place: happened(given, place, _where),
    "sequence": lambda given, place: sequence(given, place, _where),
    "session": _session,
    "segment": _segment,
}
