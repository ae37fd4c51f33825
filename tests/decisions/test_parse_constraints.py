"""Constraints as the marketer writes them, and every mistake in them."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest

from opportune import rules
from opportune.decisions import Cap, Constraints, Cooldown, Forbidden, QuietHours, parse_use_case

BODY: dict[str, Any] = {
    "success_metric": "orders",
    "audience": {"segments": ["everybody"]},
    "activation": {"connector": "braze"},
    "dimensions": [
        {
            "name": "offer",
            "options": [
                {"name": "tea", "valid_from": "2026-03-01", "valid_until": "2026-03-31"},
                {"name": "cake", "parameters": {"code": "C", "percent": 5, "warm": True}},
                {"name": "none", "nothing": True},
            ],
        },
        {"name": "at", "meaning": "hour", "options": [{"name": "06"}, {"name": "22"}]},
    ],
}
STRICT = {"trait": "strict", "is": True}


def problems_of(constraints: dict[str, object] | None = None, **changes: object) -> list[str]:
    problems: list[str] = []
    body = {**BODY, **({} if constraints is None else {"constraints": constraints}), **changes}
    parse_use_case("x", body, problems)
    return [each.removeprefix("use_cases/x.toml: ") for each in problems]


def options(*given: dict[str, object], meaning: str = "choice") -> list[dict[str, object]]:
    return [{"name": "d", "meaning": meaning, "options": list(given)}]


def test_all_that_can_be_written_is_read() -> None:
    problems: list[str] = []
    constraints = {
        "quiet_hours": {"from": "23:30", "to": "05:00"},
        "forbidden": [{"options": {"offer": "tea", "at": ["06", "22"]}, "when": STRICT}],
        "cooldown": [{"dimension": "offer", "options": ["tea"], "days": 7}, {"days": 30}],
        "cap": [{"sends": 3, "days": 7}, {"sends": 5, "days": 7, "across": True}],
    }
    case = parse_use_case("x", {**BODY, "constraints": constraints}, problems)
    assert problems == []
    assert case is not None
    assert case.constraints == Constraints(
        quiet_hours=QuietHours(start=time(23, 30), end=time(5)),
        forbidden=(
            Forbidden(
                options={"offer": ("tea",), "at": ("06", "22")},
                when=rules.parse(STRICT, where="rule"),
            ),
        ),
        caps=(Cap(sends=3, days=7), Cap(sends=5, days=7, across=True)),
        cooldowns=(
            Cooldown(dimension="offer", options=("tea",), days=7),
            Cooldown(dimension=None, options=(), days=30),
        ),
    )
    tea, cake, none = case.dimensions[0].options
    assert (tea.valid_from, tea.valid_until) == (date(2026, 3, 1), date(2026, 3, 31))
    days = (date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 1))
    assert [tea.is_valid(day) for day in days] == [False, True, True, False]
    assert cake.parameters == {"code": "C", "percent": 5, "warm": True}
    assert (none.nothing, cake.nothing) == (True, False)
    assert case.conditions == (
        ("constraints.forbidden[0].when", case.constraints.forbidden[0].when),
    )


def test_all_mistakes_of_the_constraints_are_listed_at_once() -> None:
    assert problems_of(
        {
            "quiet_hours": {"from": "25:00", "to": "22:00+01:00", "until": 1},
            "forbidden": [
                {"options": {"offer": "tee", "when": "06"}},
                {"options": {"offer": ["tea"]}, "if": STRICT},
                {"options": {"offer": [], "at": "06"}, "when": "always"},
            ],
            "cooldown": [
                {"dimension": "offers", "days": 0},
                {"dimension": "at", "options": ["07"], "days": 1.5},
                {"options": ["06"], "days": 366},
            ],
            "limit": 3,
        }
    ) == [
        "constraints.forbidden[0].options.offer: no option 'tee'. Did you mean 'tea'? Allowed: "
        "cake, none, tea.",
        "constraints.forbidden[0].options.when: no such dimension. Allowed: at, offer.",
        "constraints.forbidden[1].options: name two dimensions or more; one option alone has its "
        "own rule.",
        "constraints.forbidden[1].if: unknown key. Allowed: options, when.",
        "constraints.forbidden[2].options.offer: [] given, must name one option or more.",
        "constraints.forbidden[2].when: 'always' given, must be a rule.",
        "constraints.cooldown[0].days: 0 given, must be a number from 1 to 365.",
        "constraints.cooldown[0].dimension: no such dimension. Did you mean 'offer'? Allowed: at, "
        "offer.",
        "constraints.cooldown[1].days: 1.5 given, must be a whole number from 1 to 365.",
        "constraints.cooldown[1].options: no option '07'. Allowed: 06, 22.",
        "constraints.cooldown[2].days: 366 given, must be a number from 1 to 365.",
        "constraints.cooldown[2].options: say of which dimension; without one, the whole action is "
        "meant.",
        "constraints.quiet_hours.from: '25:00' given, must be a time of day such as 21:00.",
        "constraints.quiet_hours.to: '22:00+01:00' given, must be a time of day such as 21:00.",
        "constraints.quiet_hours.until: unknown key. Allowed: from, to.",
        "constraints.limit: unknown key. Allowed: cap, cooldown, forbidden, quiet_hours.",
    ]


@pytest.mark.parametrize(
    ("constraints", "problem"),
    [
        (
            {"quiet_hours": {"from": "21:00", "to": "06:01"}},
            "constraints.quiet_hours: they bar every hour that can be chosen.",
        ),
        (
            {"quiet_hours": {"from": "21:00", "to": "21:00"}},
            "constraints.quiet_hours: 'from' and 'to' are the same: it would never be quiet.",
        ),
        (
            {"forbidden": [{"options": {"offer": ["tea", "cake", "none"], "at": ["06", "22"]}}]},
            "constraints.forbidden: every combination is forbidden to everybody.",
        ),
        (
            {
                "forbidden": [{"options": {"offer": ["tea", "cake", "none"], "at": "06"}}],
                "quiet_hours": {"from": "21:00", "to": "05:00"},
            },
            "constraints.forbidden: every combination is forbidden to everybody.",
        ),
        (
            {"forbidden": [{"options": {"offer": "tea", "at": ["06", "22"]}}]},
            "dimensions.offer.options: 'tea' is forbidden together with everything else.",
        ),
    ],
)
def test_constraints_that_leave_nothing_are_a_mistake(
    constraints: dict[str, object], problem: str
) -> None:
    assert problems_of(constraints) == [problem]


def test_what_is_forbidden_to_some_is_no_mistake() -> None:
    every = {"offer": ["tea", "cake", "none"], "at": ["06", "22"]}
    assert problems_of({"forbidden": [{"options": every, "when": STRICT}]}) == []


@pytest.mark.parametrize(
    ("dimensions", "problem"),
    [
        (
            options({"name": "x", "valid_from": "2026-03-02", "valid_until": "2026-03-01"}),
            "dimensions[0].options[0].valid_until: lies before valid_from, so that the option is "
            "never valid.",
        ),
        (
            options({"name": "x", "valid_from": "1 March"}),
            "dimensions[0].options[0].valid_from: '1 March' given, must be a day such as "
            "2026-12-31.",
        ),
        (
            options({"name": "x", "parameters": {"a": [1]}}),
            "dimensions[0].options[0].parameters.a: [1] given, must be a text, number or truth.",
        ),
        (
            options({"name": "x", "parameters": {"d": 1}}),
            "dimensions.d.options: parameter 'd' is sent already, take another name.",
        ),
        (
            options({"name": "x", "nothing": True}),
            "dimensions[0].options: each of them is to send nothing, so that nothing is ever sent.",
        ),
        (
            options({"name": "monday"}, meaning="day"),
            "dimensions[0].options: 'monday' given, a day is one of mon, tue, wed, thu, fri, sat, "
            "sun.",
        ),
        (
            options({"name": "daily"}, meaning="frequency"),
            "dimensions[0].options[0].days: missing, must be the days between sends, from 1 to "
            "365.",
        ),
        (
            options({"name": "x", "days": 1}),
            "dimensions[0].options[0].days: stands only in a dimension whose meaning is "
            "'frequency'.",
        ),
    ],
)
def test_an_option_that_makes_no_sense_is_a_mistake(
    dimensions: list[dict[str, object]], problem: str
) -> None:
    assert problems_of(dimensions=dimensions) == [problem]


def test_an_option_that_sends_nothing_needs_no_hour_nor_days() -> None:
    none = {"name": "none", "nothing": True}
    for meaning, other in (("hour", {"name": "09"}), ("frequency", {"name": "a", "days": 1})):
        assert problems_of(dimensions=options(other, none, meaning=meaning)) == []


def test_the_whole_action_is_kept_apart_only_in_a_small_space() -> None:
    names = [{"name": f"o{number}"} for number in range(60)]
    dimensions = [{"name": name, "options": names} for name in ("a", "b", "c")]
    cooldown: dict[str, object] = {"cooldown": [{"days": 7}]}
    assert problems_of(cooldown, dimensions=dimensions) == [
        "constraints.cooldown: the whole action has 216000 combinations, at most 10000 can be kept "
        "apart; name a dimension."
    ]


def test_mistakes_in_a_cap_are_named() -> None:
    caps = [{"sends": 0, "days": 7}, {"sends": 1.5, "days": 7, "acros": True}]
    assert problems_of({"cap": caps}) == [
        "constraints.cap[0].sends: 0 given, must be a number from 1 to 1000.",
        "constraints.cap[1].acros: unknown key. Did you mean 'across'? Allowed: across, days, "
        "sends.",
        "constraints.cap[1].sends: 1.5 given, must be a whole number from 1 to 1000.",
    ]
