"""What a rule reads."""

from __future__ import annotations

import pytest

from opportune.rules import Uses, parse, uses

NOTHING: frozenset[str] = frozenset()


def read(document: dict[str, object]) -> Uses:
    return uses(parse(document, where="rule"))


def test_the_traits_a_rule_reads_are_named_once() -> None:
    age, vip = {"trait": "age", "at_least": 18}, {"trait": "vip", "is": True}
    document = {
        "all": [
            age,
            {"not": vip},
            {"any": [age, {"trait": "plan", "one_of": ["a"]}]},
            {"trait": "email", "exists": False},
            {"trait": "city", "contains": "a"},
            {"trait": "born", "before": "2000-01-01"},
            {"trait": "due", "in_next_days": 7},
        ]
    }
    assert read(document) == Uses(
        traits=frozenset({"age", "vip", "plan", "email", "city", "born", "due"}),
        events=NOTHING,
        properties=frozenset(),
        segments=NOTHING,
        every_event=False,
    )
    assert read({"all": []}).traits == NOTHING


def test_events_are_named_with_the_properties_that_are_read() -> None:
    found = read(
        {
            "any": [
                {"event": ["A", "B"], "where": {"not": {"property": "p", "is": 1}}},
                {"event": "C", "sum": {"property": "q", "is": 1}},
                {"not": {"segment": "vip"}},
            ]
        }
    )
    assert found == Uses(
        traits=NOTHING,
        events=frozenset("ABC"),
        properties=frozenset({("A", "p"), ("B", "p"), ("C", "q")}),
        segments=frozenset({"vip"}),
        every_event=False,
    )


def test_a_sequence_reads_what_lies_between_its_steps_as_well() -> None:
    found = read(
        {
            "sequence": [
                {"event": "A"},
                {
                    "event": "B",
                    "within": {"events": 2, "of": "C"},
                    "without": {"event": "D", "where": {"property": "p", "is": 1}},
                },
            ],
            "same": "cart",
        }
    )
    assert found.events == frozenset("ABCD")
    carts = {(event, "cart") for event in "ABD"}
    assert found.properties == frozenset({("D", "p")} | carts)
    assert not found.every_event


@pytest.mark.parametrize(
    "document",
    [
        {"session": {"event": "A"}},
        {"not": {"session": {"event": "A"}}},
        {"sequence": [{"event": "A"}, {"event": "B", "within": {"events": 1}}]},
        {"sequence": [{"event": "A"}, {"event": "B", "after": {"sessions": 1}}]},
    ],
)
def test_where_events_or_sessions_are_counted_every_event_matters(
    document: dict[str, object],
) -> None:
    assert read(document).every_event
