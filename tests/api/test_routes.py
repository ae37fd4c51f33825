"""Opportune's own interface: what it answers, and how it says no."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, Protocol

import jsonschema
import pytest
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from opportune import errors, project, reports
from opportune.api import HANDLERS, STATUSES
from opportune.api.errors import status_of
from opportune.settings import Settings
from opportune.storage import QueryFailed, Stores, attach


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    def get(self, path: str, *, method: str = "GET") -> Answer: ...


@pytest.fixture
def told(apply: Callable[..., None], stores: Stores, history: ModuleType) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=200))


@pytest.mark.usefixtures("told")
def test_use_cases_are_listed_with_their_options(site: Site) -> None:
    answer = site.get("/api/use-cases")
    assert answer.status == 200
    (listed,) = json.loads(answer.text)["use_cases"]
    assert (listed["name"], listed["version"], listed["title"]) == ("next_offer", 1, "Next offer")
    assert (listed["success_metric"], listed["unit"]) == ("orders", "orders")
    assert listed["control_share"] == 0.2
    assert listed["dimensions"][1] == {"name": "channel", "options": ["email", "sms"]}


@pytest.mark.usefixtures("told")
def test_performance_is_as_its_schema_says(site: Site) -> None:
    document: dict[str, Any] = json.loads(site.get("/api/use-cases/next_offer/performance").text)
    assert document["as_of"] == "2026-01-11T06:00:00Z"
    assert (document["decided_days"], document["mature_days"]) == (10, 7)
    schema: dict[str, Any] = json.loads(site.get("/api/openapi.json").text)
    operation = schema["paths"]["/use-cases/{name}/performance"]["get"]
    shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(document, {**shape, "components": schema["components"]})
    assert schema["servers"] == [{"url": "/api"}]


@pytest.mark.usefixtures("told")
def test_delays_of_rewards_are_those_of_the_report(
    site: Site, stores: Stores, history: ModuleType
) -> None:
    answer = site.get("/api/use-cases/next_offer/delays")
    metric = project.read(stores.state).metrics["orders"]
    curve = reports.delay_curve(stores, history.use_case(), metric, now=history.NOW)
    assert (answer.status, json.loads(answer.text)) == (200, reports.to_document(curve))
    assert curve.rewarded > curve.least


@pytest.mark.usefixtures("told")
def test_a_profile_is_found_by_any_identifier(site: Site, stores: Stores) -> None:
    with stores.state.transaction() as connection:
        connection.execute(
            "insert into profile (profile_id, traits, first_seen_at, last_seen_at)"
            " values (9007199254740993, '{\"plan\": \"basic\"}', '2026-01-01Z', '2026-01-02Z')"
        )
        connection.execute(
            "insert into identifier (kind, value, profile_id, linked_at)"
            " values ('user_id', 'a/b', 9007199254740993, '2026-01-01Z')"
        )
    answer = site.get("/api/profiles/user_id/a/b")
    whole = json.loads(answer.text)
    shown = ("profile_id", "identifiers", "traits", "segments", "first_seen_at", "last_seen_at")
    assert {name: whole[name] for name in shown} == {
        "profile_id": "9007199254740993",
        "identifiers": [{"kind": "user_id", "value": "a/b", "linked_at": "2026-01-01T00:00:00Z"}],
        "traits": {"plan": "basic"},
        "segments": [],
        "first_seen_at": "2026-01-01T00:00:00Z",
        "last_seen_at": "2026-01-02T00:00:00Z",
    }


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/use-cases/next_ofer/performance", 404, "project_not_found"),
        ("GET", "/api/profiles/user_id/nobody", 404, "unknown_profile"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("DELETE", "/api/use-cases", 405, "method_not_allowed"),
    ],
)
def test_every_no_has_a_code_and_a_message(
    site: Site, method: str, path: str, status: int, code: str
) -> None:
    answer = site.get(path, method=method)
    body = json.loads(answer.text)
    assert (answer.status, body["code"], sorted(body)) == (status, code, ["code", "message"])
    assert body["message"]


def test_a_lost_database_is_503_and_says_when_to_try_again(
    settings: Settings, history: ModuleType, serve: Callable[..., Any]
) -> None:
    lost = attach(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    with serve(lost, clock=lambda: history.NOW) as site:
        answers = [site.get(path) for path in ("/api/use-cases", "/readyz", "/healthz")]
        figures = site.get("/metrics")
    lost.close()
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert [json.loads(answer.text)["code"] for answer in answers[:2]] == [
        "database_unavailable",
        "not_ready",
    ]
    assert answers[0].headers["retry-after"] == "5"
    assert json.loads(answers[1].text)["message"].startswith("Not reachable: database. ")
    assert 'opportune_up{part="database"} 0\n' in figures.text
    assert "opportune_outbox" not in figures.text


@pytest.mark.usefixtures("told")
def test_figures_are_in_the_text_format(site: Site, stores: Stores) -> None:
    stores.settings.log_folder.mkdir(parents=True)
    answer = site.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'opportune_up{part="database"} 1' in lines
    assert 'opportune_outbox{state="sent"} 7' in lines
    assert 'opportune_outbox{state="failed"} 2' in lines
    assert 'opportune_log_bytes_behind{reader="lake"} 0' in lines
    assert "# TYPE opportune_jobs gauge" in lines


def test_ready_means_database_and_lake(site: Site) -> None:
    answer = site.get("/readyz")
    assert (answer.status, json.loads(answer.text)) == (
        200,
        {"status": "ok", "database": "ok", "lake": "ok"},
    )


def test_every_family_has_one_status() -> None:
    families = {family for family in errors.OpportuneError.__subclasses__() if family in STATUSES}
    assert families == set(STATUSES)
    assert len(set(STATUSES.values())) == 6
    assert status_of(errors.Conflict("x")) == 409
    assert status_of(errors.OpportuneError("x")) == 500


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("secret"), 500, "defect"),
        (QueryFailed("select secret"), 500, "query_failed"),
        (
            RequestValidationError([{"loc": ("query", "day"), "input": "secret"}]),
            400,
            "invalid_input",
        ),
        (errors.Conflict("Somebody was faster."), 409, "conflict"),
    ],
    ids=["a bug", "a query of ours", "a wrong request", "a conflict"],
)
def test_no_error_shows_what_is_for_the_log_alone(error: Exception, status: int, code: str) -> None:
    handler = next(each for kind, each in HANDLERS.items() if isinstance(error, kind))
    answer = handler(Request({"type": "http"}), error)
    assert (answer.status_code, json.loads(answer.body)["code"]) == (status, code)
    assert b"secret" not in answer.body
