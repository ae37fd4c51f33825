"""A rule as a sentence, and the traits it reads."""

import pytest

from opportune.rules import AnyOf, parse, traits_used, words

AGE, VIP = {"trait": "age", "at_least": 18}, {"trait": "vip", "is": True}


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
    ],
)
def test_a_rule_reads_as_a_sentence(document: dict[str, object], sentence: str) -> None:
    assert words(parse(document, where="rule")) == sentence


def test_a_rule_without_any_alternative_reads_as_nobody() -> None:
    assert words(AnyOf(rules=())) == "nobody"


def test_the_traits_a_rule_reads_are_named_once() -> None:
    document = {
        "all": [
            AGE,
            {"not": VIP},
            {"any": [AGE, {"trait": "plan", "one_of": ["a"]}]},
            {"trait": "email", "exists": False},
        ]
    }
    assert traits_used(parse(document, where="rule")) == {"age", "vip", "plan", "email"}
    assert traits_used(parse({"all": []}, where="rule")) == frozenset()
