"""Reading a rule as written: conditions on events."""

from __future__ import annotations

import tomllib

import pytest

from opportune.rules import (
    Compare,
    EventsApart,
    Happened,
    InSession,
    InvalidRule,
    Match,
    Moment,
    Not,
    Sequence,
    SessionsApart,
    Span,
    Step,
    Window,
    parse,
)
from opportune.rules.model import Rule

ALWAYS = Window()
ORDER = Match(events=("Order",), where=None)
LARGE = Compare(name="value", operator="at_least", kind="number", value=50.0)
TABLE = 'Allowed: a table such as {event = "Order Completed"}.'
NAME = "Allowed: a name of 1 to 200 characters."
FORMS = "Allowed: all, any, not, property."
UNITS = "Allowed: days, hours, minutes, weeks."
COMPARISONS = "Allowed: at_least, at_most, is, is_not, less_than, more_than."
COUNT = "Allowed: a whole number from 0 to 1000000000."


def happened(
    match: Match = ORDER,
    window: Window = ALWAYS,
    aggregate: str = "count",
    operator: str = "at_least",
    value: float = 1.0,
) -> Happened:
    return Happened(
        match=match,
        window=window,
        aggregate=aggregate,  # type: ignore[arg-type]  # given as text
        property=None if aggregate == "count" else "value",
        operator=operator,  # type: ignore[arg-type]  # given as text
        value=value,
    )


def step(name: str, **rest: object) -> Step:
    given: dict[str, object] = dict.fromkeys(("after", "within", "without")) | {"absent": False}
    return Step(match=Match(events=(name,), where=None), **(given | rest))  # type: ignore[arg-type]  # the tests' own


def refusal(document: object) -> str:
    with pytest.raises(InvalidRule) as refused:
        parse(document, where="rule")  # type: ignore[arg-type]  # what a file may hold
    return refused.value.message


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("{event = 'Order'}", happened()),
        (
            "{event = ['Order', 'Sale', 'Order']}",
            happened(Match(events=("Order", "Sale"), where=None)),
        ),
        (
            "{event = 'Order', where = {property = 'value', at_least = 50}}",
            happened(Match(events=("Order",), where=LARGE)),
        ),
        (
            "{event = 'Order', where = {not = {property = 'value', at_least = 50}}}",
            happened(Match(events=("Order",), where=Not(rule=LARGE))),
        ),
        ("{event = 'Order', count = {is = 0}}", happened(operator="is", value=0.0)),
        (
            "{event = 'Order', sum = {property = 'value', more_than = 99.5}}",
            happened(aggregate="sum", operator="more_than", value=99.5),
        ),
        (
            "{event = 'Order', average = {property = 'value', less_than = -1}}",
            happened(aggregate="average", operator="less_than", value=-1.0),
        ),
        (
            "{event = 'Order', maximum = {property = 'value', at_most = 1e300}}",
            happened(aggregate="maximum", operator="at_most", value=1e300),
        ),
        (
            "{event = 'Order', distinct = {property = 'value', at_least = 2}}",
            happened(aggregate="distinct", value=2.0),
        ),
        (
            "{event = 'Order', within = {days = 30}, ago = {hours = 2}}",
            happened(
                window=Window(within=Span(count=30, unit="days"), ago=Span(count=2, unit="hours"))
            ),
        ),
        (
            "{event = 'Order', since = '2026-11-01', until = '2026-11-30'}",
            happened(
                window=Window(since=Moment(text="2026-11-01"), until=Moment(text="2026-11-30"))
            ),
        ),
        ("{session = {event = 'Order'}}", InSession(rule=happened())),
        (
            "{sequence = [{event = 'A'}, {event = 'B'}]}",
            Sequence(steps=(step("A"), step("B")), same=None, window=ALWAYS),
        ),
        (
            "{sequence = [{event = 'A'}, {event = 'B', after = {minutes = 5}, within ="
            " {events = 2}}, {event = 'C', absent = true, within = {weeks = 1}}], same = 'cart'}",
            Sequence(
                steps=(
                    step("A"),
                    step(
                        "B",
                        after=Span(count=5, unit="minutes"),
                        within=EventsApart(count=2, of=None),
                    ),
                    step("C", absent=True, within=Span(count=1, unit="weeks")),
                ),
                same="cart",
                window=ALWAYS,
            ),
        ),
        (
            "{sequence = [{event = 'A'}, {event = 'B', after = {sessions = 1}, within ="
            " {events = 3, of = 'Page'}, without = {event = 'C'}}], within = {days = 7}}",
            Sequence(
                steps=(
                    step("A"),
                    step(
                        "B",
                        after=SessionsApart(count=1),
                        within=EventsApart(count=3, of="Page"),
                        without=Match(events=("C",), where=None),
                    ),
                ),
                same=None,
                window=Window(within=Span(count=7, unit="days")),
            ),
        ),
        (
            "{sequence = [{event = 'A'}, {event = 'B', within = {sessions = 0}}]}",
            Sequence(
                steps=(step("A"), step("B", within=SessionsApart(count=0))),
                same=None,
                window=ALWAYS,
            ),
        ),
    ],
)
def test_every_form_is_read(written: str, rule: Rule) -> None:
    assert parse(tomllib.loads(f"rule = {written}")["rule"], where="rule") == rule


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"event": 3}, f"rule.event: 3 is not an event's name. {NAME}"),
        ({"event": ["A", ""]}, f"rule.event[1]: '' is not an event's name. {NAME}"),
        (
            {"event": []},
            "rule.event: a list of 0 given. Allowed: a name, or a list of 1 to 50 names.",
        ),
        (
            {"wher": {}},
            "rule: unknown key 'wher'. Did you mean 'where'? Allowed: ago, average, count,"
            " distinct, event, maximum, minimum, since, sum, until, where, within.",
        ),
        (
            {"where": {"trait": "a", "is": 1}},
            f"rule.where: 'trait' cannot be asked of one event. {FORMS}",
        ),
        ({"where": {"event": "A"}}, f"rule.where: 'event' cannot be asked of one event. {FORMS}"),
        (
            {"where": {"propert": "a"}},
            f"rule.where: 'propert' begins no rule. Did you mean 'property'? {FORMS}",
        ),
        (
            {"where": []},
            "rule.where: a list of 0 is not a rule."
            ' Allowed: a table such as {property = "plan", is = "basic"}.',
        ),
        (
            {"where": {"property": "a"}},
            "rule.where: a property takes exactly one operator; given: none. Allowed: after,"
            " at_least, at_most, before, contains, ends_with, exists, in_last_days, in_next_days,"
            " is, is_not, less_than, more_than, one_of, starts_with.",
        ),
        (
            {"where": {"property": 1, "is": 1}},
            f"rule.where.property: 1 is not a property's name. {NAME}",
        ),
        (
            {"count": {"is": 1}, "sum": {}},
            "rule: one question at a time; given: count, sum. Use all = [...].",
        ),
        (
            {"count": 3},
            "rule.count: 3 given. Allowed: a table such as {at_least = 3}.",
        ),
        (
            {"count": {"at_least": 1, "at_most": 2}},
            f"rule.count: it takes exactly one operator; given: at_least, at_most. {COMPARISONS}",
        ),
        ({"count": {"is": 1.5}}, f"rule.count.is: 1.5 given. {COUNT}"),
        ({"count": {"is": -1}}, f"rule.count.is: -1 given. {COUNT}"),
        ({"count": {"is": "1"}}, f"rule.count.is: '1' given. {COUNT}"),
        (
            {"count": {"is": 1, "property": "a"}},
            f"rule.count: unknown key 'property'. {COMPARISONS}",
        ),
        ({"sum": {"is": 1}}, f"rule.sum.property: None is not a property's name. {NAME}"),
        (
            {"sum": {"property": "a", "is": 1e13}},
            "rule.sum.is: 10000000000000.0 given. Allowed: a number from -1e+12 to 1e+12.",
        ),
        (
            {"sum": {"property": "a", "is": True}},
            "rule.sum.is: True given. Allowed: a number.",
        ),
        (
            {"minimum": {"property": "a", "is": 2**53 + 1}},
            "rule.minimum.is: 9007199254740993 is not exact as a number."
            " Allowed: finite numbers; whole ones are exact up to 2^53. Or use a text.",
        ),
        (
            {"within": 30},
            "rule.within: 30 given. Allowed: a table such as {days = 30}.",
        ),
        (
            {"within": {"days": 1, "hours": 1}},
            f"rule.within: it takes exactly one unit; given: hours, days. {UNITS}",
        ),
        (
            {"within": {"days": 1, "hour": 1}},
            f"rule.within: unknown key 'hour'. Did you mean 'hours'? {UNITS}",
        ),
        (
            {"ago": {"weeks": 523}},
            "rule.ago.weeks: 523 given. Allowed: a whole number from 1 to 522.",
        ),
        (
            {"since": "2026"},
            "rule.since: '2026' given. Allowed: a text such as"
            ' "2026-11-30" (the whole day in UTC) or "2026-11-30T18:00:00+01:00".',
        ),
    ],
)
def test_a_mistake_about_events_names_its_place(rest: dict[str, object], message: str) -> None:
    assert refusal({"event": "Order", **rest}) == message


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            {"afte": {"days": 1}},
            "rule.sequence[1]: unknown key 'afte'. Did you mean 'after'?"
            " Allowed: absent, after, event, where, within, without.",
        ),
        (
            {"within": {"events": 0}},
            "rule.sequence[1].within.events: 0 given."
            " Allowed: a whole number from 1 to 1000000000.",
        ),
        (
            {"after": {"sessions": 0}},
            "rule.sequence[1].after.sessions: 0 given."
            " Allowed: a whole number from 1 to 1000000000.",
        ),
        (
            {"within": {"events": 1, "off": "A"}},
            "rule.sequence[1].within: unknown key 'off'. Did you mean 'of'? Allowed: events, of.",
        ),
        (
            {"within": {"sessions": 1, "of": "A"}},
            "rule.sequence[1].within: unknown key 'of'. Allowed: sessions.",
        ),
        (
            {"within": {"pages": 1}},
            f"rule.sequence[1].within: unknown key 'pages'. {UNITS}\n"
            f"rule.sequence[1].within: it takes exactly one unit; given: none. {UNITS}",
        ),
        ({"absent": 1}, "rule.sequence[1].absent: 1 given. Allowed: true or false."),
        (
            {"absent": True, "within": {"events": 1}},
            f"rule.sequence[1].within: what did not come is waited for by the clock. {UNITS}",
        ),
        (
            {"absent": True, "after": {"days": 1}},
            "rule.sequence[1].absent: it takes neither 'after' nor 'without'. Allowed: within.",
        ),
        (
            {"without": {"event": "C", "within": {}}},
            "rule.sequence[1].without: unknown key 'within'. Allowed: event, where.",
        ),
        (
            {"without": "C"},
            "rule.sequence[1].without: 'C' given."
            ' Allowed: a table such as {event = "Cart Cleared"}.',
        ),
    ],
)
def test_a_mistake_in_a_step_names_its_place(second: dict[str, object], message: str) -> None:
    assert refusal({"sequence": [{"event": "A"}, {"event": "B", **second}]}) == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"sequence": [{"event": "A"}]},
            "rule.sequence: a list of 1 given. Allowed: a list of 2 to 20 steps.",
        ),
        ({"sequence": {}}, "rule.sequence: a table given. Allowed: a list of 2 to 20 steps."),
        (
            {"sequence": [{"event": "A"}] * 21},
            "rule.sequence: a list of 21 given. Allowed: a list of 2 to 20 steps.",
        ),
        (
            {"sequence": ["A", {"event": "B"}]},
            f"rule.sequence[0]: 'A' given. {TABLE}",
        ),
        (
            {"sequence": [{"event": "A", "within": {"days": 1}}, {"event": "B"}]},
            "rule.sequence[0]: unknown key 'within'. Allowed: event, where.",
        ),
        (
            {
                "sequence": [
                    {"event": "A"},
                    {"event": "B", "absent": True},
                    {"event": "C"},
                ]
            },
            "rule.sequence[1].absent: only the last step can be that something did not come."
            " Use without = {event = ...}.",
        ),
        (
            {"sequence": [{"event": "A"}, {"event": "B"}], "same": ""},
            f"rule.same: '' is not a property's name. {NAME}",
        ),
        (
            {"sequence": [{"event": "A"}, {"event": "B"}], "sam": "x"},
            "rule: unknown key 'sam'. Did you mean 'same'?"
            " Allowed: ago, same, sequence, since, until, within.",
        ),
        (
            {"session": {"trait": "a", "is": 1}},
            "rule.session: 'trait' cannot be asked of a session."
            " Allowed: all, any, event, not, sequence.",
        ),
        (
            {"session": {"session": {"event": "A"}}},
            "rule.session: 'session' cannot be asked of a session."
            " Allowed: all, any, event, not, sequence.",
        ),
        ({"session": "A"}, f"rule.session: 'A' is not a rule. {TABLE}"),
        (
            {"session": {"event": "A"}, "within": {"days": 1}},
            "rule: 'session' must be alone in its table, but there is also 'within'.",
        ),
    ],
)
def test_a_mistake_in_a_sequence_or_a_session_names_its_place(
    document: dict[str, object], message: str
) -> None:
    assert refusal(document) == message


def test_steps_and_conditions_on_events_count_as_rules() -> None:
    leaf = {"property": "a", "is": 1}
    then = [{"event": "A", "where": {"any": [leaf] * 9}}, {"event": "B"}]
    # One for the sequence, two for its steps, ten for what is asked of the first.
    assert parse({"any": [{"sequence": then}] * 20}, where="rule")
    many = {"any": [{"sequence": then}] * 20 + [{"event": "A"}] * 240}
    assert refusal(many) == "rule: 501 rules in one. Allowed: 500. Split it."


def test_twenty_sequences_and_sessions_are_enough() -> None:
    then = {"sequence": [{"event": "A"}, {"event": "B"}]}
    sessions = [{"session": {"event": "A"}}] * 10
    assert parse({"any": [then] * 10 + sessions}, where="rule")
    assert refusal({"any": [then] * 11 + sessions}) == (
        "rule: 21 sequences and sessions in one. Allowed: 20. Split it."
    )
