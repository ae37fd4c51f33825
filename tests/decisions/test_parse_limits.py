"""What a use case says of money and harm, and what does not fit together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opportune.decisions import Budget, GuardRail, UseCase, parse_use_case

BODY: dict[str, Any] = {
    "success_metric": "revenue",
    "audience": {"segments": ["customers"]},
    "activation": {"connector": "braze"},
    "dimensions": [
        {
            "name": "offer",
            "options": [
                {"name": "none"},
                {"name": "catalogue", "cost": 0.8},
                {"name": "coupon", "cost": 5, "cost_due": "rewarded"},
            ],
        },
        {"name": "channel", "options": [{"name": "email"}, {"name": "letter", "cost": 0.85}]},
    ],
}
MONEY = {"budget": {"per_day": 500, "total": 1e4, "unit": "EUR"}}
HARM = {"guard_rails": [{"metric": "unsubscribes", "limit": 0.005}]}


def parsed(**more: Any) -> tuple[UseCase | None, list[str]]:
    problems: list[str] = []
    return parse_use_case("next", BODY | more, problems), problems


def test_costs_budget_groups_and_guard_rails_are_read() -> None:
    groups = {"control_share": 0.1, "random_share": 0.02, "exploration_min": 0.01}
    use_case, problems = parsed(**MONEY, **HARM, groups=groups)
    assert problems == []
    assert use_case is not None
    assert use_case.budget == Budget(per_day=500.0, total=10_000.0, unit="EUR")
    assert use_case.guard_rails == (
        GuardRail(metric="unsubscribes", direction="at_most", limit=0.005, days=7),
    )
    assert (use_case.random_share, use_case.exploration_min) == (0.02, 0.01)
    costs = use_case.costs
    assert costs is not None
    assert [each.tolist() for each in costs.sent] == [[0, 0.8, 0], [0, 0.85]]
    assert [each.tolist() for each in costs.rewarded] == [[0, 0, 5], [0, 0]]
    assert all(each.dtype == np.float64 for each in (*costs.sent, *costs.rewarded))


def test_nothing_said_is_free_and_without_limits() -> None:
    free = [{"name": "offer", "options": [{"name": "a"}, {"name": "b"}]}]
    use_case, problems = parsed(dimensions=free)
    assert problems == []
    assert use_case is not None
    assert (use_case.costs, use_case.budget, use_case.guard_rails) == (None, None, ())
    assert (use_case.random_share, use_case.exploration_min) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"budget": {}}, "budget: says no amount, must have per_day or total, or both."),
        (
            {"budget": {"per_day": -1}},
            "budget.per_day: -1 given, must be a number from 0 to 1e+09.",
        ),
        (
            {"budget": {"per_day": 0.1234567}},
            "budget.per_day: 0.1234567 given, must have 6 decimals at most.",
        ),
        (
            {"budget": {"per_dey": 1, "total": 1}},
            "budget.per_dey: unknown key. Did you mean 'per_day'? Allowed: per_day, total, unit.",
        ),
        (
            {"guard_rails": [{"metric": "m", "limit": 1, "direction": "over"}]},
            "guard_rails[0].direction: 'over' given, must be one of at_most, at_least.",
        ),
        (
            {"guard_rails": [{"metric": "m", "limit": 1, "days": 1.5}]},
            "guard_rails[0].days: 1.5 given, must be a whole number of days.",
        ),
        (
            {"guard_rails": [{"metric": "m"}]},
            "guard_rails[0].limit: missing, must be a number from -1e+09 to 1e+09.",
        ),
        (
            {"groups": {"control_share": 0.6, "random_share": 0.4}},
            "groups.control_share: control_share 0.6, random_share 0.4 and champion_share 0 given, "
            "must be below 1 together.",
        ),
        (
            {
                "dimensions": [
                    {"name": "d", "options": [{"name": "a", "cost": 1, "cost_due": "later"}]}
                ]
            },
            "dimensions[0].options[0].cost_due: 'later' given, must be one of sent, rewarded.",
        ),
        (
            {"dimensions": [{"name": "d", "options": [{"name": "a"}]}], "budget": {"total": 1}},
            "budget: no option has a cost; give those that cost anything their cost.",
        ),
    ],
)
def test_each_mistake_is_said(more: dict[str, Any], problem: str) -> None:
    use_case, problems = parsed(**more)
    assert use_case is None
    assert problems == [f"use_cases/next.toml: {problem}"]
