"""One after another: then, after, within, without, absent, and the same object (CJA-3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings

import drawn
from opportune.rules import (
    SESSION_GAP_US,
    Event,
    EventsApart,
    Facts,
    Sequence,
    SessionsApart,
    Span,
    holds,
    parse,
)
from opportune.rules.fields import met

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Answer = Callable[[dict[str, object], Facts], bool]
Past = Callable[..., Facts]


def then(second: dict[str, object], **rest: object) -> dict[str, object]:
    return {"sequence": [{"event": "A"}, {"event": "B", **second}], **rest}


def walked(past: Past, names: str) -> Facts:
    """One event a minute, the last one a minute ago."""
    return past(*((name, len(names) - place) for place, name in enumerate(names)))


@pytest.mark.parametrize(
    ("pages", "held"),
    [
        (["Shoes", "Checkout"], True),
        (["Shoes", "Tops", "Checkout"], False),
        (["Shoes", "Tops", "Shoes", "Checkout"], True),
        (["Checkout", "Shoes"], False),
    ],
)
def test_within_one_page_is_the_next_page(
    answer: Answer, past: Past, pages: list[str], held: bool
) -> None:
    """CJA-3: `Shoes, Checkout` matches "within one page", `Shoes, Tops, Checkout` does not."""
    viewed = [("Page Viewed", 9 - n, {"page": page}) for n, page in enumerate(pages)]
    noise = ("Scrolled", 9 - len(pages) + 1.5)
    facts = past(*viewed[:-1], noise, viewed[-1])
    step = {"event": "Page Viewed", "where": {"property": "page", "is": "Shoes"}}
    checkout = {"event": "Page Viewed", "where": {"property": "page", "is": "Checkout"}}
    near = {"within": {"events": 1, "of": "Page Viewed"}}
    assert answer({"sequence": [step, {**checkout, **near}]}, facts) is held
    assert not answer({"sequence": [step, {**checkout, "within": {"events": 1}}]}, facts)


@pytest.mark.parametrize(
    ("names", "held"), [("AB", True), ("BA", False), ("ACB", True), ("B", False), ("ABA", True)]
)
def test_then_is_later(answer: Answer, past: Past, names: str, held: bool) -> None:
    assert answer(then({}), walked(past, names)) is held


def test_at_the_same_moment_the_message_id_decides(answer: Answer) -> None:
    def at_once(*names: str) -> Facts:
        return Facts(
            now=NOW,
            events=tuple(
                Event(event=name, occurred_at_us=0, message_id=f"m{place}", properties={})
                for place, name in enumerate(names)
            ),
        )

    assert answer(then({}), at_once("A", "B"))
    assert not answer(then({}), at_once("B", "A"))
    assert not answer(then({"after": {"minutes": 1}}), at_once("A", "B"))


def test_one_event_is_not_two_steps(answer: Answer, past: Past) -> None:
    twice = {"sequence": [{"event": "A"}, {"event": "A"}]}
    assert not answer(twice, walked(past, "A"))
    assert answer(twice, walked(past, "AA"))


@pytest.mark.parametrize(
    ("step", "held"),
    [
        ({"within": {"minutes": 60}}, True),
        ({"within": {"minutes": 59}}, False),
        ({"after": {"hours": 1}}, True),
        ({"after": {"minutes": 61}}, False),
        ({"after": {"minutes": 60}, "within": {"minutes": 60}}, True),
        ({"within": {"events": 3}}, True),
        ({"within": {"events": 2}}, False),
        ({"after": {"events": 3}}, True),
        ({"after": {"events": 4}}, False),
        ({"within": {"events": 2, "of": "C"}}, True),
        ({"within": {"events": 1, "of": "C"}}, False),
        ({"after": {"events": 2, "of": "C"}}, True),
        ({"after": {"events": 3, "of": "C"}}, False),
        ({"within": {"sessions": 1}}, True),
        ({"within": {"sessions": 0}}, False),
        ({"after": {"sessions": 1}}, True),
        ({"after": {"sessions": 2}}, False),
        ({"after": {"sessions": 1}, "within": {"events": 3}}, True),
        ({"after": {"events": 1}, "within": {"minutes": 59}}, False),
    ],
)
def test_a_step_is_so_much_later_and_both_ends_count(
    answer: Answer, past: Past, step: dict[str, object], held: bool
) -> None:
    # A, 10 minutes, C, 45 minutes (a new session), C, 5 minutes, B
    facts = past(("A", 70), ("C", 60), ("C", 15), ("B", 10))
    assert answer(then(step), facts) is held


def test_the_closest_event_that_is_early_enough_counts(answer: Answer, past: Past) -> None:
    facts = past(("A", 100), ("A", 60), ("A", 11), ("B", 10))
    assert answer(then({"after": {"minutes": 30}, "within": {"minutes": 50}}), facts)
    assert not answer(then({"after": {"minutes": 51}, "within": {"minutes": 89}}), facts)


def test_a_later_step_may_need_an_earlier_chain(answer: Answer, past: Past) -> None:
    """Each step follows any chain so far, not only the one that began last."""
    steps = [{"event": "A"}, {"event": "B"}, {"event": "C", "within": {"minutes": 5}}]
    assert answer({"sequence": steps}, past(("A", 90), ("B", 60), ("B", 20), ("C", 16)))
    assert not answer({"sequence": steps}, past(("B", 60), ("A", 50), ("C", 46), ("B", 20)))


@pytest.mark.parametrize(
    ("names", "held"),
    [("AB", True), ("AXB", False), ("XAB", True), ("ABX", True), ("AXAB", True), ("AAXB", False)],
)
def test_without_allows_nothing_of_it_between(
    answer: Answer, past: Past, names: str, held: bool
) -> None:
    assert answer(then({"without": {"event": "X"}}), walked(past, names)) is held


def test_what_must_not_lie_between_may_be_a_step_itself(answer: Answer, past: Past) -> None:
    assert answer(then({"without": {"event": ["A", "B"]}}), walked(past, "AAB"))


ABANDONED = then({"absent": True, "within": {"hours": 2}})


@pytest.mark.parametrize(
    ("happened", "held"),
    [
        ([("A", 121)], True),
        ([("A", 120)], False),
        ([("A", 300), ("B", 180)], False),
        ([("A", 300), ("B", 179)], True),
        ([("B", 301), ("A", 300)], True),
        ([("A", 300), ("B", 200), ("A", 150)], True),
        ([("A", 300), ("B", 200), ("A", 100)], False),
        ([], False),
        ([("B", 300)], False),
    ],
)
def test_what_did_not_come_is_absent_once_its_time_is_over(
    answer: Answer, past: Past, happened: list[tuple[str, int]], held: bool
) -> None:
    assert answer(ABANDONED, past(*happened)) is held


def test_without_a_time_absent_means_not_since(answer: Answer, past: Past) -> None:
    not_since = then({"absent": True})
    assert answer(not_since, walked(past, "A"))
    assert answer(not_since, walked(past, "BA"))
    assert not answer(not_since, walked(past, "AB"))


def test_an_open_cart_is_one_added_a_while_ago_and_not_ordered_since(
    answer: Answer, past: Past
) -> None:
    open_cart = then({"absent": True}, ago={"hours": 2}, within={"days": 7})
    assert answer(open_cart, past(("A", 180)))
    assert not answer(open_cart, past(("A", 60)))
    assert not answer(open_cart, past(("A", 180), ("B", 60)))
    assert not answer(open_cart, past(("A", 8 * 24 * 60)))


def test_steps_of_the_same_object_only(answer: Answer, past: Past) -> None:
    """The checkout of this cart, not of any."""
    facts = past(("A", 300, {"cart": 1}), ("A", 280, {"cart": "1"}), ("B", 250, {"cart": 1.0}))
    assert answer(then({}, same="cart"), facts)
    assert answer({**ABANDONED, "same": "cart"}, facts)
    assert not answer(ABANDONED, facts)
    for value in (None, True, [1]):
        carts = past(("A", 300, {"cart": value}), ("B", 250, {"cart": value}))
        assert not answer(then({}, same="cart"), carts)
        assert not answer({**ABANDONED, "same": "cart"}, carts)
    assert not answer(then({}, same="cart"), past(("A", 300), ("B", 250)))


def test_events_between_steps_are_counted_over_all_objects(answer: Answer, past: Past) -> None:
    facts = past(("A", 4, {"cart": 1}), ("C", 3, {"cart": 2}), ("B", 2, {"cart": 1}))
    for of, counted in (({}, 2), ({"of": "C"}, 1)):
        for most, held in ((counted, True), (counted - 1, False)):
            if most:
                near = {"within": {"events": most, **of}}
                assert answer(then(near, same="cart"), facts) is held


def test_the_window_is_for_the_steps_that_happened(answer: Answer, past: Past) -> None:
    facts = past(("A", 120), ("B", 30))
    assert answer(then({}, within={"hours": 2}), facts)
    assert not answer(then({}, within={"hours": 1}), facts)
    assert not answer(then({}, ago={"hours": 1}), facts)
    # What did not come may be looked for after the window's end.
    assert not answer(then({"absent": True}, ago={"hours": 1}), facts)


def test_twenty_steps(answer: Answer, past: Past) -> None:
    steps = [{"event": name} for name in "ABCD" * 5]
    assert answer({"sequence": steps}, walked(past, "ABCD" * 5))
    assert not answer({"sequence": steps}, walked(past, "ABCD" * 4 + "ABDC"))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=drawn.sequences, facts=drawn.facts())
def test_a_sequence_happened_if_any_choice_of_events_fits(
    document: dict[str, object], facts: Facts
) -> None:
    sequence = parse(document, where="rule")
    assert isinstance(sequence, Sequence)
    events = [each for each in facts.events if each.occurred_at_us <= drawn.NOW_US]
    assert holds(sequence, facts) is any(True for _ in choices(sequence, events))


def choices(sequence: Sequence, events: list[Event]) -> Iterator[tuple[int, ...]]:
    """Every choice of places that fits, found by trying them all."""
    steps = [step for step in sequence.steps if not step.absent]

    def fits(chosen: tuple[int, ...]) -> bool:
        step = steps[len(chosen) - 1]
        event = events[chosen[-1]]
        low, high = sequence.window.bounds(drawn.NOW_US)
        if not matches(step.match, event) or event.occurred_at_us > high:
            return False
        if (low is not None and event.occurred_at_us < low) or key(sequence, event) is None:
            return False
        if len(chosen) == 1:
            return True
        before, here = chosen[-2:]
        between = events[before + 1 : here]
        return (
            key(sequence, events[before]) == key(sequence, event)
            and (step.after is None or apart(step.after, events, before, here) >= size(step.after))
            and (
                step.within is None or apart(step.within, events, before, here) <= size(step.within)
            )
            and not any(
                step.without is not None
                and matches(step.without, each)
                and key(sequence, each) == key(sequence, event)
                for each in between
            )
        )

    def extend(chosen: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(chosen) == len(steps):
            if not sequence.steps[-1].absent or stayed_away(sequence, events, chosen[-1]):
                yield chosen
            return
        for place in range(chosen[-1] + 1 if chosen else 0, len(events)):
            if fits((*chosen, place)):
                yield from extend((*chosen, place))

    return extend(())


def stayed_away(sequence: Sequence, events: list[Event], last: int) -> bool:
    step, since = sequence.steps[-1], events[last]
    later = [
        each
        for each in events[last + 1 :]
        if matches(step.match, each) and key(sequence, each) == key(sequence, since)
    ]
    if not isinstance(step.within, Span):
        return not later
    until_us = since.occurred_at_us + step.within.us
    return until_us < drawn.NOW_US and not any(each.occurred_at_us <= until_us for each in later)


def matches(match: object, event: Event) -> bool:
    assert hasattr(match, "events")
    assert hasattr(match, "where")
    is_meant = match.where is None or met(match.where, event.properties, drawn.NOW_US)
    return event.event in match.events and is_meant


def key(sequence: Sequence, event: Event) -> object:
    if sequence.same is None:
        return "everything"
    value = event.properties.get(sequence.same)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return (isinstance(value, str), value)


def size(distance: object) -> int:
    return distance.us if isinstance(distance, Span) else distance.count  # type: ignore[attr-defined, no-any-return]  # the two others


def apart(distance: object, events: list[Event], before: int, here: int) -> int:
    passed = events[before + 1 : here + 1]
    if isinstance(distance, EventsApart):
        return sum(distance.of in (None, each.event) for each in passed)
    times = [each.occurred_at_us for each in events[before : here + 1]]
    if isinstance(distance, SessionsApart):
        return sum(later - earlier > SESSION_GAP_US for earlier, later in pairwise(times))
    return times[-1] - times[0]


def test_the_reference_finds_every_choice() -> None:
    at = [NOW - timedelta(minutes=minutes) for minutes in (9, 8, 7, 6)]
    events = [
        Event(
            event=name,
            occurred_at_us=int(moment.timestamp()) * 1_000_000,
            message_id=name,
            properties={},
        )
        for name, moment in zip("AABB", at, strict=True)
    ]
    sequence = parse(then({}), where="rule")
    assert isinstance(sequence, Sequence)
    assert list(choices(sequence, events)) == [(0, 2), (0, 3), (1, 2), (1, 3)]
