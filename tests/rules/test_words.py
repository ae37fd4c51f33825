"""A rule as a sentence."""

import pytest

from opportune.rules import AnyOf, parse, words

AGE, VIP = {"trait": "age", "at_least": 18}, {"trait": "vip", "is": True}
PAGE: dict[str, object] = {"event": "Page"}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"trait": "plan", "is": "basic"}, 'plan is "basic"'),
        ({"trait": "plan", "is_not": "it's"}, 'plan is known and not "it\'s"'),
        ({"trait": "plan", "one_of": ["a"]}, 'plan is "a"'),
        ({"trait": "plan", "one_of": ["a", "b", "c"]}, 'plan is "a", "b" or "c"'),
        ({"trait": "age", "at_least": 18}, "age is at least 18"),
        ({"trait": "age", "at_most": 1.5}, "age is at most 1.5"),
        ({"trait": "age", "more_than": 1e308}, "age is more than 1e+308"),
        ({"trait": "age", "less_than": -3}, "age is less than -3"),
        ({"trait": "vip", "is": False}, "vip is false"),
        ({"trait": "email", "exists": True}, "email is known"),
        ({"trait": "email", "exists": False}, "email is not known"),
        ({"trait": "two words", "is": True}, '"two words" is true'),
        ({"trait": "größe.cm", "is": "Ü"}, 'größe.cm is "Ü"'),
        ({"all": []}, "everyone"),
        ({"all": [AGE]}, "age is at least 18"),
        ({"all": [AGE, VIP]}, "age is at least 18 and vip is true"),
        (
            {"all": [VIP, {"any": [VIP, AGE]}]},
            "vip is true and (vip is true or age is at least 18)",
        ),
        ({"any": [AGE, {"all": [VIP]}]}, "age is at least 18 or vip is true"),
        ({"any": [{"trait": "p", "one_of": [1, 2]}, VIP]}, "(p is 1 or 2) or vip is true"),
        ({"not": {"all": [AGE, VIP]}}, "not (age is at least 18 and vip is true)"),
        ({"trait": "city", "contains": "dam"}, 'city contains "dam"'),
        ({"trait": "city", "starts_with": "Am"}, 'city starts with "Am"'),
        ({"trait": "city", "ends_with": "dam"}, 'city ends with "dam"'),
        ({"trait": "born", "before": "1990-01-01"}, "born is before 1990-01-01"),
        ({"trait": "born", "after": "1990-01-01T08:00:00Z"}, "born is after 1990-01-01T08:00:00Z"),
        ({"trait": "due", "in_next_days": 1}, "due is in the next 1 day"),
        ({"trait": "due", "in_last_days": 30}, "due is in the last 30 days"),
        ({"segment": "vip"}, 'is in segment "vip"'),
    ],
)
def test_a_rule_reads_as_a_sentence(document: dict[str, object], sentence: str) -> None:
    assert words(parse(document, where="rule")) == sentence


def test_a_rule_without_any_alternative_reads_as_nobody() -> None:
    assert words(AnyOf(rules=())) == "nobody"


ORDER: dict[str, object] = {"event": "Order"}
PAID = {"property": "paid", "is": True}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (ORDER, 'did "Order"'),
        ({"not": ORDER}, 'not (did "Order")'),
        ({"event": ["A", "B", "C"]}, 'did "A", "B" or "C"'),
        ({**ORDER, "count": {"more_than": 0}}, 'did "Order"'),
        ({**ORDER, "count": {"is": 0}}, 'did not do "Order"'),
        ({**ORDER, "count": {"at_most": 0}}, 'did not do "Order"'),
        ({**ORDER, "count": {"less_than": 1}}, 'did not do "Order"'),
        ({**ORDER, "count": {"at_least": 2}}, 'did "Order" at least 2 times'),
        ({**ORDER, "count": {"is": 1}}, 'did "Order" exactly 1 time'),
        ({**ORDER, "count": {"is_not": 2}}, 'did "Order" not exactly 2 times'),
        ({**ORDER, "count": {"at_most": 2}}, 'did "Order" at most 2 times'),
        ({**ORDER, "count": {"more_than": 2}}, 'did "Order" more than 2 times'),
        ({**ORDER, "count": {"less_than": 3}}, 'did "Order" fewer than 3 times'),
        ({**ORDER, "within": {"days": 30}}, 'did "Order" in the last 30 days'),
        ({**ORDER, "ago": {"hours": 1}}, 'did "Order" at least 1 hour ago'),
        (
            {**ORDER, "within": {"weeks": 2}, "ago": {"days": 1}},
            'did "Order" in the last 2 weeks at least 1 day ago',
        ),
        (
            {**ORDER, "since": "2026-11-01", "until": "2026-11-30"},
            'did "Order" since 2026-11-01 until 2026-11-30',
        ),
        (
            {**ORDER, "where": PAID, "count": {"at_least": 3}, "within": {"days": 30}},
            'did "Order" where (paid is true) at least 3 times in the last 30 days',
        ),
        (
            {**ORDER, "sum": {"property": "value", "at_least": 100}, "within": {"days": 60}},
            'the sum of value of "Order" in the last 60 days is at least 100',
        ),
        (
            {**ORDER, "average": {"property": "order value", "is_not": 1.5}},
            'the average of "order value" of "Order" is not 1.5',
        ),
        (
            {**ORDER, "minimum": {"property": "value", "is": 1}},
            'the smallest value of "Order" is 1',
        ),
        (
            {**ORDER, "maximum": {"property": "value", "less_than": 1}},
            'the largest value of "Order" is less than 1',
        ),
        (
            {**ORDER, "distinct": {"property": "sku", "more_than": 1}},
            'the number of different values of sku of "Order" is more than 1',
        ),
        (
            {"all": [{"event": ["A", "B"]}, VIP]},
            '(did "A" or "B") and vip is true',
        ),
        ({"session": {"all": [ORDER, PAGE]}}, 'in one session (did "Order" and did "Page")'),
    ],
)
def test_what_happened_reads_as_a_sentence(document: dict[str, object], sentence: str) -> None:
    assert words(parse(document, where="rule")) == sentence


@pytest.mark.parametrize(
    ("later", "rest", "sentence"),
    [
        ([ORDER], {}, 'did "Page", then "Order"'),
        ([ORDER, PAGE], {}, 'did "Page", then "Order", then "Page"'),
        (
            [{**ORDER, "within": {"hours": 2}}],
            {"same": "cart_id", "within": {"days": 7}},
            'did "Page", then "Order" within 2 hours, all with the same cart_id,'
            " all in the last 7 days",
        ),
        (
            [{**ORDER, "after": {"days": 1}, "within": {"events": 3}}],
            {},
            'did "Page", then "Order" at least 1 day later within 3 events',
        ),
        (
            [{**ORDER, "within": {"events": 1, "of": "Page"}}],
            {},
            'did "Page", then "Order" within 1 event of "Page"',
        ),
        (
            [{**ORDER, "where": PAID, "within": {"sessions": 0}}],
            {},
            'did "Page", then "Order" where (paid is true) within the same session',
        ),
        (
            [{**ORDER, "within": {"sessions": 2}, "without": {"event": "Left", "where": PAID}}],
            {},
            'did "Page", then "Order" within 2 sessions without "Left" where (paid is true)'
            " between",
        ),
        (
            [{**ORDER, "absent": True, "within": {"minutes": 90}}],
            {},
            'did "Page", then did not do "Order" within 90 minutes',
        ),
        ([{**ORDER, "absent": True}], {}, 'did "Page", then did not do "Order"'),
    ],
)
def test_a_sequence_reads_as_a_sentence(
    later: list[dict[str, object]], rest: dict[str, object], sentence: str
) -> None:
    sequence = {"sequence": [PAGE, *later], **rest}
    assert words(parse(sequence, where="rule")) == sentence
    both = {"any": [sequence, VIP]}
    assert words(parse(both, where="rule")) == f"({sentence}) or vip is true"
