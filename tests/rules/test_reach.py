"""How far a rule reaches: what it needs not be told, and when it needs not be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import drawn
from opportune.rules import Facts, Reach, Window, holds, parse, reach, wakes
from opportune.rules.fields import date_us
from opportune.rules.times import microseconds

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)


def moments(found: Reach, facts: Facts) -> Iterator[int]:
    """Every moment at which the answer may change, as the rule alone tells it."""
    for event in facts.events:
        for name, after_us in found.after_events:
            if name in (None, event.event):
                yield event.occurred_at_us + after_us
        for name, field, after_us in found.after_properties:
            at_us = date_us(event.properties.get(field))
            if name == event.event and at_us is not None:
                yield at_us + after_us
    for field, after_us in found.after_traits:
        at_us = date_us(facts.traits.get(field))
        if at_us is not None:
            yield at_us + after_us


@EXAMPLES
@given(body=drawn.documents, facts=drawn.facts())
def test_no_answer_changes_at_any_other_moment(body: dict[str, object], facts: Facts) -> None:
    rule = parse(body, where="rule")
    wake = wakes(rule, facts)
    if wake is not None and holds(rule, facts) != holds(rule, replace(facts, now=wake)):
        assert microseconds(wake) in set(moments(reach(rule), facts))


@EXAMPLES
@given(body=drawn.documents, facts=drawn.facts(), data=st.data())
def test_events_out_of_reach_change_nothing(
    body: dict[str, object], facts: Facts, data: st.DataObject
) -> None:
    rule = parse(body, where="rule")
    found = reach(rule)
    now_us = microseconds(facts.now)
    kept = []
    for event in facts.events:
        name = event.event
        is_meant = None in found.windows or name in found.windows
        low_us = found.low_us(name or "", now_us) if is_meant else None
        if is_meant and (low_us is None or event.occurred_at_us >= low_us):
            kept.append(event)
    later = data.draw(st.sampled_from([0, 30, 1440, 20_000]))
    moment = facts.now + timedelta(minutes=later)
    for now in (facts.now, moment):
        asked = replace(facts, now=now)
        assert holds(rule, replace(asked, events=tuple(kept))) == holds(rule, asked)


def test_of_a_session_everything_matters() -> None:
    found = reach(parse({"session": {"not": {"event": "A", "within": {"days": 1}}}}, where="rule"))
    assert found.windows[None] == {Window()}
    assert (found.low_us("A", 0), found.low_us("B", 0)) == (None, None)


def test_the_longest_window_of_an_event_counts() -> None:
    rules = [{"event": "A", "within": {"hours": 1}}, {"event": "A", "since": "1970-01-02"}]
    found = reach(parse({"any": rules}, where="rule"))
    assert found.low_us("A", 0) == -3_600_000_000
    assert found.low_us("A", 10**12) == 86_400_000_000
