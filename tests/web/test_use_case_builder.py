"""A marketer makes a use case on a page: from nothing to running, with every mistake beside it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from opportune import project
from opportune.storage import Stores
from opportune.web.asking import Fields
from opportune.web.use_case_form import form_of, read_form

NEW = {
    "title": "Win back", "name": "win_back", "version": "0", "metric": "orders",
    "segments": "everybody", "control": "20", "connector": "braze",
    "config": (
        "base_url = http://127.0.0.1:8421\ncampaign_id = 8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
    ),
    "dimension-0-name": "offer", "dimension-0-meaning": "choice",
    "dimension-0-options": "none\nvoucher = 2.5\n",
    "dimension-1-name": "hour", "dimension-1-meaning": "hour", "dimension-1-options": "09\n18",
    "per_day": "100", "budget_unit": "EUR",
}  # fmt: skip


def plain(page: str) -> str:
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", page).split()))


@pytest.fixture
def told(apply: Callable[..., None], stores: Stores, history: ModuleType) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=50))


@pytest.mark.usefixtures("told")
def test_from_nothing_to_running_on_pages_alone(site: Any, stores: Stores) -> None:
    page = site.get("/new-use-case").text
    assert "nothing is sent until you start it" in page
    assert 'value="everybody"' in page
    said = plain(site.send("/new-use-case", "/use-cases/check", NEW).text)
    assert "4 combinations" in said
    assert "Everything fits together." in said
    assert sorted(project.read(stores.state).use_cases) == ["next_offer"]
    answer = site.send("/new-use-case", "/use-cases/save", NEW)
    assert (answer.status, answer.headers["location"]) == (303, "/use-cases/win_back/state")
    found = project.read(stores.state).use_case("win_back")
    assert (found.state, found.version, found.control_share) == ("draft", 1, 0.2)
    assert [each.cost for each in found.dimensions[0].options] == [0.0, 2.5]
    assert found.budget is not None
    assert (found.budget.per_day, found.budget.unit) == (100.0, "EUR")
    state = "/use-cases/win_back/state"
    assert "It is a draft: it decides nothing yet." in plain(site.get(state).text)
    site.send(state, state, {"to": "shadow"})
    site.send(state, state, {"to": "live"})
    assert project.read(stores.state).use_case("win_back").state == "live"


@pytest.mark.usefixtures("told")
def test_every_mistake_is_told_in_its_block_and_nothing_is_written(
    site: Any, stores: Stores
) -> None:
    wrong = {
        **NEW, "name": "Win back", "metric": "ordrs", "segments": "nobody", "control": "much",
        "per_day": "x", "dimension-1-options": "9",
    }  # fmt: skip
    answer = site.send("/new-use-case", "/use-cases/save", wrong)
    assert answer.status == 400
    said = plain(answer.text)
    for mistake in (
        "name: 'Win back' given.",
        "success_metric: no metric 'ordrs'.",
        "audience.segments: no segment 'nobody'.",
        "groups.control_share: 'much' given",
        "budget.per_day: 'x' given",
    ):
        assert mistake in said, said
    assert "things are to be put right before it can be saved." in said
    # What was typed is still there.
    assert 'value="much"' in answer.text
    assert sorted(project.read(stores.state).use_cases) == ["next_offer"]


@pytest.mark.usefixtures("told")
def test_what_the_form_does_not_show_stays_and_a_stale_save_is_refused(
    site: Any, stores: Stores, tmp_path: Path, history: ModuleType
) -> None:
    file = tmp_path / "project" / "use_cases" / "next_offer.toml"
    rule = '{ name = "sms", eligible = { trait = "sms", is = true } }'
    file.write_text(file.read_text().replace('{ name = "sms" }', rule))
    project.apply(stores.state, tmp_path / "project", now=history.NOW)
    before = project.body_of(stores.state, "next_offer")
    assert before is not None
    version, body = before
    page = site.get("/use-cases/next_offer/edit").text
    assert "has a rule" in page
    form = form_of("next_offer", version, body)
    fields = {
        "title": "Another title", "name": "next_offer", "version": str(version),
        "before": json.dumps(body), "metric": "orders", "segments": "everybody",
        "control": f"{body['groups']['control_share'] * 100:g}",
        "connector": "braze", "config": form.config,
    }  # fmt: skip
    for place, each in enumerate(form.dimensions):
        fields |= {f"dimension-{place}-{key}": value for key, value in each.items()}
    assert site.send("/use-cases/next_offer/edit", "/use-cases/save", fields).status == 303
    written = project.body_of(stores.state, "next_offer")
    assert written is not None
    assert written[0] == version + 1
    assert project.read(stores.state).use_case("next_offer").state == "live"
    for d, dimension in enumerate(body["dimensions"]):
        assert written[1]["dimensions"][d]["options"] == dimension["options"]
    assert written[1]["title"] == "Another title"
    stale = site.send("/use-cases/next_offer/edit", "/use-cases/save", fields)
    assert (stale.status, "Open it again" in stale.text) == (409, True)
    assert site.get("/use-cases/nobody/edit").status == 404


def test_what_is_no_definition_is_read_as_an_empty_one() -> None:
    form = read_form(Fields((("before", "[1"), ("version", "-"), ("per_day", "10"))))
    assert (form.version, form.body["dimensions"], form.body["budget"]) == (0, [], {"per_day": 10})
    assert read_form(Fields((("before", "[1]"),))).body["audience"] == {"segments": []}
