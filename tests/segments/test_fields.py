"""The fields that segments read, for policies that ask."""

from __future__ import annotations

from opportune.rules import parse
from opportune.segments import Segment, segment_fields


def segment(name: str, rule: dict[str, object]) -> Segment:
    return Segment(name=name, title=name, rule=parse(rule, where=name))


def test_a_segment_reads_what_those_read_that_it_is_made_of() -> None:
    where = {"property": "price", "more_than": 9}
    segments = {
        "vip": segment("vip", {"all": [{"segment": "rich"}, {"not": {"segment": "late"}}]}),
        "rich": segment("rich", {"any": [{"trait": "income", "at_least": 9}, {"segment": "gone"}]}),
        "late": segment("late", {"event": "Viewed", "where": where}),
        "circle": segment("circle", {"segment": "circle"}),
        "broken": None,
    }
    asked = ["vip", "late", "circle", "broken", "unknown"]
    found = {name: [str(each) for each in read] for name, read in segment_fields(asked, segments)}
    assert found == {
        "vip": [],
        "late": ["property 'price' of 'Viewed'"],
        "circle": [],
        "rich": ["trait 'income'"],
    }
    assert [name for name, _ in segment_fields(asked, segments)] == [
        *("vip", "late", "circle", "rich"),
    ]
