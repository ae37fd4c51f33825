"""Events cut at a sequence (CJA-4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opportune.rules import Facts, Sequence, parse, select

Past = Callable[..., Facts]


def cut(past: Past, names: str, keep: str, **rest: object) -> str:
    document = {"sequence": [{"event": "B"}, {"event": "D"}], **rest}
    sequence = parse(document, where="rule")
    assert isinstance(sequence, Sequence)
    facts = past(*((name, 100 - place) for place, name in enumerate(names)))
    return "".join(str(event.event) for event in select(sequence, facts, keep=keep))  # type: ignore[arg-type]  # given as text


@pytest.mark.parametrize(
    ("names", "everyone", "before", "after"),
    [
        ("ABCDEF", "ABCDEF", "AB", "DEF"),
        ("ABCDBCDE", "ABCDBCDE", "ABCDB", "DBCDE"),
        ("ABCDEFABC", "ABCDEFABC", "AB", "DEFABC"),
        ("ABBDDE", "ABBDDE", "ABB", "DDE"),
        ("DCBA", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_events_are_kept_before_or_after_the_sequence(
    past: Past, names: str, everyone: str, before: str, after: str
) -> None:
    """CJA-4: up to the first hit of the last occurrence, from the last hit of the first one."""
    kept = tuple(cut(past, names, keep) for keep in ("everyone", "before", "after"))
    assert kept == (everyone, before, after)


def test_the_latest_beginning_and_the_earliest_end_count_over_all_objects(past: Past) -> None:
    facts = past(
        ("B", 9, {"cart": 1}), ("B", 8, {"cart": 2}), ("D", 7, {"cart": 2}), ("D", 6, {"cart": 1})
    )
    document = {"sequence": [{"event": "B"}, {"event": "D"}], "same": "cart"}
    sequence = parse(document, where="rule")
    assert isinstance(sequence, Sequence)
    assert select(sequence, facts, keep="before") == facts.events[:2]
    assert select(sequence, facts, keep="after") == facts.events[2:]


def test_the_end_of_a_sequence_that_waited_in_vain_is_its_last_event(past: Past) -> None:
    document = {"sequence": [{"event": "B"}, {"event": "D", "absent": True}]}
    sequence = parse(document, where="rule")
    assert isinstance(sequence, Sequence)
    facts = past(("A", 9), ("B", 8), ("C", 7))
    assert select(sequence, facts, keep="after") == facts.events[1:]


def test_what_has_not_happened_yet_is_not_kept(past: Past) -> None:
    facts = past(("B", 9), ("D", 8), ("E", -1))
    sequence = parse({"sequence": [{"event": "B"}, {"event": "D"}]}, where="rule")
    assert isinstance(sequence, Sequence)
    assert select(sequence, facts) == facts.events[:2]
