"""Clients of Braze that other people wrote, unchanged, against the sandbox."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opportune.cli.serve import free_port
from opportune.sandbox import API_CAMPAIGN_ID, CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID

from .conftest import wait_for

CLIENTS = Path(__file__).parent / "braze"
KEY = "client-key"
Run = Callable[..., Any]
ASKED = {
    "CampaignListResponse": "/campaigns/list",
    "CampaignDetails": f"/campaigns/details?campaign_id={CAMPAIGN_ID}",
    "CampaignDataSeriesResponse": f"/campaigns/data_series?campaign_id={CAMPAIGN_ID}&length=2",
    "CanvasListResponse": "/canvas/list",
    "CanvasDetails": f"/canvas/details?canvas_id={CANVAS_ID}",
    "CanvasDataSeriesResponse": f"/canvas/data_series?canvas_id={CANVAS_ID}&length=2&BREAKDOWN",
    "CanvasDataSummaryResponse": f"/canvas/data_summary?canvas_id={CANVAS_ID}&length=2&BREAKDOWN",
    "SegmentListResponse": "/segments/list",
    "SegmentDetails": f"/segments/details?segment_id={SEGMENT_ID}",
    "SegmentDataSeriesResponse": f"/segments/data_series?segment_id={SEGMENT_ID}&length=2",
    "SendDataSeriesResponse": f"/sends/data_series?campaign_id={CAMPAIGN_ID}&send_id=s&length=2",
    "EmailTemplatesResponse": "/templates/email/list",
    "EmailTemplateInfo": "/templates/email/info?email_template_id=TEMPLATE",
    "ContentBlocksResponse": "/content_blocks/list",
    "ContentBlockInfo": "/content_blocks/info?content_block_id=BLOCK",
}
BREAKDOWN = (
    "ending_at=2026-01-02T00:00:00Z&include_variant_breakdown=true&include_step_breakdown=true"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A sandbox of its own process."""

    address: str

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, json.dumps(body))

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def _ask(self, method: str, path: str, body: str | None) -> Any:
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=10)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return "now" in self.get("/_sandbox/clock")
        except OSError:
            return False


@pytest.fixture
def served() -> Iterator[Served]:
    port = free_port("127.0.0.1", 0)
    command = [sys.executable, "-m", "opportune", "sandbox", "braze", "--port", str(port)]
    options = ["--customers", "50", "--start", "2026-01-01"]
    process = subprocess.Popen([*command, *options], env={**os.environ, "SANDBOX_API_KEY": KEY})
    try:
        started = Served(address=f"http://127.0.0.1:{port}")
        wait_for(started.answers)
        yield started
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def python(tmp_path: Path) -> Run:
    """Run a script of the folder in an environment that has its lock, and nothing else."""

    def run(name: str, *arguments: str, told: str = "") -> Any:
        home = tmp_path / name
        venv.create(home, with_pip=True)
        lock = CLIENTS / f"{name}.lock"
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        _done([str(home / "bin/python"), *install, "--ignore-requires-python", "-r", str(lock)])
        script = str(CLIENTS / f"{name}.py")
        return json.loads(_done([str(home / "bin/python"), script, *arguments], told))

    return run


def _done(command: list[str], told: str = "", folder: Path | None = None) -> str:
    done = subprocess.run(
        command, input=told, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.xdist_group("braze")
def test_the_node_client_drives_what_it_knows(served: Served, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed; install the packages 'nodejs' and 'npm'")
    folder = tmp_path / "node"
    shutil.copytree(CLIENTS, folder)
    _done(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], "", folder
    )
    ids = (CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID, API_CAMPAIGN_ID)
    answers = json.loads(_done(["node", "write.mjs", served.address, KEY, *ids], "", folder))
    wrong_key = answers.pop("wrong_key")
    assert wrong_key == {"status": 401, "message": "Invalid API key: wrong"}
    assert {answer["message"] for answer in answers.values()} == {"success"}
    assert len(answers) == 20
    found = {one["external_id"]: one for one in answers["export"]["users"]}
    assert found["c000001"]["custom_attributes"]["tier"] == "gold"
    assert "node-user" in found
    assert answers["delete"]["deleted"] == 1
    sent = served.get("/_sandbox/messages?user=c000001")["messages"]
    assert [(one["campaign_id"], one["canvas_id"]) for one in sent] == [
        (API_CAMPAIGN_ID, ""),
        ("", CANVAS_ID),
        (CAMPAIGN_ID, ""),
    ]
    assert sent[0]["content"]["body"] == "gold"


@pytest.mark.slow
@pytest.mark.xdist_group("braze")
def test_the_client_of_edx_sends_campaigns_canvases_and_emails(served: Served, python: Run) -> None:
    answers = python("edx", served.address, KEY, CAMPAIGN_ID, CANVAS_ID)
    assert answers["found"] == "c000001"
    assert [one["email"] for one in answers["unsubscribed"]] == ["c000002@customers.example"]
    assert answers["wrong_key"] == "BrazeUnauthorizedError"
    assert answers["wrong_campaign"] == "BrazeBadRequestError"
    sent = served.get("/_sandbox/messages")["messages"]
    assert {(one["external_user_id"], one["campaign_id"], one["canvas_id"]) for one in sent} == {
        ("77", CAMPAIGN_ID, ""),
        ("77", "", CANVAS_ID),
        ("c000001", "", ""),
    }


@pytest.mark.slow
@pytest.mark.xdist_group("braze")
def test_braze_client_tries_again_and_knows_how_long_to_wait(served: Served, python: Run) -> None:
    answers = python("classic", served.address, KEY, CAMPAIGN_ID)
    for name in ("track", "export", "schedule", "delete", "after_two_failures"):
        assert answers[name]["success"] is True
    assert answers["export"]["users"] == [{"external_id": "classic-1"}]
    assert answers["refused"][0].startswith("Valid data must be provided")
    assert answers["limited_until"] % 3600 == 0


@pytest.mark.slow
@pytest.mark.xdist_group("braze")
def test_the_models_that_braze_ships_parse_what_is_read(served: Served, python: Run) -> None:
    block = served.post("/content_blocks/create", {"name": "hero", "content": "<b>x</b>"})
    email = {"template_name": "n", "subject": "s", "body": "{{content_blocks.${hero}}}"}
    template = served.post("/templates/email/create", email)
    for channel in ("email", "push", "sms"):
        one = {"external_user_id": "c000001"}
        chosen = {"offer": "tv_bundle", "channel": channel, "hour": "09"}
        sent = {
            "campaign_id": CAMPAIGN_ID,
            "send_id": "s",
            "recipients": [{**one, "trigger_properties": chosen}],
        }
        assert served.post("/campaigns/trigger/send", sent)["message"] == "success"
        entered = {"canvas_id": CANVAS_ID, "recipients": [{**one, "context": chosen}]}
        assert served.post("/canvas/trigger/send", entered)["message"] == "success"
    lines = "\n".join(f"{model} {path}" for model, path in ASKED.items())
    told = lines.replace("BREAKDOWN", BREAKDOWN)
    told = told.replace("TEMPLATE", template["email_template_id"])
    told = told.replace("BLOCK", block["content_block_id"])
    answers = python("models", served.address, KEY, told=told)
    assert len(answers) == len(ASKED)
    assert all("message" in names for names in answers.values())
