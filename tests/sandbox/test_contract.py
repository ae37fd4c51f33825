"""What the sandbox takes and answers fits the OpenAPI contract of the Braze endpoints it offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from opportune.sandbox import CAMPAIGN_ID

CONTRACT = Path(__file__).parents[2] / "../shared/reference/braze-openapi.yaml"

ONE = {"external_user_id": "c000001"}
SEND = {
    "campaign_id": CAMPAIGN_ID,
    "broadcast": False,
    "recipients": [
        {**ONE, "trigger_properties": {"offer": "tv_bundle", "decision_id": "d-1"}},
        {"email": "c000002@customers.example", "prioritization": ["identified"]},
    ],
}
EVENT = {"external_id": "c000001", "name": "seen", "time": "2026-01-01T08:00:00Z"}


@pytest.fixture(scope="session")
def contract() -> dict[str, Any]:
    if not CONTRACT.exists():
        pytest.skip(f"the Braze contract is not beside this repository ({CONTRACT.name})")
    loaded: dict[str, Any] = yaml.safe_load(CONTRACT.read_text())
    return loaded


@pytest.fixture
def fits(contract: dict[str, Any]) -> Callable[[dict[str, Any], Any], None]:
    def check(schema: dict[str, Any], value: Any) -> None:
        whole = {**schema, "components": contract["components"]}
        jsonschema_rs.validator_for(whole).validate(value)

    return check


def response_schema(contract: dict[str, Any], operation: dict[str, Any], status: int) -> Any:
    response = operation["responses"].get(str(status), operation["responses"]["default"])
    while "$ref" in response:
        name = response["$ref"].rpartition("/")[2]
        response = contract["components"]["responses"][name]
    return response["content"]["application/json"]["schema"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/campaigns/trigger/send", SEND, 201),
        ("/campaigns/trigger/send", {"campaign_id": CAMPAIGN_ID, "broadcast": True}, 201),
        ("/users/export/ids", {"external_ids": ["c000001", "gone", 3]}, 201),
        (
            "/users/export/ids",
            {"external_ids": ["c000001"], "fields_to_export": ["campaigns_received"]},
            201,
        ),
        ("/users/track", {"attributes": [{"external_id": "c000001", "a": 1}], "events": []}, 201),
        ("/users/track", {"events": [EVENT]}, 201),
    ],
)
def test_a_request_of_the_contract_is_accepted_and_answered_as_it_says(
    client: Any, contract: dict[str, Any], fits: Any, path: str, body: Any, status: int
) -> None:
    operation = contract["paths"][path]["post"]
    fits(operation["requestBody"]["content"]["application/json"]["schema"], body)
    client.send(ONE)
    answer = client.post(path, body)
    assert answer.status == status
    fits(response_schema(contract, operation, status), answer.json)
    for name in operation["responses"][str(status)].get("headers", {}):
        assert answer.headers[name.lower()]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/campaigns/trigger/send", {"campaign_id": CAMPAIGN_ID}),
        ("/campaigns/trigger/send", {"recipients": [ONE]}),
        ("/campaigns/trigger/send", {**SEND, "broadcast": True}),
        ("/campaigns/trigger/send", {**SEND, "recipients": [ONE] * 51}),
        ("/campaigns/trigger/send", {**SEND, "recipients": [{**ONE, "braze_id": "b"}]}),
        ("/campaigns/trigger/send", {**SEND, "recipients": [{"email": "a@b.example"}]}),
        ("/campaigns/trigger/send", {**SEND, "trigger_properties": [1]}),
        ("/campaigns/trigger/send", {**SEND, "send_id": "x" * 65}),
        ("/users/export/ids", {"external_ids": ["c"] * 51}),
        ("/users/export/ids", {"fields_to_export": ["email"]}),
        ("/users/export/ids", {"external_ids": ["c"], "fields_to_export": ["shoe_size"]}),
        ("/users/track", {"events": [{"external_id": "c000001"}]}),
    ],
)
def test_a_request_outside_the_contract_is_refused_as_it_says(
    client: Any, contract: dict[str, Any], fits: Any, path: str, body: Any
) -> None:
    operation = contract["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    with pytest.raises(jsonschema_rs.ValidationError):
        fits(schema, body)
    answer = client.post(path, body)
    assert answer.status == 400
    fits(response_schema(contract, operation, 400), answer.json)


@pytest.mark.parametrize(
    "path",
    ["/campaigns/list", "/campaigns/list?page=9", f"/campaigns/details?campaign_id={CAMPAIGN_ID}"],
)
def test_the_catalogue_answers_as_the_contract_says(
    client: Any, contract: dict[str, Any], fits: Any, path: str
) -> None:
    operation = contract["paths"][path.partition("?")[0]]["get"]
    answer = client.get(path)
    assert answer.status == 200
    fits(response_schema(contract, operation, 200), answer.json)


def test_what_customers_do_is_posted_as_currents_batches(
    start: Any, contract: dict[str, Any], fits: Any, collector: Any
) -> None:
    client = start(events_url=collector.url)
    for channel in ("email", "push", "sms"):
        numbers = range(1, 51) if channel == "email" else range(51, 101)
        chosen = {"offer": "tv_bundle", "channel": channel, "hour": "09", "decision_id": "d"}
        client.send(
            *({"external_user_id": f"c{n:06d}", "trigger_properties": chosen} for n in numbers)
        )
    assert client.post("/_sandbox/react", {"day": "2026-01-01"}).status == 200
    bodies = collector.bodies("/api/connectors/braze/currents")
    assert bodies
    for body in bodies:
        fits({"$ref": "#/components/schemas/CurrentsBatch"}, body)
