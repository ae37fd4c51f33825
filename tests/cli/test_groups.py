"""`opportune groups` and `opportune overlap`, and the same over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from opportune import project
from opportune.storage import Stores

SHOP = Path(__file__).parents[2] / "examples" / "shop"
Run = Callable[..., tuple[int, str, str]]


def test_groups_and_overlap_are_told_before_anything_was_decided(run: Run, stores: Stores) -> None:
    project.apply(stores.state, SHOP, now=datetime.now(UTC))
    code, out, _ = run("groups", "second-order")
    assert code == 0
    assert out.splitlines() == [
        "treatment: 0 profiles, 0.0 % of 90.0 % meant, 0 EUR per profile",
        "control: 0 profiles, 0.0 % of 10.0 % meant, 0 EUR per profile",
        "Too early to say: 0 profiles of treatment brought EUR so far, a comparison wants at "
        "least 10.",
    ]
    assert len(json.loads(run("groups", "second-order", "--json")[1])["comparisons"]) == 1
    code, out, _ = run("overlap", "second-order")
    assert out == (
        "0 of 0 profiles were sent something by two use cases or more in the last 28 days.\n"
    )
    assert json.loads(run("overlap", "second-order", "--json")[1])["audience"] == 0


def test_metrics_are_listed_and_one_is_asked(run: Run, stores: Stores) -> None:
    assert run("metric")[1].startswith("No metric is defined.")
    project.apply(stores.state, SHOP, now=datetime.now(UTC))
    names = sorted(project.read(stores.state).metrics)
    assert [line.partition(":")[0] for line in run("metric")[1].splitlines()] == names
    assert [each["name"] for each in json.loads(run("metric", "--json")[1])] == names
    code, out, _ = run("metric", names[0], "--days", "7")
    assert code == 0
    assert out.splitlines()[-1] == "Nobody on 7 of 7 days."
    assert len(json.loads(run("metric", names[0], "--json")[1])["days"]) == 30
    assert run("metric", "revenu")[2].startswith("project_not_found: No metric 'revenu'.")
    assert run("metric", names[0], "--days", "0")[2].startswith("invalid_days: 0 days given.")


def test_other_tabs_are_written_as_files(run: Run, stores: Stores) -> None:
    project.apply(stores.state, SHOP, now=datetime.now(UTC))
    code, out, _ = run("report", "second-order", "--tab", "timeline")
    assert (code, out.splitlines()[0]) == (0, "use_case,as_of,at,kind,title,by,details")
    assert run("report", "second-order", "--tab", "health", "--format", "html")[1].endswith(
        "</html>"
    )
    assert json.loads(run("report", "second-order", "--tab", "insights", "--json")[1])["days"] == []
    wrong = run("report", "second-order", "--tab", "helth")
    assert wrong[2].startswith("invalid_tab: There is no tab 'helth'. Did you mean 'health'?")
