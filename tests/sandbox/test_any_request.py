"""Whatever the contract allows to be asked, and much it does not, is answered as it says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from opportune.sandbox import API_CAMPAIGN_ID, CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID

CONTRACT = Path(__file__).parents[2] / "../shared/reference/braze-openapi.yaml"
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
KNOWN = {
    "campaign_id": (CAMPAIGN_ID, API_CAMPAIGN_ID),
    "canvas_id": (CANVAS_ID,),
    "segment_id": (SEGMENT_ID,),
    "schedule": ({"time": "2030-01-01T09:00:00Z"},),
    "external_ids": (["c000001", "c000002"],),
    "external_user_ids": (["c000001", "c000002"],),
}


def contract() -> dict[str, Any]:
    if not CONTRACT.exists():
        pytest.skip(f"the Braze contract is not beside this repository ({CONTRACT.name})")
    loaded: dict[str, Any] = yaml.safe_load(CONTRACT.read_text())
    return loaded


def acquaint(case: Any, turn: int) -> None:
    """Every other call names what there is, so that it gets past the question who is meant."""
    for given_parts in (case.body, case.query):
        if isinstance(given_parts, dict):
            given_parts.pop("callback_endpoint", None)  # nobody is called who did not ask
            if turn % 2:
                for name in set(KNOWN) & set(given_parts):
                    given_parts[name] = KNOWN[name][turn // 2 % len(KNOWN[name])]


def ask(client: Any, examples: int) -> dict[str, set[int]]:
    """Ask every operation that often; the statuses that each answered."""
    loaded = schemathesis.openapi.from_dict(contract())
    found = [one.ok() for one in loaded.get_all_operations()]
    return {f"{one.method.upper()} {one.path}": statuses(client, one, examples) for one in found}


def statuses(client: Any, operation: Any, examples: int) -> set[int]:
    seen: set[int] = set()
    turns = itertools.count()

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def asked(case: Any) -> None:
        acquaint(case, next(turns))
        headers = {"Host": client.name, "Authorization": f"Bearer {client.key}"}
        response = case.call(base_url=f"http://127.0.0.1:{client.port}", headers=headers)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    asked()
    return seen


def test_every_operation_of_the_contract_answers_as_it_says(start: Any) -> None:
    client = start(customers=20, limits={"send ids": (10_000, 60), "broadcast": (10_000, 60)})
    seen = ask(client, examples=2)
    assert len(seen) == 37
    assert all(statuses <= {200, 201, 400, 429} for statuses in seen.values()), seen


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_operation_answers_as_it_says_for_long(start: Any) -> None:
    client = start(
        customers=20,
        requests_per_hour=10**6,
        limits={
            "send ids": (10_000, 60),
            "broadcast": (10_000, 60),
            "broadcast audience": (10_000, 60),
        },
    )
    seen = ask(client, examples=60)
    assert len(seen) == 37
    refused_always = [name for name, statuses in seen.items() if not statuses & {200, 201}]
    assert set(refused_always) <= {  # those that need what an earlier call made
        "POST /messages/schedule/delete",
        "POST /campaigns/trigger/schedule/delete",
        "POST /canvas/trigger/schedule/delete",
        "POST /templates/email/update",
        "GET /templates/email/info",
        "POST /content_blocks/update",
        "GET /content_blocks/info",
    }, seen
