"""Metrics that a use case cannot be judged by are refused when it is defined."""

from __future__ import annotations

from pathlib import Path

import pytest

from opportune import project
from opportune.documents import InvalidDefinition

FILES = {
    "metrics/orders.toml": 'event = "Ordered"\nunit = "orders"\nwindow_days = 2\n',
    "metrics/each.toml": 'formula = "orders * 2"\n',
    "metrics/part.toml": 'formula = "share(orders)"\nunit = "of all"\n',
    "metrics/opens.toml": 'event = "Message Opened"\nunit = "opens"\nwindow_days = 2\n',
    "metrics/proxy.toml": (
        'events = ["Email Opened", "Clicked"]\nproxy = true\nunit = "opens"\nwindow_days = 2\n'
    ),
    "metrics/read.toml": 'formula = "opens * 2"\n',
    "segments/all.toml": "[rule]\nall = []\n",
}
USE_CASE = """
title = "Next"
success_metric = "{metric}"
decide_at = "06:00"
features = []
[audience]
segments = ["all"]
[groups]
control_share = 0.1
[policy]
name = "uniform"
[activation]
connector = "braze"
campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
base_url = "http://127.0.0.1:8421"
[[dimensions]]
name = "offer"
options = [{{ name = "tv" }}, {{ name = "sim" }}]
{more}
"""
RAIL = '[[guard_rails]]\nmetric = "each"\ndirection = "at_most"\nlimit = 0.1\ndays = 7\n'


def load(place: Path, metric: str, more: str = "") -> project.Project:
    files = {**FILES, "use_cases/next.toml": USE_CASE.format(metric=metric, more=more)}
    for name, text in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
    return project.load(place)


def test_a_formula_row_by_row_may_be_the_success_metric(tmp_path: Path) -> None:
    found = load(tmp_path, "each")
    metric = found.metric_of(found.use_case("next"))
    assert (metric.unit, [each.name for each in metric.bases]) == ("orders", ["orders"])


def test_what_looks_at_all_rows_is_no_success_metric(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        load(tmp_path, "part")
    assert refusal.value.problems == (
        "use_cases/next.toml: success_metric: 'part' looks at all rows together, and a reward is "
        "what one decision brought. Use a metric of events, or a formula of such row by row.",
    )


def test_a_calculated_metric_is_a_guard_rail_unless_rows_look_at_all_rows(tmp_path: Path) -> None:
    (rail,) = load(tmp_path, "orders", RAIL).use_case("next").guard_rails
    assert rail.metric == "each"
    with pytest.raises(InvalidDefinition) as refusal:
        load(tmp_path, "orders", RAIL.replace('"each"', '"part"'))
    assert refusal.value.problems == (
        "use_cases/next.toml: guard_rails.metric: 'part' looks at all rows and differs from row to "
        "row. Use a formula row by row, or one of sums and means alone.",
    )


@pytest.mark.parametrize("metric", ["opens", "read"])
def test_opens_are_no_success_metric(tmp_path: Path, metric: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        load(tmp_path, metric)
    assert refusal.value.problems == (
        f"use_cases/next.toml: success_metric: '{metric}' counts 'Message Opened', and "
        "programs open mail that nobody reads. Use clicks or what you want in the end, or say "
        "proxy = true in the metric.",
    )


def test_opens_are_one_where_they_are_said_to_stand_for_something(tmp_path: Path) -> None:
    found = load(tmp_path, "proxy", RAIL.replace('"each"', '"opens"'))
    assert found.metric_of(found.use_case("next")).proxy
