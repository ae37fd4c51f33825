"""What happened how often, with what, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from opportune.rules import Event, Facts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
Answer = Callable[[dict[str, object], Facts], bool]
Past = Callable[..., Facts]

ORDER = {"event": "Order"}


def orders(past: Past, *values: object) -> Facts:
    return past(*(("Order", 10, {"value": value}) for value in values))


@pytest.mark.parametrize(
    ("rest", "of_none", "of_two"),
    [
        ({}, False, True),
        ({"count": {"at_least": 2}}, False, True),
        ({"count": {"more_than": 2}}, False, False),
        ({"count": {"is": 0}}, True, False),
        ({"count": {"is_not": 2}}, True, False),
        ({"count": {"at_most": 1}}, True, False),
        ({"count": {"less_than": 3}}, True, True),
    ],
)
def test_events_are_counted_and_none_is_zero(
    answer: Answer, past: Past, rest: dict[str, object], of_none: bool, of_two: bool
) -> None:
    assert answer({**ORDER, **rest}, Facts(now=NOW)) is of_none
    assert answer({**ORDER, **rest}, past(("Order", 2), ("Other", 1), ("Order", 0))) is of_two


def test_one_of_several_names_counts(answer: Answer, past: Past) -> None:
    facts = past(("A", 3), ("B", 2), ("C", 1))
    assert answer({"event": ["A", "B"], "count": {"is": 2}}, facts)
    assert answer({"event": ["A", "A"], "count": {"is": 1}}, facts)
    assert not answer({"event": "D"}, facts)


def test_properties_are_asked_of_each_event_alone(answer: Answer, past: Past) -> None:
    facts = past(("Order", 2, {"city": "Graz", "paid": 1}), ("Order", 1, {"city": "Wien"}))
    graz, paid = {"property": "city", "is": "Graz"}, {"property": "paid", "exists": True}
    assert answer({**ORDER, "where": {"all": [graz, paid]}}, facts)
    assert not answer({**ORDER, "where": {"all": [{"not": graz}, paid]}}, facts)
    assert answer({**ORDER, "where": {"not": graz}, "count": {"is": 1}}, facts)
    assert answer({**ORDER, "where": {"any": [graz, {"not": paid}]}, "count": {"is": 2}}, facts)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({"sum": {"property": "value", "is": 0.6}}, True),
        ({"sum": {"property": "value", "more_than": 0.6}}, False),
        ({"average": {"property": "value", "is": 0.2}}, True),
        ({"average": {"property": "value", "less_than": 0.2}}, False),
        ({"minimum": {"property": "value", "is": 0.1}}, True),
        ({"minimum": {"property": "value", "at_least": 0.2}}, False),
        ({"maximum": {"property": "value", "is": 0.3}}, True),
        ({"maximum": {"property": "value", "at_most": 0.2}}, False),
        ({"distinct": {"property": "value", "is": 3}}, True),
    ],
)
def test_numbers_of_events_are_added_up_exactly(
    answer: Answer, past: Past, asked: dict[str, object], held: bool
) -> None:
    facts = orders(past, 0.1, 0.2, 0.3)
    assert sum([0.1, 0.2, 0.3]) != 0.6
    assert answer({**ORDER, **asked}, facts) is held


def test_of_no_event_a_sum_is_zero_and_there_is_no_mean(answer: Answer, past: Past) -> None:
    for facts in (Facts(now=NOW), orders(past, "1", None, True, [1])):
        for aggregate in ("sum", "average", "minimum", "maximum"):
            asked = {aggregate: {"property": "value", "at_most": 5}}
            assert answer({**ORDER, **asked}, facts) is (aggregate == "sum")
            asked = {aggregate: {"property": "value", "is_not": 5}}
            assert answer({**ORDER, **asked}, facts) is (aggregate == "sum")


def test_what_is_beyond_any_amount_is_not_added_but_can_be_the_largest(
    answer: Answer, past: Past
) -> None:
    facts = orders(past, 5, 10**13, -(10**13), 10**400)
    assert answer({**ORDER, "sum": {"property": "value", "is": 5}}, facts)
    assert answer({**ORDER, "average": {"property": "value", "is": 5}}, facts)
    assert answer({**ORDER, "maximum": {"property": "value", "more_than": 1e13}}, facts)
    assert answer({**ORDER, "minimum": {"property": "value", "is": -1e13}}, facts)


def test_values_of_another_kind_are_other_values(answer: Answer, past: Past) -> None:
    facts = orders(past, 1, 1.0, "1", True, "true", 0, -0.0, None, [1])
    assert answer({**ORDER, "distinct": {"property": "value", "is": 5}}, facts)
    assert answer({**ORDER, "distinct": {"property": "gone", "is": 0}}, facts)


def at(*offsets_us: int) -> Facts:
    events = [
        Event(event="Order", occurred_at_us=NOW_US + offset, message_id=f"m{place}", properties={})
        for place, offset in enumerate(offsets_us)
    ]
    return Facts(now=NOW, events=tuple(events))


DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("window", "offset_us", "held"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({"within": {"days": 2}}, -2 * DAY_US, True),
        ({"within": {"days": 2}}, -2 * DAY_US - 1, False),
        ({"within": {"hours": 24}}, -DAY_US, True),
        ({"within": {"minutes": 1}}, -60_000_001, False),
        ({"within": {"weeks": 1}}, -7 * DAY_US, True),
        ({"ago": {"days": 1}}, -DAY_US, True),
        ({"ago": {"days": 1}}, -DAY_US + 1, False),
        ({"within": {"days": 2}, "ago": {"days": 1}}, -DAY_US, True),
        ({"within": {"days": 1}, "ago": {"days": 2}}, -DAY_US, False),
        ({"since": "2026-02-28"}, -36 * 3_600_000_000, True),
        ({"since": "2026-02-28"}, -36 * 3_600_000_000 - 1, False),
        ({"until": "2026-02-28"}, -12 * 3_600_000_000 - 1, True),
        ({"until": "2026-02-28"}, -12 * 3_600_000_000, False),
        ({"until": "2026-03-01T11:00:00Z"}, -3_600_000_000, True),
        ({"until": "2026-03-01T11:00:00Z"}, -3_600_000_000 + 1, False),
        ({"since": "2026-02-28", "within": {"hours": 1}}, -3_600_000_001, False),
    ],
)
def test_both_ends_of_a_window_count(
    answer: Answer, window: dict[str, object], offset_us: int, held: bool
) -> None:
    assert answer({**ORDER, **window}, at(offset_us)) is held


def test_what_is_later_than_now_has_not_happened_yet(answer: Answer) -> None:
    facts = at(-1, 1)
    assert answer({**ORDER, "count": {"is": 1}}, facts)
    later = Facts(now=NOW + timedelta(microseconds=1), events=facts.events)
    assert answer({**ORDER, "count": {"is": 2}}, later)


def test_several_questions_are_asked_in_one_pass(answer: Answer, past: Past) -> None:
    facts = past(("A", 90), ("B", 60), ("A", 30))
    questions = [
        {"event": "A", "count": {"is": 2}},
        {"event": "A", "count": {"is": 1}, "within": {"hours": 1}},
        {"event": "B", "within": {"hours": 1}},
        {"not": {"event": "C"}},
    ]
    assert answer({"all": questions}, facts)
    # Each has its own window: the oldest event that any of them needs is read.
    assert answer({"all": questions[1:3]}, facts)
