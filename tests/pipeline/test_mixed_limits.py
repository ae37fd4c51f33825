"""Days and questions in any order keep every limit at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from opportune import decisions, pipeline, project
from opportune.decisions import Answer, BeingDecided, DecidedMeanwhile, NoOption, Question, TooSoon
from opportune.pipeline import OnRequest
from opportune.storage import Stores

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, PEOPLE = 10, 40
PER_DAY, TOTAL = 3.0, 18.0
OFFER_REST, ACTION_REST = 2, 4
LAST = '{ name = "sms" }]'
LIMITS = f"""
[[dimensions]]
name = "cadence"
meaning = "frequency"
options = [{{ name = "rare", days = 3 }}, {{ name = "daily", days = 1 }}]
[[constraints.forbidden]]
options = {{ offer = "tv", channel = "sms" }}
when = {{ trait = "plan", is = "plus" }}
[[constraints.cooldown]]
dimension = "offer"
days = {OFFER_REST}
[[constraints.cooldown]]
days = {ACTION_REST}
[budget]
per_day = {PER_DAY}
total = {TOTAL}
"""
COSTS = {"tv": 0.5, "sim": 0.25, "fiber": 0.0}
MAY_REFUSE = (NoOption, TooSoon, BeingDecided, DecidedMeanwhile)
Row = Mapping[str, Any]


def asked_at_once(asking: OnRequest, questions: Sequence[Question], at: datetime) -> list[object]:
    async def every() -> list[object]:
        waiting = [asking.ask(each, now=at) for each in questions]
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)

    return asyncio.run(every())


def played(stores: Stores, seed: int) -> list[Row]:
    """Ten days of runs and of bursts of questions in an order of chance; the decision log."""
    chance = np.random.default_rng(seed)
    definitions = project.read(stores.state)
    asking = OnRequest(stores)
    said: list[object] = []
    for n in range(DAYS):
        # Of some days the run is late, of some there is none, and some are run twice.
        runs = sorted(chance.choice(24, size=chance.choice([0, 1, 1, 1, 2]), replace=False))
        bursts = sorted(chance.choice(24, size=int(chance.integers(1, 6)), replace=False))
        for hour in sorted({*runs, *bursts}):
            at = START + timedelta(days=n, hours=int(hour))
            if hour in bursts:
                people = chance.integers(0, PEOPLE, int(chance.integers(1, 24))).tolist()
                questions = [
                    Question(
                        use_case="next",
                        kind="user_id",
                        value=f"u{person}",
                        request_id=f"{n}:{hour}:{place}",
                    )
                    for place, person in enumerate(people)
                ]
                said += asked_at_once(asking, questions, at)
            if hour in runs:
                pipeline.run_day(stores, definitions, "next", at.date(), now=at)
    asking.close()
    assert {type(each) for each in said} <= {Answer, *MAY_REFUSE, decisions.NotStarted}
    assert sum(isinstance(each, Answer) for each in said) > 30
    decisions.hand_over_asked(stores, now=START + timedelta(days=DAYS))
    rows: list[Row] = stores.lake.read("decisions").to_pylist()
    on_request = [row for row in rows if row["decision_id"].count(":") == 3]
    assert 30 < len(on_request) < len(rows)
    return sorted(rows, key=lambda row: row["decided_at"])


def assert_rested(mine: Sequence[Row]) -> None:
    """No cadence, offer or action came again too soon."""
    for place, row in enumerate(mine):
        day, (offer, *_, cadence) = row["day"], row["action"]
        for earlier in mine[:place]:
            apart = (day - earlier["day"]).days
            assert apart >= {"rare": 3, "daily": 1}[earlier["action"][-1]], (earlier, row)
            assert apart >= OFFER_REST or earlier["action"][0] != offer, (earlier, row)
            assert apart >= ACTION_REST or earlier["action"] != row["action"], (earlier, row)
        assert cadence in {"rare", "daily"}


@pytest.mark.slow
@pytest.mark.usefixtures("customers")
@pytest.mark.parametrize("seed", range(4))
def test_days_and_questions_in_any_order_keep_every_limit(
    stores: Stores, define: Callable[..., None], seed: int
) -> None:
    define(
        {
            '{ name = "tv" }': '{ name = "tv", cost = 0.5 }',
            '{ name = "sim" }': '{ name = "sim", cost = 0.25 }',
            LAST: LAST + LIMITS,
        }
    )
    rows = played(stores, seed)
    people: dict[str, list[Row]] = defaultdict(list)
    spent: dict[date, float] = defaultdict(float)
    for row in rows:
        offer, channel, _ = row["action"]
        person = int(row["user_id"][1:])
        people[row["user_id"]].append(row)
        assert 0 < row["propensity"] <= 1
        assert offer != "fiber" or person % 3 == 0
        assert (offer, channel) != ("tv", "sms") or person % 3 != 1
        if row["variant"] != "control":
            assert row["cost"] == COSTS[offer]
            spent[row["day"]] += row["cost"]
    for mine in people.values():
        assert_rested(mine)
    assert max(spent.values()) <= PER_DAY
    # It was near enough to both to be held back by them.
    assert max(spent.values()) > 0.8 * PER_DAY
    assert sum(spent.values()) <= TOTAL
