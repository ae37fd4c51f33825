"""A marketer makes a use case on a page: from nothing to running, with every mistake beside it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from opportune import project
from opportune.storage import Stores
from opportune.web.asking import Fields
from opportune.web.use_case_form import field_of, form_of, read_form

NOW = datetime(2026, 1, 11, tzinfo=UTC)
NEW = {
    "title": "Win back", "name": "win_back", "version": "0", "metric": "orders",
    "segments": "everybody", "control": "20", "connector": "braze",
    "config": (
        "base_url = http://127.0.0.1:8421\ncampaign_id = 8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
    ),
    "features": "tenure_months\nplan: basic, plus",
    "dimension-0-name": "offer", "dimension-0-meaning": "choice",
    "dimension-0-option-0-name": "none", "dimension-0-option-1-name": "voucher",
    "dimension-0-option-1-cost": "2.5", "dimension-0-option-1-cost_due": "rewarded",
    "dimension-0-option-1-trait": "plan", "dimension-0-option-1-operator": "one_of",
    "dimension-0-option-1-value": "basic, plus",
    "dimension-1-name": "hour", "dimension-1-meaning": "hour",
    "dimension-1-option-0-name": "09", "dimension-1-option-1-name": "18",
    "forbidden": "offer = voucher, hour = 18", "quiet-from": "21:00", "quiet-to": "08:00",
    "cooldown-0-days": "30", "cooldown-0-dimension": "offer", "cooldown-0-options": "voucher",
    "rail-0-metric": "orders", "rail-0-limit": "5", "rail-0-direction": "at_most",
    "per_day": "100", "budget_unit": "EUR", "random": "5", "exploration": "2",
}  # fmt: skip


class Form(HTMLParser):
    """Every field of the builder's form as a browser would send it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._inside = False
        self._area = self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {key: value or "" for key, value in attrs}
        if tag == "form":
            self._inside = told.get("id") == "builder"
        if not self._inside:
            return
        name = told.get("name", "")
        if tag == "input" and (told.get("type") != "checkbox" or "checked" in told):
            self.fields.append((name, told.get("value", "")))
        if tag == "textarea":
            self._area = name
            self.fields.append((name, ""))
        if tag == "select":
            self._select = name
        if tag == "option":
            is_first = self._select not in dict(self.fields)
            self._chosen = self._select if "selected" in told or is_first else ""
            if self._chosen:
                self.fields.append((self._chosen, told.get("value", "\0")))

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields.append((self._area, data))
        elif self.fields and self.fields[-1][1] == "\0":
            self.fields.append((self.fields[-1][0], data))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        if tag == "select":
            self._select = ""
        if tag == "form":
            self._inside = False


def sent_by(page: str) -> Fields:
    """What a browser sends of the builder as it stands there."""
    last: dict[str, str] = {}
    several: list[tuple[str, str]] = []
    for name, value in Form(page).fields:
        if name in ("segments", "minus"):
            several.append((name, value))
        else:
            last[name] = value
    return Fields((*last.items(), *several))


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
    assert "3 combinations of 4: 1 excluded for everybody." in said
    assert "Not ready: The audience has nobody." in said
    assert "Everything fits together." in said
    assert sorted(project.read(stores.state).use_cases) == ["next_offer"]
    answer = site.send("/new-use-case", "/use-cases/save", NEW)
    assert (answer.status, answer.headers["location"]) == (303, "/use-cases/win_back/state")
    found = project.read(stores.state).use_case("win_back")
    assert (found.state, found.version, found.control_share) == ("draft", 1, 0.2)
    assert [each.cost for each in found.dimensions[0].options] == [0.0, 2.5]
    assert found.budget is not None
    assert (found.budget.per_day, found.budget.unit) == (100.0, "EUR")
    assert (found.random_share, found.exploration_min) == (0.05, 0.02)
    assert [each.trait for each in found.features] == ["tenure_months", "plan"]
    assert found.constraints.quiet_hours is not None
    assert found.constraints.cooldowns[0].options == ("voucher",)
    assert (found.guard_rails[0].metric, found.guard_rails[0].limit) == ("orders", 5.0)
    assert found.dimensions[0].options[1].eligible is not None
    again = read_form(sent_by(site.get("/use-cases/win_back/edit").text))
    written = project.body_of(stores.state, "win_back")
    assert written is not None
    assert (again.version, again.body, again.before) == (1, written[1], ())
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
        "per_day": "x", "dimension-1-option-0-name": "9",
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
    fields = {**sent_by(page).flat(), "title": "Another title"}
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


@pytest.mark.usefixtures("told")
def test_a_template_fills_in_the_builder_and_nothing_of_it_is_lost(
    site: Any, stores: Stores
) -> None:
    for each in project.templates():
        body = project.template_body(each.name)
        page = site.get(f"/new-use-case?template={each.name}").text
        form = read_form(sent_by(page))
        assert form.before == (), each.name
        assert form.body == body, each.name
    moved = site.send("/new-use-case", "/use-cases/from-template", {"template": "winback"})
    assert moved.headers["location"] == "/new-use-case?template=winback"
    assert "former-subscribers" in project.read(stores.state).segments
    page = site.get("/new-use-case?template=winback").text
    fields = sent_by(page)
    assert read_form(fields).body == project.template_body("winback")
    saved = site.send("/new-use-case", "/use-cases/save", {**fields.flat(), "then": "shadow"})
    assert saved.headers["location"] == "/use-cases/winback/state"
    assert project.read(stores.state).use_case("winback").state == "shadow"
    assert project.add_template(stores.state, "winback", now=NOW) == []
    assert site.send("/new-use-case", "/use-cases/from-template", {"template": "x"}).status == 404


@pytest.mark.usefixtures("told")
def test_a_change_is_taken_back_and_an_older_version_comes_again(site: Any, stores: Stores) -> None:
    address = "/use-cases/next_offer/edit"
    fields = sent_by(site.get(address).text).flat()
    cap = {"cap-0-sends": "3", "cap-0-days": "7", "cap-0-across": "1"}
    page = site.send(address, "/use-cases/check", {**fields, "title": "Second", **cap}).text
    changed = sent_by(page).flat()
    assert changed["title"] == "Second"
    assert {name: changed[name] for name in cap} == cap
    said = "Nobody gets more than 3 sends in any 7 days, of all use cases together."
    assert said in plain(page)
    undone = site.send(address, "/use-cases/check", {**changed, "act": "undo"}).text
    assert sent_by(undone).flat()["title"] == "Next offer"
    assert site.send(address, "/use-cases/save", changed).status == 303
    page = site.get(address).text
    assert 'title: "Next offer" → "Second"' in plain(page)
    assert f"{address}?version=1" in page
    older = sent_by(site.get(f"{address}?version=1").text).flat()
    assert (older["title"], older["version"]) == ("Next offer", "2")
    assert site.send(address, "/use-cases/save", older).status == 303
    written = project.body_of(stores.state, "next_offer")
    assert written is not None
    assert (written[0], written[1]["title"]) == (3, "Next offer")


def test_ten_people_are_shown_and_the_log_is_asked(
    site: Any, stores: Stores, apply: Callable[..., None], shop: ModuleType, history: ModuleType
) -> None:
    shop.send(stores, shop.messages(people=12))
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=300))
    fields = {**sent_by(site.get("/use-cases/next_offer/edit").text).flat(), "segments": "grown"}
    rule = {"trait": "age", "at_least": 20}
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at) "
        "values ('segment', 'grown', 1, %(body)s::jsonb, now())",
        {"body": json.dumps({"rule": rule})},
    )
    said = plain(site.send("/use-cases/next_offer/edit", "/use-cases/check", fields).text)
    assert "0 of 12 people are left without any option." in said
    said = plain(site.send("/use-cases/next_offer/edit", "/use-cases/check", fields).text)
    assert "What 10 people of the audience would get now" in said
    asked = {**fields, "act": "simulate"}
    said = plain(site.send("/use-cases/next_offer/edit", "/use-cases/check", asked).text)
    assert "No policy of the days in the log is kept any more." in said
    other = {**asked, "name": "other", "version": "0", "dimension-0-name": "another"}
    said = plain(site.send("/new-use-case", "/use-cases/check", other).text)
    assert "there is no history to simulate on" in said
    alike = {**asked, "name": "other", "version": "0"}
    said = plain(site.send("/new-use-case", "/use-cases/check", alike).text)
    assert "the log of next_offer was asked" in said


def test_what_is_no_definition_is_read_as_an_empty_one() -> None:
    form = read_form(Fields((("before", "[1"), ("version", "-"), ("per_day", "10"))))
    assert (form.version, form.body["dimensions"], form.body["budget"]) == (0, [], {"per_day": 10})
    assert read_form(Fields((("before", "[1]"),))).body["audience"] == {"segments": []}


def test_messages_of_several_lines_stand_in_one_and_stay_what_they_are() -> None:
    messages = '[web_push]\nalert = "Take {{api_trigger_properties.${offer}}}"\n'
    given = {"connector": "braze", "base_url": "http://127.0.0.1:8421", "messages": messages}
    shown = form_of("next", 1, {"activation": given}).texts["config"]
    assert len(shown.splitlines()) == 2
    assert (
        read_form(Fields([("connector", "braze"), ("config", shown)])).body["activation"] == given
    )
    odd = 'messages = "never ended'
    body = read_form(Fields([("connector", "braze"), ("config", odd)])).body
    assert body["activation"] == {"connector": "braze", "messages": '"never ended'}


def test_a_champion_is_an_action_or_a_policy_whose_settings_stay() -> None:
    def groups(before: dict[str, Any], **typed: str) -> dict[str, Any]:
        said = json.dumps({"groups": before})
        fields = (
            ("before", said),
            *((name.replace("_", "-"), each) for name, each in typed.items()),
        )
        form = read_form(Fields(fields))
        again = form.champion
        found: dict[str, Any] = form.body["groups"]
        return {**found, "shown": again}

    action = groups({}, champion="10", champion_action="offer = tv, channel = sms")
    assert action == {
        "champion_share": 0.1,
        "champion": {"offer": "tv", "channel": "sms"},
        "shown": {"action": "offer = tv, channel = sms", "policy": "", "stays": False},
    }
    known = {"champion_policy": {"name": "epsilon_greedy", "epsilon": 0.2}}
    stays = groups(known, champion_policy="epsilon_greedy", champion_stays="1", champion="5")
    assert stays == {
        "champion_share": 0.05,
        "champion_policy": {"name": "epsilon_greedy", "epsilon": 0.2},
        "champion_learns": False,
        "shown": {"action": "", "policy": "epsilon_greedy", "stays": True},
    }
    other = groups(known, champion_policy="uniform", champion="5")
    assert other["champion_policy"] == {"name": "uniform"}
    assert groups(known)["shown"] == {"action": "", "policy": "", "stays": False}


def test_caps_on_sends_are_rows_of_the_form() -> None:
    caps = [{"sends": 3, "days": 7}, {"sends": 5, "days": 30, "across": True}]
    before = {"constraints": {"cap": caps, "quiet_hours": {"from": "21:00", "to": "08:00"}}}
    shown = form_of("next", 1, before).caps
    assert shown == [*caps, {}]
    fields = [("before", json.dumps(before)), ("quiet-from", "21:00"), ("quiet-to", "08:00")]
    for place, each in enumerate(shown):
        fields += [(f"cap-{place}-{key}", str(value)) for key, value in each.items()]
    assert read_form(Fields(tuple(fields))).body["constraints"] == before["constraints"]
    typed = Fields((("cap-0-sends", "many"), ("cap-1-days", "7")))
    assert read_form(typed).body["constraints"] == {"cap": [{"sends": "many"}]}
    assert field_of("use_cases/a.toml: constraints.cap[0].days: missing") == "caps"
