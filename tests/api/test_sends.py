"""Over HTTP and at the console: sends that need a person are listed, and decided about."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.cli.app import app
from opportune.settings import Settings, as_variables
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]
Typed = Callable[..., str]


@pytest.fixture
def troubled(apply: Callable[..., None], stores: Stores) -> None:
    """Of a use case one send that was not answered, one that failed, one that was refused."""
    apply({"next_offer": "Next offer"})
    for number, (state, reason) in enumerate(
        [("unknown", "reset"), ("failed", "Braze said no."), ("failed", "no_consent")]
    ):
        stores.state.rows(
            "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
            " due_at, state, reason, attempts, attempted_at) values (%(key)s, 'next_offer',"
            " '2026-03-01', 'braze', 1, 'u', '{}', '2026-03-01', %(state)s, %(reason)s, 1,"
            " '2026-03-01')",
            {"key": f"k{number}", "state": state, "reason": reason},
        )


@pytest.fixture
def typed(settings: Settings) -> Typed:
    def type_in(*words: str) -> str:
        return CliRunner().invoke(app, ["sends", *words], env=as_variables(settings)).output

    return type_in


@pytest.mark.usefixtures("troubled")
def test_sends_are_listed_and_decided_about(ask: Ask, stores: Stores, typed: Typed) -> None:
    status, page = ask("/api/sends?limit=2")
    assert (status, [each["decision_id"] for each in page["sends"]]) == (200, ["k2", "k1"])
    _, rest = ask(f"/api/sends?use_case=next_offer&before={page['next_before']}")
    assert (rest["sends"][0]["reason"], rest["next_before"]) == ("reset", None)
    body = {"decision_ids": ["k0", "k1", "k2"], "choice": "send_again", "by": "ann"}
    assert ask("/api/sends/resolve", body) == (200, {"decision_ids": ["k0", "k1"]})
    (left, waits) = ask("/api/sends")[1]["sends"]
    assert (left["decision_id"], waits["choice"], waits["chosen_by"]) == ("k2", "send_again", "ann")
    assert typed("list", "--state", "unknown").endswith("k0 unknown (Send again, soon). reset\n")
    assert json.loads(typed("list", "--use-case", "next_offer", "--json"))[0]["key"] == "k2"
    assert typed("resolve", "k0", "kx", "--as", "give-up") == "Give up: 1 of 2\n"
    stores.state.rows("delete from outbox")
    assert typed("list") == "No send is ambiguous, and none has failed.\n"


@pytest.mark.usefixtures("troubled")
def test_what_cannot_be_decided_is_told(ask: Ask) -> None:
    def answer(*keys: str, choice: str) -> tuple[int, str]:
        status, said = ask("/api/sends/resolve", {"decision_ids": list(keys), "choice": choice})
        return status, said["code"]

    assert answer("k0", choice="forget_it") == (400, "invalid_choice")
    assert answer("k1", "k9", choice="went_out") == (404, "unknown_send")
    assert ask("/api/sends?use_case=nothing")[0] == 404
