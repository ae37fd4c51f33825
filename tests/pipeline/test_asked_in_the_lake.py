"""What was decided on request is in the lake once, and counts like the day's decisions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mortal import Fate, Killed, mortal
from opportune import events, learning, pipeline, privacy, project, reports, worker
from opportune.decisions import hand_over_asked
from opportune.decisions.ask import KEPT_FOR
from opportune.decisions.asked import Answer, Question
from opportune.pipeline import decide_on_request
from opportune.privacy.export import export_person
from opportune.storage import Stores, load_sql

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
AFTER = datetime(2026, 3, 3, 6, tzinfo=UTC)
TakeIn = Callable[..., None]


def ask(stores: Stores, person: int, request: str, at: datetime = NOW) -> Answer:
    question = Question(
        use_case="next", kind="user_id", value=f"u{person}", request_id=request, traits={"age": 99}
    )
    return decide_on_request(stores, question, now=at)


def asked_rows(stores: Stores) -> dict[str, dict[str, Any]]:
    rows = [row for row in stores.lake.read("decisions").to_pylist() if is_asked(row)]
    assert len({row["decision_id"] for row in rows}) == len(rows)
    return {row["decision_id"]: row for row in rows}


def is_asked(row: dict[str, Any]) -> bool:
    return str(row["decision_id"]).count(":") == 3


def test_killed_anywhere_each_is_handed_over_once(shop: Stores) -> None:
    answers: list[Answer] = []
    at = died = 0
    while at >= 0:
        answers += [ask(shop, at, f"r{at}-{n}") for n in range(3)]
        fate = Fate(at=at)
        dying = mortal(shop, fate)
        try:
            hand_over_asked(dying, now=NOW)
            at = -1
        except Killed:
            died, at = died + 1, at + 1
        dying.state.close()
    assert died == 12
    hand_over_asked(shop, now=NOW)
    assert hand_over_asked(shop, now=NOW) == 0
    rows = asked_rows(shop)
    assert sorted(rows) == sorted(str(each.decision_id) for each in answers)
    features = {row["decision_id"]: row for row in shop.lake.read("asked_features").to_pylist()}
    assert sorted(features) == sorted(rows)
    for answer in answers:
        row = rows[str(answer.decision_id)]
        assert row["action"] == list((answer.action or {}).values())
        assert row["propensity"] == answer.propensity
        assert row["dimension_propensities"] == list(answer.dimension_propensities.values())
        assert (row["variant"], row["explored"]) == (answer.group, answer.explored)
        assert (row["day"], row["decided_at"], row["version"]) == (DAY, NOW, 1)
        assert row["eligible"] == [0b111 if answer.eligible_actions == 6 else 0b011, 0b11]
        assert features[str(answer.decision_id)]["values"][0] == 99


def test_what_the_lake_has_is_answered_for_a_week(shop: Stores) -> None:
    first = ask(shop, 1, "r")
    assert hand_over_asked(shop, now=NOW) == 1
    assert hand_over_asked(shop, now=NOW + KEPT_FOR) == 0
    assert ask(shop, 1, "r", NOW + KEPT_FOR) == first
    hand_over_asked(shop, now=NOW + KEPT_FOR + timedelta(seconds=1))
    assert shop.state.rows("select place from asked_decision") == []


def order(number: int, person: int, decision_id: str | None, at: datetime) -> dict[str, Any]:
    properties = {} if decision_id is None else {"decision_id": decision_id}
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"o{number}",
        "userId": f"u{person}",
        "timestamp": at.isoformat(),
        "properties": properties,
    }


def test_rewards_learning_and_lift_see_each_decision_once(shop: Stores, take_in: TakeIn) -> None:
    answers = [ask(shop, person, f"r{n}") for person in range(20) for n in range(2)]
    soon = NOW + timedelta(minutes=5)
    # An order that names a decision is its reward; one that names none is the newest one's.
    named = [order(n, n, answers[2 * n].decision_id, soon) for n in range(5)]
    unnamed = [order(n, n, None, soon) for n in range(20, 25)]
    take_in(*named, *unnamed, received_at=soon)
    definitions = project.read(shop.state)
    use_case = definitions.use_case("next")
    done = pipeline.run_day(shop, definitions, "next", AFTER.date(), now=AFTER)
    assert done.rewarded == [DAY]
    rewards = {row["decision_id"]: row for row in shop.lake.read("rewards").to_pylist()}
    assert len(rewards) == 40 + 40
    earned = {name for name, row in rewards.items() if row["reward"]}
    assert {str(answers[2 * n].decision_id) for n in range(5)} <= earned
    assert len(earned) == 10
    rows = asked_rows(shop)
    assert {rewards[name]["variant"] == rows[name]["variant"] for name in rows} == {True}
    metric = definitions.metric_of(use_case)
    lessons = shop.engine.query(
        load_sql("opportune.learning", "lessons"),
        {"use_case": "next", "versions": [1], "since": DAY.isoformat(), "until": DAY.isoformat()},
        tables=dict.fromkeys(("features", "asked_features", "decisions", "rewards")),
    ).to_pylist()
    treated = [name for name, row in rewards.items() if row["variant"] == "treatment"]
    assert len(lessons) == len(treated)
    assert sum(each["values"][0] == 99 for each in lessons) == sum(name in rows for name in treated)
    assert sum(each["reward"] for each in lessons) == sum(name in earned for name in treated)
    report = reports.performance(shop, use_case, metric, now=AFTER)
    both = (report.treatment, report.control)
    assert sum(each.profiles for each in both) == 40
    assert sum(each.reward_sum for each in both) == 10
    of_day = next(each for each in report.days if each.day == DAY)
    assert of_day.treatment.decisions + of_day.control.decisions == 80
    assert learning.newest(shop, use_case, metric, DAY) is not None


def test_who_asks_carries_it_out_nothing_is_sent(shop: Stores) -> None:
    before = shop.state.rows("select key from outbox order by key")
    answers = [ask(shop, person, "r") for person in range(10)]
    assert {answer.group for answer in answers} == {"control", "treatment"}
    hand_over_asked(shop, now=NOW)
    pipeline.run_day(shop, project.read(shop.state), "next", DAY, now=NOW)
    assert shop.state.rows("select key from outbox order by key") == before


def test_a_person_is_forgotten_with_what_was_asked(shop: Stores) -> None:
    answer = ask(shop, 7, "r")
    hand_over_asked(shop, now=NOW)
    found = export_person(shop, "user_id", "u7", now=NOW)
    assert [row["decision_id"] for row in found["decisions"] if is_asked(row)] == [
        answer.decision_id
    ]
    assert [row["values"][0] for row in found["features"]] == [27, 99]
    assert "asked_decision" in found["state"]
    asked = privacy.Asked(request_id="p", mode="erase", by="desk", now=NOW)
    privacy.ask(shop.state, "user_id", "u7", asked)
    kept = privacy.kept_fields(project.read(shop.state))
    with closing(pipeline.Ingest(shop, {"batch": events.decode_segment})) as intake:
        assert privacy.carry_out(shop, intake, kept=kept, secret="s" * 64, now=NOW) == ["p"]
    assert asked_rows(shop) == {}
    assert shop.lake.read("asked_features").num_rows == 0
    assert shop.state.rows("select place from asked_decision") == []


def test_a_worker_hands_them_over(shop: Stores, until: Callable[..., None]) -> None:
    answer = ask(shop, 1, "r")
    stop = threading.Event()
    working = threading.Thread(
        target=worker.run, args=(shop,), kwargs={"clock": lambda: NOW, "stop": stop}
    )
    working.start()
    try:
        until(
            lambda: (
                shop.state.rows("select place from asked_decision where kept_at is not null") != []
            )
        )
    finally:
        stop.set()
        working.join()
    assert list(asked_rows(shop)) == [answer.decision_id]
