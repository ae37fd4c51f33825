"""Reading a rule as written: nesting, and conditions on traits."""

import math
import tomllib
from datetime import date

import pytest

from opportune.rules import (
    AllOf,
    AnyOf,
    Compare,
    DateIs,
    DateNear,
    Exists,
    InSession,
    InvalidRule,
    Member,
    Moment,
    Not,
    OneOf,
    Rule,
    TextIs,
    parse,
)
from opportune.rules.model import Kind, Operator, Value

ADULT = Compare(name="age", operator="at_least", kind="number", value=18.0)
TABLE = 'Allowed: a table such as {trait = "plan", is = "basic"}.'
FORMS = "Allowed: all, any, event, not, segment, sequence, session, trait."
NAME = "Allowed: a name of 1 to 200 characters."
VALUE = "Allowed: a text, a number, true or false."
TEXT = "Allowed: at most 1000 characters of valid Unicode."
RULES = "Allowed: a list of at most 500 rules."
VALUES = "Allowed: a list of 1 to 1000 values."
OPERATORS = (
    "Allowed: after, at_least, at_most, before, contains, ends_with, exists, in_last_days,"
    " in_next_days, is, is_not, less_than, more_than, one_of, starts_with."
)
PIECE = "Allowed: a text of one character or more."
DATE = 'Allowed: a text such as "2026-11-30" (the whole day in UTC) or "2026-11-30T18:00:00+01:00".'
DAYS = "Allowed: a whole number from 1 to 3660."


def compare(operator: Operator, kind: Kind, value: Value) -> Compare:
    return Compare(name="a", operator=operator, kind=kind, value=value)


def refusal(document: object) -> str:
    with pytest.raises(InvalidRule) as refused:
        parse(document, where="rule")  # type: ignore[arg-type]  # what a file may hold
    assert refused.value.code == "invalid_rule"
    assert refused.value.message == "\n".join(refused.value.problems)
    return refused.value.message


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("{trait = 'age', at_least = 18}", ADULT),
        ("{trait = 'a', is = 'x'}", compare("is", "text", "x")),
        ("{trait = 'a', is_not = -0.0}", compare("is_not", "number", 0.0)),
        ("{trait = 'a', is = true}", compare("is", "boolean", True)),
        ("{trait = 'a', at_most = 2}", compare("at_most", "number", 2.0)),
        ("{trait = 'a', more_than = 1e308}", compare("more_than", "number", 1e308)),
        ("{trait = 'a', less_than = 0.1}", compare("less_than", "number", 0.1)),
        ("{trait = 'a', one_of = [1, 2.5]}", OneOf(name="a", kind="number", values=(1.0, 2.5))),
        ("{trait = 'a', one_of = ['1']}", OneOf(name="a", kind="text", values=("1",))),
        ("{trait = 'a', exists = true}", Exists(name="a")),
        ("{trait = 'a', exists = false}", Not(rule=Exists(name="a"))),
        (
            "{trait = 'a', contains = 'x'}",
            TextIs(name="a", operator="contains", text="x"),
        ),
        (
            "{trait = 'a', starts_with = ' '}",
            TextIs(name="a", operator="starts_with", text=" "),
        ),
        (
            "{trait = 'a', ends_with = '%'}",
            TextIs(name="a", operator="ends_with", text="%"),
        ),
        (
            "{trait = 'a', before = '2026-11-30'}",
            DateIs(name="a", operator="before", moment=Moment(text="2026-11-30")),
        ),
        (
            "{trait = 'a', after = '2026-11-30T18:00:00Z'}",
            DateIs(name="a", operator="after", moment=Moment(text="2026-11-30T18:00:00Z")),
        ),
        (
            "{trait = 'a', in_last_days = 30}",
            DateNear(name="a", operator="in_last_days", days=30),
        ),
        (
            "{trait = 'a', in_next_days = 3660.0}",
            DateNear(name="a", operator="in_next_days", days=3660),
        ),
        ("{segment = 'vip'}", Member(segment="vip")),
        ("{session = {all = []}}", InSession(rule=AllOf(rules=()))),
        ("{all = []}", AllOf(rules=())),
        ("{all = [{trait = 'age', at_least = 18}]}", AllOf(rules=(ADULT,))),
        ("{any = [{not = {trait = 'age', at_least = 18}}]}", AnyOf(rules=(Not(rule=ADULT),))),
    ],
)
def test_every_form_is_read(written: str, rule: Rule) -> None:
    assert parse(tomllib.loads(f"rule = {written}")["rule"], where="rule") == rule


def test_true_and_one_are_different_rules() -> None:
    truth = parse({"trait": "a", "is": True}, where="rule")
    one = parse({"trait": "a", "is": 1}, where="rule")
    assert truth != one


def test_minus_zero_is_read_as_zero() -> None:
    rule = parse({"trait": "a", "is": -0.0}, where="rule")
    assert isinstance(rule, Compare)
    assert isinstance(rule.value, float)
    assert math.copysign(1, rule.value) == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1], f"rule: a list of 1 is not a rule. {TABLE}"),
        ({}, f"rule: '' begins no rule. {FORMS}"),
        ({"trat": "a", "is": 1}, f"rule: 'trat' begins no rule. Did you mean 'trait'? {FORMS}"),
        (
            {"all": [], "any": []},
            "rule: 'all' must be alone in its table, but there is also 'any'.",
        ),
        (
            {"not": {"all": []}, "why": 1},
            "rule: 'not' must be alone in its table, but there is also 'why'.",
        ),
        ({"all": {}}, f"rule.all: a table given. {RULES}"),
        ({"all": [{"trait": "a", "is": 1}] * 501}, f"rule.all: a list of 501 given. {RULES}"),
        ({"any": []}, "rule.any: an empty list would hold for nobody. Allowed: 1 rule or more."),
        ({"not": "x"}, f"rule.not: 'x' is not a rule. {TABLE}"),
        ({"trait": 3, "is": 1}, f"rule.trait: 3 is not a trait's name. {NAME}"),
        ({"trait": "", "is": 1}, f"rule.trait: '' is not a trait's name. {NAME}"),
        ({"trait": "\ud800", "is": 1}, f"rule.trait: '\\ud800' is not a trait's name. {NAME}"),
        (
            {"trait": "a", "at_lest": 1},
            f"rule: unknown operator 'at_lest'. Did you mean 'at_least'? {OPERATORS}",
        ),
        ({"trait": "a"}, f"rule: a trait takes exactly one operator; given: none. {OPERATORS}"),
        (
            {"trait": "a", "is": 1, "at_most": 2},
            f"rule: a trait takes exactly one operator; given: at_most, is. {OPERATORS}",
        ),
        ({"trait": "a", "contains": ""}, f"rule.contains: '' given. {PIECE}"),
        ({"trait": "a", "contains": 1}, f"rule.contains: 1 given. {PIECE}"),
        (
            {"trait": "a", "contains": "\ud800"},
            f"rule.contains: '\\ud800' is not a usable text. {TEXT}",
        ),
        ({"trait": "a", "before": "soon"}, f"rule.before: 'soon' given. {DATE}"),
        (
            {"trait": "a", "after": date(2026, 1, 2)},
            f"rule.after: datetime.date(2026, 1, 2) given. {DATE}",
        ),
        (
            {"trait": "a", "after": "2026-01-02T08:00:00"},
            f"rule.after: '2026-01-02T08:00:00' given. {DATE}",
        ),
        ({"trait": "a", "in_last_days": 0}, f"rule.in_last_days: 0 given. {DAYS}"),
        ({"trait": "a", "in_last_days": 1.5}, f"rule.in_last_days: 1.5 given. {DAYS}"),
        ({"trait": "a", "in_next_days": 3661}, f"rule.in_next_days: 3661 given. {DAYS}"),
        ({"trait": "a", "in_next_days": math.inf}, f"rule.in_next_days: inf given. {DAYS}"),
        ({"trait": "a", "in_next_days": True}, f"rule.in_next_days: True given. {DAYS}"),
        ({"segment": ""}, f"rule.segment: '' is not a segment's name. {NAME}"),
        (
            {"segment": "vip", "since": 1},
            "rule: 'segment' must be alone in its table, but there is also 'since'.",
        ),
        ({"property": "a"}, f"rule: 'property' cannot be asked of a profile. {FORMS}"),
        ({"trait": "a", "exists": 1}, "rule.exists: 1 given. Allowed: true or false."),
        ({"trait": "a", "is": None}, f"rule.is: None given. {VALUE}"),
        ({"trait": "a", "is": [1]}, f"rule.is: a list of 1 given. {VALUE}"),
        (
            {"trait": "a", "is": date(2026, 1, 2)},
            f"rule.is: datetime.date(2026, 1, 2) given. {VALUE}",
        ),
        ({"trait": "a", "is": "\ud800"}, f"rule.is: '\\ud800' is not a usable text. {TEXT}"),
        (
            {"trait": "a", "at_least": "18"},
            "rule.at_least: '18' cannot be ordered. Allowed: a number.",
        ),
        (
            {"trait": "a", "less_than": True},
            "rule.less_than: True cannot be ordered. Allowed: a number.",
        ),
        ({"trait": "a", "one_of": "x"}, f"rule.one_of: 'x' given. {VALUES}"),
        ({"trait": "a", "one_of": []}, f"rule.one_of: a list of 0 given. {VALUES}"),
        ({"trait": "a", "one_of": [1] * 1001}, f"rule.one_of: a list of 1001 given. {VALUES}"),
        ({"trait": "a", "one_of": [1, None]}, f"rule.one_of[1]: None given. {VALUE}"),
        (
            {"trait": "a", "one_of": [1, "1", True]},
            "rule.one_of: boolean and number and text values mixed. Allowed: values of one kind.",
        ),
    ],
)
def test_a_mistake_names_its_place_and_what_is_allowed(document: object, message: str) -> None:
    assert refusal(document) == message


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (math.inf, "inf"),
        (math.nan, "nan"),
        (2**53 + 1, "9007199254740993"),
        (10**400, "a number of 1329 bits"),
        (-(10**400), "a number of 1329 bits"),
    ],
)
def test_a_number_that_would_not_stay_itself_is_refused(number: float, shown: str) -> None:
    assert refusal({"trait": "a", "is": number}) == (
        f"rule.is: {shown} is not exact as a number."
        " Allowed: finite numbers; whole ones are exact up to 2^53. Or use a text."
    )


def test_long_names_and_texts_are_refused_and_shown_shortened() -> None:
    assert refusal({"trait": "n" * 201, "is": 1}).startswith(f"rule.trait: '{'n' * 56}... is not")
    assert refusal({"trait": "a", "is": "t" * 1001}).startswith(f"rule.is: '{'t' * 56}... is not")
    assert parse({"trait": "n" * 200, "is": "t" * 1000}, where="rule")


def nested(levels: int) -> dict[str, object]:
    document: dict[str, object] = {"trait": "a", "is": 1}
    for _ in range(levels - 1):
        document = {"not": document}
    return document


def test_twenty_levels_are_read_and_one_more_is_not() -> None:
    assert isinstance(parse(nested(20), where="rule"), Not)
    assert refusal(nested(21)) == (
        f"rule{'.not' * 20}: nested too deep. Allowed: 20 levels. Flatten the rule."
    )
    assert "nested too deep" in refusal(nested(900))


def test_five_hundred_rules_are_read_and_one_more_is_not() -> None:
    leaf = {"trait": "a", "is": 1}
    assert parse({"all": [{"any": [leaf] * 248}, {"not": {"any": [leaf] * 248}}]}, where="rule")
    many = {"all": [{"any": [leaf] * 248}, {"not": {"any": [leaf] * 249}}]}
    assert refusal(many) == "rule: 501 rules in one. Allowed: 500. Split it."


def test_all_mistakes_are_told_at_once() -> None:
    found = refusal(
        {
            "all": [
                {"trait": "a", "is": None},
                {"trait": "b", "is": 1},
                {"any": [{"trait": "c", "exists": 1}, {"nut": {}}]},
                {"trait": "", "isnt": 1, "at_lest": 2},
                {"event": 1, "sum": {"at_least": "x"}, "within": {"days": 0}, "were": {}},
            ]
        }
    )
    assert [line.split(": ")[0] for line in found.split("\n")] == [
        "rule.all[0].is",
        "rule.all[2].any[0].exists",
        "rule.all[2].any[1]",
        "rule.all[3].trait",
        "rule.all[3]",
        "rule.all[3]",
        "rule.all[4]",
        "rule.all[4].sum.property",
        "rule.all[4].sum.at_least",
        "rule.all[4].event",
        "rule.all[4].within.days",
    ]


def test_twenty_mistakes_are_enough() -> None:
    assert refusal({"all": [{}] * 30}).count("\n") == 19


@pytest.mark.parametrize("form", ["event", "sequence", "session", "segment", "property"])
def test_where_only_traits_are_known_only_they_can_be_asked(form: str) -> None:
    with pytest.raises(InvalidRule) as refused:
        parse({"not": {form: "x"}}, where="rule", traits_only=True)
    assert refused.value.message == (
        f"rule.not: '{form}' cannot be asked of traits alone. Allowed: all, any, not, trait."
    )
