"""Deciding for one profile over HTTP: all reasons, the same request the same answer."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from opportune import pipeline, project
from opportune.decisions import variants
from opportune.profiles import get
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]
PEOPLE = 12


@pytest.fixture(autouse=True)
def decided(
    stores: Stores, apply: Callable[..., None], take_in: Callable[..., None], history: ModuleType
) -> None:
    apply({"next_offer": "Next offer"})
    told = {"type": "identify", "timestamp": history.NOW.isoformat()}
    take_in(
        *(
            {**told, "userId": f"c{n}", "messageId": f"{n}", "traits": {"tenure_months": n}}
            for n in range(PEOPLE)
        ),
        received_at=history.NOW,
    )
    definitions = project.read(stores.state)
    pipeline.run_day(stores, definitions, "next_offer", history.NOW.date(), now=history.NOW)


def question(person: str, **changes: Any) -> dict[str, Any]:
    profile = {"kind": "user_id", "value": person}
    return {"use_case": "next_offer", "profile": profile, **changes}


def by_group(stores: Stores) -> dict[str, str]:
    """One person of each group."""
    use_case = project.read(stores.state).use_case("next_offer")
    ids = {f"c{n}": get(stores.state, "user_id", f"c{n}").profile_id for n in range(PEOPLE)}
    groups = variants(use_case, np.array(list(ids.values()))).tolist()
    return {group: person for person, group in zip(ids, groups, strict=True)}


def test_an_answer_says_what_and_why_and_is_kept(ask: Ask, stores: Stores) -> None:
    person = by_group(stores)["treatment"]
    status, found = ask("/api/decide", question(person, request_id="cart-7"))
    assert status == 200
    assert set(found["action"]) == {"offer", "channel", "hour"}
    assert (found["group"], found["dry_run"], found["eligible_actions"]) == ("treatment", False, 12)
    assert (found["policy"], found["policy_version"]) == (
        "factored_thompson",
        "next_offer/1/2026-01-11",
    )
    assert 0 < found["propensity"] <= min(found["dimension_propensities"].values()) <= 1
    assert found["decision_id"].startswith("next_offer:20260111:")
    assert "cart-7" not in str(stores.state.rows("select * from asked_decision"))
    again = ask("/api/decide", question(person, request_id="cart-7", traits={"tenure_months": 1}))
    assert again == (200, found)
    _, other = ask("/api/decide", question(person))
    assert other["decision_id"] != found["decision_id"]
    _, metrics = ask("/metrics")
    assert 'opportune_decisions_on_request_total{outcome="treatment"} 3\n' in metrics


def test_control_is_business_as_usual(ask: Ask, stores: Stores) -> None:
    person = by_group(stores)["control"]
    _, found = ask("/api/decide", question(person, request_id="r"))
    assert (found["group"], found["action"], found["propensity"]) == ("control", None, None)
    assert (found["candidates"], found["dimension_propensities"]) == ([], {})
    _, shown = ask("/api/decide", question(person, request_id="r", show_control=True))
    assert shown["decision_id"] == found["decision_id"]
    assert set(shown["action"]) == {"offer", "channel", "hour"}


def test_a_dry_run_keeps_nothing(ask: Ask, stores: Stores) -> None:
    found = [ask("/api/decide", question("c1", dry_run=True))[1] for _ in range(2)]
    assert found[0] == found[1]
    assert found[0]["decision_id"] is None
    assert stores.state.rows("select place from asked_decision") == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (question("c1", use_case="next_ofer"), 404, "project_not_found"),
        (question("nobody"), 404, "unknown_profile"),
        (question("c1", profile={"kind": "user_id"}), 400, "invalid_question"),
        (question("c1", request_id=""), 400, "invalid_question"),
        (question("c1", extra=1), 400, "invalid_question"),
        (question("c1", traits={str(n): n for n in range(201)}), 400, "invalid_question"),
        ([], 400, "invalid_question"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_kept(
    ask: Ask, stores: Stores, body: object, status: int, code: str
) -> None:
    found = ask("/api/decide", body)
    assert (found[0], found[1]["code"]) == (status, code)
    assert stores.state.rows("select place from asked_decision") == []
