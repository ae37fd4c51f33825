"""Over HTTP: a use case that was stopped says so, and goes on when somebody says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from opportune import project
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]
RESUME = "/api/use-cases/next_offer/resume"


@pytest.fixture
def told(apply: Callable[..., None], stores: Stores, history: ModuleType) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=50))
    stores.state.rows(
        "insert into use_case_stop (use_case, day, stopped_at, reason)"
        " values ('next_offer', %(day)s, %(at)s, 'leaving is 0.3.')",
        {"day": date(2026, 1, 9), "at": datetime(2026, 1, 9, 6, tzinfo=UTC)},
    )


@pytest.mark.usefixtures("told")
def test_a_stop_is_shown_until_it_is_resumed(ask: Ask, stores: Stores) -> None:
    def shown() -> tuple[str, str]:
        listed = ask("/api/use-cases")[1]["use_cases"][0]["stopped"]
        return listed, ask("/api/use-cases/next_offer/performance")[1]["stopped"]

    assert shown() == ("leaving is 0.3.", "leaving is 0.3.")
    assert "leaving is 0.3." in ask("/use-cases/next_offer")[1]
    assert ask(RESUME, {"by": "ann"}) == (
        200,
        {
            "use_case": "next_offer",
            "day": "2026-01-09",
            "stopped_at": "2026-01-09T06:00:00Z",
            "reason": "leaving is 0.3.",
        },
    )
    assert shown() == ("", "")
    kept = stores.state.rows("select resumed_by, resumed_at is not null as done from use_case_stop")
    assert kept == [{"resumed_by": "ann", "done": True}]


@pytest.mark.usefixtures("told")
def test_costs_and_budget_are_shown(
    ask: Ask, stores: Stores, history: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "project" / "use_cases" / "next_offer.toml"
    text = file.read_text().replace('{ name = "sms" }', '{ name = "sms", cost = 0.08 }')
    file.write_text(f'{text}[budget]\nper_day = 25\ntotal = 100.5\nunit = "EUR"\n')
    project.apply(stores.state, tmp_path / "project", now=history.NOW)
    stores.state.rows(
        "insert into budget_day values ('next_offer', '2026-01-10', 25, 24.96, 0.5, 480, 7, 3)"
    )
    document = ask("/api/use-cases/next_offer/performance")[1]
    day = {"available": 25.0, "committed": 24.96, "shadow_price": 0.5, "decided": 480}
    assert document["spending"] == {
        "unit": "EUR",
        "per_day": 25.0,
        "total": 100.5,
        "spent": 0.0,
        "reserved": 0.0,
        "days": [{"day": "2026-01-10", "restricted": 7, "held_back": 3} | day],
        "profit": None,
    }
    schema = ask("/api/openapi.json")[1]
    operation = schema["paths"]["/use-cases/{name}/performance"]["get"]
    shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(document, {**shape, "components": schema["components"]})
    page = " ".join(ask("/use-cases/next_offer")[1].split())
    assert "0 EUR spent, 0 reserved of 100.50, at most 25 a day. 2026-01-10: 24.96 of 25" in page
    assert "0.5, 3 profiles held back." in page


@pytest.mark.usefixtures("told")
def test_what_cannot_be_resumed_is_refused_and_changes_nothing(ask: Ask, stores: Stores) -> None:
    assert ask("/api/use-cases/next_ofer/resume", {"by": "ann"})[0] == 404
    assert ask(RESUME, {"by": ""})[0] == 400
    assert ask(RESUME, {"by": "ann", "because": "x"})[0] == 400
    assert ask("/api/use-cases")[1]["use_cases"][0]["stopped"] == "leaving is 0.3."
    assert ask(RESUME, {"by": "ann"})[0] == 200
    status, said = ask(RESUME, {"by": "ann"})
    assert (status, said["code"]) == (409, "not_stopped")
