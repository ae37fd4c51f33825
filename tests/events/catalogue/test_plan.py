"""A tracking plan as it is written: all mistakes at once, with the nearest names."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from opportune import project
from opportune.documents import Document, InvalidDefinition
from opportune.events import FieldClasses, field_class, parse_plan, read_classes
from opportune.events.fields import is_personal, name_class

PLAN = """
title = "What the shop sends"
sources = ["shop"]
violations = "block"
[[events]]
name = "Order Completed"
[events.properties]
order_id = { type = "string", required = true, pattern = "^[0-9]+$" }
revenue = { type = ["number", "null"] }
anything = {}
[[events]]
type = "identify"
traits = { plan = { type = "string" } }
"""


def problems_of(text: str) -> list[str]:
    problems: list[str] = []
    assert parse_plan("shop", tomllib.loads(text), problems) is None
    return [problem.removeprefix("tracking_plans/shop.toml: ") for problem in problems]


def test_a_plan_names_events_and_what_their_fields_must_be() -> None:
    problems: list[str] = []
    plan = parse_plan("shop", tomllib.loads(PLAN), problems)
    assert plan is not None
    assert problems == []
    assert (plan.violations, plan.unplanned_events, plan.sources) == ("block", "accept", ("shop",))
    assert list(plan.events) == [("track", "Order Completed"), ("identify", "identify")]
    fields = plan.events["track", "Order Completed"].fields
    assert fields["order_id"].required
    assert fields["revenue"].types == ("number", "null")
    assert fields["anything"].types == ("any",)
    assert [plan.speaks_for(source) for source in ("shop", "till")] == [True, False]


def test_a_plan_without_sources_is_for_all_but_our_own_events() -> None:
    plan = parse_plan("all", {"events": [{"name": "E"}]}, [])
    assert plan is not None
    assert [plan.speaks_for(source) for source in ("shop", "opportune")] == [True, False]


def test_all_mistakes_of_a_plan_are_listed_at_once() -> None:
    mistakes = problems_of("""
        violation = "block"
        unplanned_events = "blok"
        [[events]]
        name = "A"
        properties = { a = { type = "strin" }, b = { pattern = "(", typ = 1 } }
        [[events]]
        name = "A"
        properties = { c = { type = "number", pattern = "x" }, d = { type = [], required = 1 } }
        [[events]]
        type = "identfy"
    """)
    types = "any, array, boolean, date-time, integer, null, number, object, string"
    assert mistakes == [
        "unplanned_events: 'blok' given. Did you mean 'block'? Allowed: accept, block.",
        f"events[0].properties.a.type: 'strin' given. Did you mean 'string'? Allowed: {types}.",
        "events[0].properties.b.pattern: '(' is no pattern of RE2: missing ): (.",
        "events[0].properties.b.typ: unknown key. Did you mean 'type'? Allowed: pattern, required, "
        "type.",
        'events[1].properties.c.pattern: only texts have one. Add type = "string", or take it out.',
        "events[1].properties.d.type: name at least one type, or leave the key out.",
        "events[1].properties.d.required: 1 given, must be true or false.",
        "events[1].name: 'A' is in the plan already.",
        "events[2].type: 'identfy' given. Did you mean 'identify'? Allowed: alias, group, "
        "identify, page, screen, track.",
        "violation: unknown key. Did you mean 'violations'? Allowed: events, sources, title, "
        "unplanned_events, unplanned_properties, violations.",
    ]


@pytest.mark.parametrize("pattern", ["(?=x)", r"(a)\\1", "a{2000}", "x" * 501])
def test_a_pattern_that_cannot_be_searched_in_linear_time_is_refused(pattern: str) -> None:
    event = f'[[events]]\nname = "E"\nproperties = {{ a = {{ pattern = "{pattern}" }} }}'
    (problem,) = problems_of(event)
    assert problem.startswith("events[0].properties.a.pattern: ")


def test_a_plan_and_classes_are_applied_and_read_again(shop: Any) -> None:
    settings = (
        '[traits]\npersonal = ["nick"]\nsensitive = ["diet"]\n[properties]\nfree = ["name"]\n'
    )
    written = shop.apply(shop=PLAN, opportune=settings)
    assert [each for each in written if each.startswith(("settings", "tracking"))] == [
        "tracking_plan/shop version 1",
        "settings/traits version 1",
        "settings/properties version 1",
    ]
    assert shop.apply(shop=PLAN, opportune=settings) == []
    found = project.read(shop.stores.state)
    assert dict(found.tracking_plans) == dict(project.load(shop.folder).tracking_plans)
    assert found.classes == FieldClasses(
        traits={"nick": "personal", "diet": "sensitive"}, properties={"name": "free"}
    )
    assert shop.apply(opportune="") == [
        "settings/traits version 2",
        "settings/properties version 2",
    ]
    assert project.read(shop.stores.state).classes == FieldClasses()


def test_a_trait_that_identifies_somebody_cannot_be_declared_otherwise(shop: Any) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        shop.apply(opportune='[traits]\nfree = ["email", "nick"]\nsensitive = ["nick"]\n')
    assert list(refusal.value.problems) == [
        "opportune.toml: traits.free: 'email' identifies a person and stays personal.",
        "opportune.toml: traits.free: 'nick' is sensitive as well. Keep it in one list.",
    ]


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        *(("trait", name, "personal") for name in ("name", "firstName", "last_name", "address")),
        *(("property", name, None) for name in ("name", "email_consent", "item_count", "skip")),
        *(("property", name, "personal") for name in ("billingEmail", "contact-phone-number")),
        *(("property", name, "personal") for name in ("IP", "date_of_birth", "iban", "E-Mail")),
        *(("trait", name, "personal") for name in ("email2", "address_1", "lastname", "his_phone")),
        *(("trait", name, None) for name in ("has_phone", "isEmail", "mobile", "2", "")),
        *(("property", name, "sensitive") for name in ("healthStatus", "gender", "has_allergy")),
    ],
)
def test_names_tell_classes(kind: str, name: str, expected: str | None) -> None:
    assert name_class(kind, name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((text, True) for text in ("ana@shop.example", "mail: <a.b@c.de>", "+4930901820")),
        *((text, True) for text in ("+49 (30) 901-820", "203.0.113.9", "2001:db8::1", "fe80::1")),
        *((text, True) for text in ("DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19")),
        *((text, False) for text in ("", "a@b", "2026-03-01", "10:30:00", "999.1.1.1", "1.2.3")),
        *((text, False) for text in ("49309018200", "AB12CDEFGHIJKLMNOP", "a::b::c", "@" * 5_000)),
    ],
)
def test_values_tell_whether_they_are_somebodys(value: str, expected: bool) -> None:
    assert is_personal(value) is expected


def test_the_declared_class_counts_before_name_and_values() -> None:
    problems: list[str] = []
    document = Document({"free": ["email"], "personal": ["size"]}, "opportune.toml", problems)
    declared = FieldClasses(properties=read_classes(document, "property"))
    assert problems == []

    def told(name: str, values: int = 0) -> tuple[str, str]:
        found = field_class("property", name, declared=declared, personal_values=values)
        return found.name, found.because

    assert told("email", 5) == ("free", "declared")
    assert told("size") == ("personal", "declared")
    assert told("phone") == ("personal", "name")
    assert told("note", 1) == ("personal", "value")
    assert told("note") == ("free", "")
