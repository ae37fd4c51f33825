"""What a use case may do: change it at any moment, and nothing is sent that should not be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opportune import activation, decisions, pipeline, project, reports
from opportune.activation.send import _reserve
from opportune.decisions import InvalidState, NotOnRequest, Question, UseCaseNotDeciding
from opportune.pipeline import DayDone, OnRequest, decide_on_request
from opportune.storage import Stores

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
NEXT = timedelta(days=1)
Define = Callable[..., None]
TakeIn = Callable[..., None]


def change(stores: Stores, to: str, *, at: datetime = NOW) -> bool:
    return pipeline.change_state(stores, "next", to, by="ann", now=at)


def run(stores: Stores, place: int = 0) -> DayDone:
    definitions = project.read(stores.state)
    day, now = DAY + timedelta(days=place), NOW + timedelta(days=place)
    return pipeline.run_day(stores, definitions, "next", day, now=now)


def logged(stores: Stores) -> list[dict[str, Any]]:
    return stores.lake.read("decisions").to_pylist()


def waiting(stores: Stores) -> dict[tuple[str, str | None], int]:
    rows = stores.state.rows("select state, reason, count(*) as n from outbox group by 1, 2")
    return {(row["state"], row["reason"]): row["n"] for row in rows}


def report(stores: Stores, place: int) -> reports.Performance:
    definitions = project.read(stores.state)
    use_case = definitions.use_case("next")
    metric = definitions.metric_of(use_case)
    return reports.performance(stores, use_case, metric, now=NOW + timedelta(days=place))


def bought(take_in: TakeIn, at: str, *people: int) -> None:
    take_in(
        *(
            {"type": "track", "event": "Order Completed", "messageId": f"o{at}{n}",
             "userId": f"u{n}", "timestamp": at}
            for n in people
        )
    )  # fmt: skip


@pytest.mark.usefixtures("customers")
def test_a_day_in_shadow_is_decided_and_logged_and_nothing_is_sent(
    stores: Stores, take_in: TakeIn
) -> None:
    assert change(stores, "shadow")
    done = run(stores)
    assert (done.decided, done.enqueued, done.state) == (True, 0, "shadow")
    rows = logged(stores)
    assert len(rows) == 40
    assert {(row["variant"], row["due_at"], row["cost"]) for row in rows} == {("shadow", None, 0.0)}
    assert all(0 < row["propensity"] <= 1 for row in rows)
    assert all(0 < row["expected"] < 1 for row in rows)
    steps = stores.state.rows("select step, seconds from day_step order by place")
    timed = ["audience", "reward", "train", "snapshot", "decide", "hand over", "sum up"]
    assert sorted(each["step"] for each in steps) == sorted(timed)
    assert all(each["seconds"] >= 0 for each in steps)
    assert waiting(stores) == {}
    # Twice is once, also when it was started meanwhile: a day stays what it was decided as.
    assert change(stores, "live")
    again = run(stores)
    assert (again.decided, again.enqueued) == (False, 0)
    assert logged(stores) == rows
    assert stores.state.rows("select step, seconds from day_step order by place") == steps
    # What people do then is earned by nothing that was sent.
    bought(take_in, "2026-03-01T12:00:00Z", 1, 2, 3)
    run(stores, 1)
    assert run(stores, 2).rewarded == [DAY + NEXT]
    assert {row["variant"] for row in stores.lake.read("rewards").to_pylist()} == {
        "control",
        "treatment",
    }
    found = report(stores, 2)
    assert (found.decided_days, found.mature_days, found.state) == (2, 1, "live")
    assert found.shadow == reports.Shadow(days=1, decisions=40, last_day=DAY)
    assert {each.day for each in found.days} == {DAY + NEXT, DAY + 2 * NEXT}


def test_what_was_sent_keeps_its_credit_beside_a_later_day_in_shadow(
    shop: Stores, take_in: TakeIn, tmp_path: Path
) -> None:
    file = tmp_path / "project" / "metrics" / "orders.toml"
    file.write_text(file.read_text().replace("window_days = 1", "window_days = 3"))
    project.apply(shop.state, tmp_path / "project", now=NOW)
    change(shop, "shadow")
    assert run(shop, 1).rewarded == []
    bought(take_in, "2026-03-02T12:00:00Z", 1)
    assert run(shop, 5).rewarded == [DAY]
    (row,) = [row for row in shop.lake.read("rewards").to_pylist() if row["reward"]]
    assert (row["day"], row["reward"]) == (DAY, 1.0)


@pytest.mark.usefixtures("customers")
def test_a_draft_and_a_paused_one_decide_nothing(stores: Stores) -> None:
    for state in ("draft", "paused"):
        assert change(stores, state)
        done = run(stores)
        assert (done.decided, done.enqueued, done.state) == (False, 0, state)
        question = Question(use_case="next", kind="user_id", value="u1", request_id="r")
        with pytest.raises(UseCaseNotDeciding, match="opportune start next"):
            decide_on_request(stores, question, now=NOW)
    assert logged(stores) == []
    assert change(stores, "live")
    assert run(stores).decided


def test_rewards_go_on_while_it_is_paused(shop: Stores, take_in: TakeIn) -> None:
    change(shop, "paused")
    bought(take_in, "2026-03-01T12:00:00Z", 1)
    assert run(shop, 1).rewarded == [DAY]
    assert run(shop, 1).rewarded == []


def reserved(stores: Stores, at: datetime) -> int:
    use_case = project.read(stores.state).use_case("next")
    channel = activation.Channel(
        name="next",
        connector=activation.connectors.connector("braze"),
        config=use_case.activation.config,
        call=lambda _: pytest.fail("nobody is called"),
        settle_s=0,
    )
    claims, _ = _reserve(stores.state, channel, at)
    return len(claims)


def test_what_waits_is_held_and_goes_on_within_the_hour(shop: Stores) -> None:
    count = waiting(shop)[("pending", None)]
    assert change(shop, "paused", at=NOW)
    assert reserved(shop, NOW) == 0
    assert change(shop, "live", at=NOW + timedelta(minutes=50))
    assert waiting(shop) == {("pending", None): count}
    assert reserved(shop, NOW + timedelta(minutes=50)) == count


def test_what_was_held_for_longer_is_not_sent_any_more(shop: Stores) -> None:
    count = waiting(shop)[("pending", None)]
    change(shop, "shadow", at=NOW)
    assert activation.cancel_held(shop.state, ["other"], now=NOW + NEXT) == 0
    late = NOW + timedelta(hours=1, seconds=1)
    assert change(shop, "live", at=late)
    assert waiting(shop) == {("failed", "use_case_paused"): count}
    assert (reserved(shop, late), run(shop).enqueued) == (0, 0)


def test_what_is_live_is_late_and_still_sent(shop: Stores) -> None:
    count = waiting(shop)[("pending", None)]
    assert not change(shop, "live", at=NOW + 2 * NEXT)
    assert reserved(shop, NOW + 2 * NEXT) == count


def test_on_request_shadow_is_told_and_counts_as_no_contact(shop: Stores) -> None:
    asking = OnRequest(shop)
    try:
        question = Question(use_case="next", kind="user_id", value="u1", request_id="a")
        first = asyncio.run(asking.ask(question, now=NOW))
        assert first.group in ("control", "treatment")
        change(shop, "shadow")
        later = NOW + timedelta(seconds=11)
        asked = replace(question, request_id="b")
        second = asyncio.run(asking.ask(asked, now=later))
        assert (second.group, second.action is None) == ("shadow", False)
    finally:
        asking.close()
    decisions.hand_over_asked(shop, now=later)
    rows = {row["decision_id"]: row for row in logged(shop)}
    assert rows[str(first.decision_id)]["due_at"] == NOW
    row = rows[str(second.decision_id)]
    assert (row["variant"], row["due_at"], row["cost"]) == ("shadow", None, None)


def test_a_change_is_kept_with_who_and_when_and_makes_no_version(shop: Stores) -> None:
    version = project.read(shop.state).use_case("next").version
    assert change(shop, "paused")
    assert not change(shop, "paused", at=NOW + NEXT)
    assert change(shop, "live", at=NOW + NEXT)
    with pytest.raises(InvalidState, match="'gone' given"):
        change(shop, "gone")
    told = decisions.state_changes(shop.state, "next")
    assert [(each.state, each.changed_at, each.changed_by) for each in told] == [
        ("live", NOW + NEXT, "ann"),
        ("paused", NOW, "ann"),
    ]
    assert project.read(shop.state).use_case("next").version == version


def test_a_definition_says_its_state_once(stores: Stores, define: Define, tmp_path: Path) -> None:
    reader = project.Reader(stores.state)

    def states() -> set[str]:
        found = {each.read().use_case("next").state for each in (reader,)}
        return found | {project.read(stores.state).use_case("next").state}

    shadow = {'success_metric = "orders"': 'success_metric = "orders"\nstate = "shadow"'}
    define(shadow)
    assert states() == {"shadow"}
    assert change(stores, "live")
    # The same folder again takes nothing back.
    assert project.apply(stores.state, tmp_path / "project", now=NOW) == []
    assert states() == {"live"}
    paused = {'success_metric = "orders"': 'success_metric = "orders"\nstate = "paused"'}
    define(paused)
    assert states() == {"paused"}
    assert project.read(stores.state).use_case("next").version == 1
    assert decisions.state_changes(stores.state, "next")[0].changed_by == "definition"
    # A folder that does not say it leaves it.
    define()
    assert states() == {"paused"}
    file = tmp_path / "project" / "use_cases" / "next.toml"
    file.write_text('state = "gone"\n' + file.read_text())
    with pytest.raises(Exception, match="state: 'gone' given, must be one of draft, shadow"):
        project.apply(stores.state, tmp_path / "project", now=NOW)


@pytest.mark.usefixtures("customers")
def test_in_the_a_a_mode_nobody_is_treated(stores: Stores, tmp_path: Path) -> None:
    file = tmp_path / "project" / "use_cases" / "next.toml"
    file.write_text(file.read_text().replace("[groups]", "[groups]\naa = true"))
    project.apply(stores.state, tmp_path / "project", now=NOW)
    done = run(stores)
    assert (done.decided, done.enqueued, waiting(stores)) == (True, 0, {})
    assert {(row["variant"], row["cost"]) for row in logged(stores)} == {
        ("control", 0.0),
        ("treatment", 0.0),
    }
    question = Question(use_case="next", kind="user_id", value="u1", request_id="r")
    with pytest.raises(NotOnRequest, match=r"A/A mode: nobody is treated"):
        decide_on_request(stores, question, now=NOW)
