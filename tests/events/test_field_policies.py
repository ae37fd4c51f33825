"""Which fields may be put to which use, by class, label and policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.events import (
    BUILT_IN,
    USES,
    Field,
    FieldClasses,
    FieldPolicies,
    FieldPolicy,
    Use,
    forbidden_fields,
    parse_field_policies,
)

CITY, EMAIL, GENDER = (Field(kind="trait", name=name) for name in ("city", "email", "gender"))
NOTE = Field(kind="property", name="note", event="Viewed")


def parse(body: dict[str, Any], problems: list[str], **classes: str) -> FieldPolicies:
    declared = FieldClasses(traits=classes)
    return parse_field_policies(body, problems, classes=declared, use_cases=("letters",))


def forbidden(kind: str, policies: FieldPolicies, *fields: Field) -> list[tuple[str, str, str]]:
    found = forbidden_fields(Use(kind=kind, name="letters"), fields, policies)
    return [(each.field.name, each.label, each.policy) for each in found]


@pytest.mark.parametrize("kind", USES)
def test_what_is_personal_is_no_feature_and_what_is_sensitive_never_leaves(kind: str) -> None:
    found = forbidden(kind, FieldPolicies(), CITY, EMAIL, GENDER, EMAIL)
    expected = []
    if kind == "features":
        expected.append(("email", "personal", "personal-data"))
    if kind != "targeting":
        expected.append(("gender", "sensitive", "sensitive-data"))
    assert found == expected


def test_labels_and_classes_are_forbidden_for_kinds_and_for_single_uses() -> None:
    problems: list[str] = []
    policies = parse(
        {
            "fields": {"traits": {"income": ["money", "bank"]}, "properties": {"note": ["money"]}},
            "policies": {
                "no-money": {"forbids": ["money"], "applies_to": ["targeting", "web/shop"]},
                "own-only": {
                    "title": "Ours",
                    "forbids": ["personal"],
                    "applies_to": ["activation"],
                },
            },
        },
        problems,
        city="personal",
        gender="free",
    )
    assert problems == []
    assert policies.policies[:2] == BUILT_IN
    income = Field(kind="trait", name="income")
    assert forbidden("targeting", policies, income, NOTE, replace(NOTE, kind="trait")) == [
        ("income", "money", "no-money"),
        ("note", "money", "no-money"),
    ]
    assert forbidden("web", policies, income) == []
    (found,) = forbidden_fields(Use(kind="web", name="shop"), [income], policies)
    assert found.message == (
        "trait 'income' is money (as labelled), and policy 'no-money' forbids money fields for "
        "web. Use another field."
    )
    assert forbidden("activation", policies, CITY, GENDER) == [("city", "personal", "own-only")]


def test_what_values_tell_counts_for_the_event_they_came_with() -> None:
    everywhere = replace(NOTE, event=None)
    learned = Use(kind="features", name="letters")

    def told(field: Field, *personal: Field) -> list[str]:
        found = forbidden_fields(learned, [field], FieldPolicies(), personal=personal)
        return [each.message for each in found]

    (message,) = told(NOTE, NOTE, everywhere)
    assert message == (
        "property 'note' of 'Viewed' is personal (by values that came), and policy "
        "'personal-data' forbids personal fields for features. Use another field, or declare it "
        "free in opportune.toml if that is a mistake."
    )
    assert told(everywhere, NOTE, everywhere)
    assert told(NOTE, replace(NOTE, event="Other"), everywhere) == []
    # Events beyond the limit of the catalogue are counted together.
    assert told(NOTE, replace(NOTE, event="(others)"), everywhere)


def test_all_mistakes_are_listed_at_once() -> None:
    problems: list[str] = []
    parse(
        {
            "fields": {"traits": {"income": ["sensitive"], "plan": ["A b"], "x": "y"}, "event": {}},
            "policies": {
                "personal-data": {"forbids": ["x"]},
                "No": {"forbids": ["personal"], "applies_to": ["web"]},
                "a": {"forbids": ["moneyy"], "applies_to": ["feature", "web/", "features/leters"]},
                "b": {"forbids": [], "applies_to": "web", "apply": 1},
            },
        },
        problems,
    )
    names = "Allowed: small letters, digits, _ and -, 63 at most, the first a letter or digit."
    uses = ", ".join(sorted(USES))
    where = "privacy.toml: "
    assert problems == [
        f"{where}fields.traits.income: 'sensitive' is a class: declare it in opportune.toml.",
        f"{where}fields.traits.plan: 'A b' given. {names}",
        f"{where}fields.traits.x: 'y' given, must be a list of texts.",
        f"{where}fields.event: unknown key. Allowed: properties, traits.",
        f"{where}policies.personal-data: this policy is built in and stays. Take another name.",
        f"{where}policies.No: no name of a policy. {names}",
        f"{where}policies.a.forbids: no field has the label 'moneyy'. Allowed: A b, personal, "
        "sensitive.",
        f"{where}policies.a.applies_to: 'feature' given. Did you mean 'features'? Allowed: {uses}.",
        f"{where}policies.a.applies_to: 'web/' given. Did you mean 'web'? Allowed: {uses}.",
        f"{where}policies.a.applies_to: no use case 'leters'. Did you mean 'letters'? Allowed: "
        "letters.",
        f"{where}policies.b.applies_to: 'web' given, must be a list of texts.",
        f"{where}policies.b.forbids: [] given, must name one or more.",
        f"{where}policies.b.apply: unknown key. Allowed: applies_to, forbids, title.",
    ]


LABELS = ("personal", "sensitive", "money", "bank")
POLICIES = st.builds(
    FieldPolicy,
    name=st.sampled_from("abc"),
    title=st.just(""),
    forbids=st.lists(st.sampled_from(LABELS)).map(tuple),
    applies_to=st.lists(st.sampled_from([*USES, "web/letters", "features/other"])).map(tuple),
)
FIELDS = st.builds(
    Field,
    kind=st.sampled_from(["property", "trait"]),
    name=st.sampled_from(["city", "email", "gender", "income", "note"]),
    event=st.none() | st.sampled_from(["Viewed", "Other"]),
)


@given(
    kind=st.sampled_from(sorted(USES)),
    fields=st.lists(FIELDS, max_size=5),
    few=st.lists(POLICIES, max_size=3),
    more=st.lists(POLICIES, max_size=3),
    personal=st.frozensets(FIELDS, max_size=3),
)
def test_another_policy_or_a_value_that_tells_never_allows_more(
    kind: str,
    fields: list[Field],
    few: list[FieldPolicy],
    more: list[FieldPolicy],
    personal: frozenset[Field],
) -> None:
    labels = {("trait", "income"): ("money", "bank"), ("property", "note"): ("money",)}
    loose = FieldPolicies(policies=(*BUILT_IN, *few), labels=labels)
    strict = replace(loose, policies=(*BUILT_IN, *few, *more))
    use = Use(kind=kind, name="letters")
    before = {each.field for each in forbidden_fields(use, fields, loose)}
    assert before <= {each.field for each in forbidden_fields(use, fields, strict)}
    known = {each.field for each in forbidden_fields(use, fields, strict, personal=personal)}
    assert before <= known <= set(fields)
