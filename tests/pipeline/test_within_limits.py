"""Deciding on request within cool-downs, a cadence and a budget, beside the day's run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from opportune import decisions, pipeline, project
from opportune.decisions import Answer, BeingDecided, NoOption, Question, TooSoon
from opportune.errors import OpportuneError
from opportune.pipeline import OnRequest, decide_on_request
from opportune.storage import Stores

MORNING = datetime(2026, 3, 1, 6, tzinfo=UTC)
NOW = MORNING + timedelta(hours=3)
DAY = timedelta(days=1)
COOLDOWN = '\n[[constraints.cooldown]]\ndimension = "offer"\ndays = 3\n'
WHOLE = "\n[[constraints.cooldown]]\ndays = 3\n"
CADENCE = """
[[dimensions]]
name = "cadence"
meaning = "frequency"
options = [{ name = "weekly", days = 7 }, { name = "daily", days = 1 }]
"""
COSTS = {
    '{ name = "tv" }': '{ name = "tv", cost = 0.5, cost_due = "rewarded" }',
    '{ name = "sim" }': '{ name = "sim", cost = 0.25 }',
}
LAST = '{ name = "sms" }]'
Define = Callable[..., None]


def question(person: int = 0, request: str = "r", **more: Any) -> Question:
    given = {"use_case": "next", "kind": "user_id", "value": f"u{person}", "request_id": request}
    return Question(**(given | more))


def ask(
    stores: Stores, person: int = 0, request: str = "r", *, at: datetime = NOW, **more: Any
) -> Answer:
    return decide_on_request(stores, question(person, request, **more), now=at)


def run(stores: Stores, at: datetime = MORNING) -> pipeline.DayDone:
    return pipeline.run_day(stores, project.read(stores.state), "next", at.date(), now=at)


def logged(stores: Stores) -> list[dict[str, Any]]:
    """The decision log, in the order of time."""
    decisions.hand_over_asked(stores, now=NOW)
    rows: list[dict[str, Any]] = stores.lake.read("decisions").to_pylist()
    return sorted(rows, key=lambda row: row["decided_at"])


def offers(stores: Stores) -> dict[str, list[tuple[date, str]]]:
    """What everybody was decided to get, in the order of time."""
    found: dict[str, list[tuple[date, str]]] = {}
    for row in logged(stores):
        found.setdefault(row["user_id"], []).append((row["day"], row["action"][0]))
    return found


def at_once(
    asking: OnRequest, questions: Sequence[Question], *, at: datetime = NOW
) -> list[Answer | BaseException]:
    async def every() -> list[Answer | BaseException]:
        waiting = [asking.ask(each, now=at) for each in questions]
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)

    return asyncio.run(every())


def in_threads(stores: Stores, questions: Sequence[Question], workers: int) -> list[object]:
    def told(each: Question) -> object:
        try:
            return decide_on_request(stores, each, now=NOW)
        except OpportuneError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(told, questions))


@pytest.mark.usefixtures("customers")
def test_a_cool_down_holds_between_the_day_and_who_asks_in_either_order(
    stores: Stores, define: Define
) -> None:
    define({LAST: LAST + COOLDOWN})
    run(stores)
    asking = OnRequest(stores)
    # Six questions in the same moment for one person: three offers, one of which it had.
    found = at_once(asking, [question(3, f"q{n}") for n in range(6)])
    answers = [each for each in found if isinstance(each, Answer)]
    assert len(answers) == 2
    assert {type(each) for each in found} - {Answer} == {NoOption}
    mine = offers(stores)["u3"]
    assert len(mine) == len({offer for _, offer in mine}) == 3
    barred = [each.because for answer in answers for each in answer.excluded]
    assert "cool-down: the profile had it too lately" in barred
    at_once(asking, [question(person, "b") for person in range(6, 12)])
    run(stores, MORNING + DAY)
    run(stores, MORNING + 2 * DAY)
    # What was made ready before those days does not break them.
    at_once(asking, [question(person, "c") for person in range(6, 20)], at=NOW + 2 * DAY)
    asking.close()
    for had in offers(stores).values():
        for place, (day, offer) in enumerate(had):
            near = [each for before, each in had[:place] if day - before < 3 * DAY]
            assert offer not in near
    # On the fourth day the first day's offer may come again.
    last = ask(stores, 3, "d", at=NOW + 3 * DAY)
    assert last.eligible_actions > 0


@pytest.mark.usefixtures("customers")
def test_the_days_run_knows_what_was_asked_for_a_moment_before(
    stores: Stores, define: Define
) -> None:
    define({LAST: LAST + COOLDOWN + WHOLE})
    run(stores)
    tomorrow = MORNING + DAY
    asking = OnRequest(stores)
    asked = at_once(
        asking,
        [question(n) for n in range(0, 39, 3)],
        at=tomorrow - timedelta(seconds=1),
    )
    asking.close()
    assert len({answer.group for answer in asked if isinstance(answer, Answer)}) == 2
    run(stores, tomorrow)
    found = offers(stores)
    for n in range(0, 39, 3):
        had = [offer for _, offer in found[f"u{n}"]]
        assert len(had) == len(set(had)) == 3


@pytest.mark.usefixtures("customers")
def test_the_cadence_that_was_asked_for_governs_the_next_send(
    stores: Stores, define: Define
) -> None:
    define({LAST: LAST + CADENCE})
    run(stores, MORNING - 9 * DAY)
    asking = OnRequest(stores)
    for expected, request in ((Answer, "r"), (TooSoon, "again"), (Answer, "r")):
        found = at_once(asking, [question(n, request) for n in range(12)])
        assert {type(each) for each in found} == {expected}
    asking.close()
    run(stores, MORNING + DAY)
    rows = logged(stores)
    told = {row["user_id"]: row["action"][2] for row in rows if row["day"] == NOW.date()}
    again = {row["user_id"] for row in rows if row["day"] == (MORNING + DAY).date()}
    assert {name for name, cadence in told.items() if cadence == "weekly"}.isdisjoint(again)
    assert {name for name, cadence in told.items() if cadence == "daily"} <= again
    assert set(told.values()) == {"weekly", "daily"}


def ledger(stores: Stores) -> tuple[int, int, int]:
    """What is kept and held, and what all answers cost, in millionths."""
    (row,) = stores.state.rows("select kept, held from on_request")
    (found,) = stores.state.rows(
        "select coalesce(sum(cost), 0)::bigint as cost from asked_decision"
    )
    return row["kept"], row["held"], found["cost"]


def spent(stores: Stores, at: datetime) -> float:
    """What all that was sent on a day may cost."""
    return sum(
        (row["cost"] or 0) + (row["cost_rewarded"] or 0)
        for row in logged(stores)
        if row["day"] == at.date() and row["variant"] != "control"
    )


@pytest.mark.usefixtures("customers")
def test_a_budget_is_never_exceeded_by_many_who_ask_at_once_nor_by_the_day(
    stores: Stores, define: Define
) -> None:
    # All is due when it is sent: what may cost something later could be free again.
    costs = {name: text.replace(', cost_due = "rewarded"', "") for name, text in COSTS.items()}
    define({**costs, LAST: LAST + "\n[budget]\nper_day = 2.0\ntotal = 5.0\n"})
    run(stores, MORNING - DAY)
    assert 0 < spent(stores, MORNING - DAY) <= 2
    assert ask(stores, 1, "", dry_run=True).decision_id is None
    assert ledger(stores) == (0, 0, 0)
    questions = [question(n, f"r{m}") for m in range(3) for n in range(40)]
    asking = OnRequest(stores)
    with ThreadPoolExecutor(1) as beside:
        served = beside.submit(at_once, asking, questions[:80])
        found = [*in_threads(stores, questions[80:], 3), *served.result()]
    answers = [each for each in found if isinstance(each, Answer)]
    # Fiber costs nothing, and is left for some.
    assert 20 < len(answers) < 120
    assert {type(each) for each in found} == {Answer, NoOption}
    kept, held, cost = ledger(stores)
    assert (kept, held) == (cost, 0)
    assert 1_000_000 < kept <= 2_000_000
    barred = {each.because for answer in answers for each in answer.excluded}
    assert "its cost did not fit into what was left of the budget" in barred
    # The day's run gives out what is left of its day, and of the total, and no more.
    run(stores)
    assert kept / 1e6 <= spent(stores, MORNING) <= 2
    for later in (DAY, 2 * DAY):
        run(stores, MORNING + later)
        more = [question(n, f"s{later.days}") for n in range(40)]
        at_once(asking, more, at=NOW + later)
    asking.close()
    days = [spent(stores, MORNING + n * DAY) for n in (-1, 0, 1, 2)]
    assert max(days) <= 2
    assert 4.5 < sum(days) <= 5


@pytest.mark.usefixtures("customers")
def test_a_decision_within_limits_is_explained_by_what_was_left_for_it(
    stores: Stores, define: Define
) -> None:
    define({**COSTS, LAST: LAST + "\n[budget]\nper_day = 6.0\n" + COOLDOWN})
    run(stores)
    tomorrow = NOW + DAY
    ids = [ask(stores, n, f"e{m}", at=tomorrow).decision_id for n in (3, 6, 9) for m in (1, 2)]
    rows = {row["decision_id"]: row for row in logged(stores)}
    definitions = project.read(stores.state)
    for decision_id in ids:
        found = pipeline.explain(stores, definitions, str(decision_id), now=tomorrow)
        assert found.propensity == pytest.approx(rows[decision_id]["propensity"], rel=1e-12)
        assert any("cool-down" in each.because for each in found.excluded)


@pytest.mark.usefixtures("customers")
def test_while_a_day_is_being_decided_nothing_is_decided_on_request(
    stores: Stores, define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    define({LAST: LAST + COOLDOWN})
    run(stores, MORNING - DAY)
    refused: list[object] = []
    asking = OnRequest(stores)
    assert isinstance(at_once(asking, [question(6)], at=NOW - DAY)[0], Answer)
    decide = decisions.decide_beside

    def killed(given: Stores, *rest: Any, **named: Any) -> bool:
        refused.extend(in_threads(given, [question(9)], 1))
        refused.extend(at_once(asking, [question(9)]))
        decide(given, *rest, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(decisions, "decide_beside", killed)
        with pytest.raises(KeyboardInterrupt):
            run(stores)
    refused.extend(in_threads(stores, [question(9)], 1))
    assert [type(each) for each in refused] == [BeingDecided] * 3
    run(stores)
    asking.close()
    assert ask(stores, 9).eligible_actions > 0
    before = stores.state.rows("select * from on_request")
    run(stores)
    assert stores.state.rows("select * from on_request") == before


@pytest.mark.usefixtures("customers")
def test_in_shadow_nothing_is_a_contact_and_nothing_costs(stores: Stores, define: Define) -> None:
    define({**COSTS, LAST: LAST + COOLDOWN + "\n[budget]\nper_day = 0.5\n"})
    run(stores)
    decisions.change_state(stores.state, "next", "shadow", by="test", now=NOW)
    offered = [ask(stores, 3, f"h{n}", at=NOW + DAY) for n in range(4)]
    assert {answer.group for answer in offered} == {"shadow"}
    assert ledger(stores) == (0, 0, 0)
    assert [each.excluded for each in offered] == [offered[0].excluded] * 4
    plain = replace(
        project.read(stores.state).use_case("next"),
        budget=None,
        constraints=decisions.Constraints(),
    )
    assert decisions.limits_of(stores, plain, NOW.date()) is None
