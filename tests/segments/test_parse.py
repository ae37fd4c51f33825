"""A segment as the marketer writes it."""

from __future__ import annotations

import pytest

from opportune.rules import parse
from opportune.segments import Segment, parse_segment

RULE = {"trait": "plan", "is": "plus"}
FORMS = "Allowed: all, any, event, not, segment, sequence, session, trait."
OPERATORS = (
    "Allowed: after, at_least, at_most, before, contains, ends_with, exists, in_last_days,"
    " in_next_days, is, is_not, less_than, more_than, one_of, starts_with."
)


def test_a_segment_is_a_title_and_a_rule() -> None:
    problems: list[str] = []
    assert parse_segment("vip", {"title": "Very important", "rule": RULE}, problems) == Segment(
        name="vip", title="Very important", rule=parse(RULE, where="rule")
    )
    assert problems == []


def test_the_title_is_the_name_unless_given() -> None:
    segment = parse_segment("vip", {"rule": RULE}, [])
    assert segment is not None
    assert segment.title == "vip"


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, ["segments/vip.toml: rule: missing, must be a table."]),
        ({"rule": 5}, ["segments/vip.toml: rule: 5 given, must be a table."]),
        (
            {"rule": {}},
            [f"segments/vip.toml: rule: '' begins no rule. {FORMS}"],
        ),
        (
            {"rule": RULE, "titel": "x"},
            ["segments/vip.toml: titel: unknown key. Did you mean 'title'? Allowed: rule, title."],
        ),
        (
            {"title": "", "rule": {"all": [{"trait": "plan", "iss": 1}, {"nott": {}}]}},
            [
                "segments/vip.toml: title: '' given, must be a non-empty text.",
                "segments/vip.toml: rule.all[0]: unknown operator 'iss'. Did you mean 'is'? "
                f"{OPERATORS}",
                "segments/vip.toml: rule.all[1]: 'nott' begins no rule. Did you mean 'not'? "
                f"{FORMS}",
            ],
        ),
    ],
    ids=["no rule", "a rule that is no table", "an empty rule", "unknown key", "several mistakes"],
)
def test_every_mistake_is_listed(body: dict[str, object], problems: list[str]) -> None:
    found: list[str] = []
    assert parse_segment("vip", body, found) is None
    assert found == problems
