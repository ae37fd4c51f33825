"""Is a use case worth starting: exact numbers of a small past, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from opportune import rules, stats
from opportune.decisions import Constraints, Forbidden, Option, UseCase
from opportune.events import Metric
from opportune.reports import OptionReadiness, Readiness, readiness, to_document
from opportune.storage import Stores

NOW = datetime(2026, 3, 11, 6, tzinfo=UTC)
METRIC = Metric(
    name="orders", title="Orders", event="Bought", property=None, unit="orders", window_days=10
)
COUNT = 120
TakeIn = Callable[..., None]


def told(take_in: TakeIn) -> tuple[np.ndarray, np.ndarray]:
    """Profiles of whom every third bought lately, every fourth before, one three times."""
    before, later = np.zeros(COUNT), np.zeros(COUNT)
    frames: list[dict[str, Any]] = []
    for k in range(COUNT):
        at = NOW - timedelta(days=40)
        traits = {"plan": "plus" if k % 2 else "basic"}
        frames.append({"type": "identify", "timestamp": at.isoformat(), "userId": f"u{k}",
                       "messageId": f"i{k}", "traits": traits})  # fmt: skip
        later[k], before[k] = 3 * (k == 0) or k % 3 == 0, k % 4 == 0
        for days, times in ((4, int(later[k])), (14, int(before[k]))):
            at = NOW - timedelta(days=days)
            frames += (
                {"type": "track", "event": "Bought", "timestamp": at.isoformat(),
                 "userId": f"u{k}", "messageId": f"{k} {days} {n}", "properties": {}}
                for n in range(times)
            )  # fmt: skip
    take_in(*frames, received_at=NOW)
    return before, later


def in_audience(stores: Stores) -> None:
    stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at)"
        " select 'everybody', profile_id, now() from profile"
    )


@pytest.fixture
def past(stores: Stores, take_in: TakeIn) -> tuple[np.ndarray, np.ndarray]:
    found = told(take_in)
    in_audience(stores)
    return found


@pytest.fixture
def case(history: ModuleType) -> UseCase:
    made: UseCase = replace(history.use_case(), features=())
    return made


def ask(stores: Stores, case: UseCase, metric: Metric = METRIC, **given: Any) -> Readiness:
    return readiness(stores, case, metric, now=NOW, **given)


def test_the_past_is_that_of_the_window_before(
    stores: Stores, case: UseCase, past: tuple[np.ndarray, np.ndarray]
) -> None:
    before, later = past
    found = ask(stores, case)
    assert (found.audience, found.decided, found.held_back) == (COUNT, COUNT, ())
    assert found.earlier.rewarded == (later > 0).sum()
    assert found.earlier.mean == pytest.approx(later.mean())
    assert found.earlier.variance == pytest.approx(later.var(ddof=1))
    assert found.earlier.repeated == pytest.approx(np.corrcoef(before, later)[0, 1])
    assert found.earlier.last_seen_at is not None
    assert (found.earlier.since_at, found.earlier.until_at) == (NOW - timedelta(days=10), NOW)


def test_the_dates_are_those_of_the_outlook(
    stores: Stores, case: UseCase, past: tuple[np.ndarray, np.ndarray]
) -> None:
    before, later = past
    found = ask(stores, case, effects=(0.3, 0.9), within_days=200)
    windows, r = 20, np.corrcoef(before, later)[0, 1]
    outlook = stats.Outlook(
        mean=later.mean(),
        variance=later.var(ddof=1) * (1 + (windows - 1) * r),
        rewarded_share=(later > 0).mean(),
        control_share=0.2,
        units_a_day=COUNT / 10,
    )
    expected = stats.readiness(outlook, 0.9, within_days=200)
    wait = found.waits[1]
    assert wait.effect == 0.9
    assert wait.days == expected.waits["any_look"].days
    assert wait.days is not None
    assert wait.known_on == NOW.date() + timedelta(days=wait.days + 10)
    assert found.ready
    assert found.answer.startswith(f"Ready: a lift of +90.0 % is known by {wait.known_on} (")
    assert found.waits[0].known_on is None
    assert found.waits[0].reason.endswith("not within 200 days.")
    assert found.smallest_effect == expected.smallest_effect


@pytest.mark.usefixtures("past")
def test_an_option_counts_for_whom_an_allowed_combination_has_it(
    stores: Stores, case: UseCase
) -> None:
    plus = rules.parse({"trait": "plan", "is": "plus"}, where="rule")
    gold = rules.parse({"trait": "plan", "is": "gold"}, where="rule")
    offer, channel, hour = case.dimensions
    options = (*offer.options[:2], replace(offer.options[2], eligible=plus))
    options = (*options, Option(name="gold", eligible=gold))
    barred = Forbidden(options={"offer": ("tv_bundle",), "channel": ("sms",)}, when=None)
    changed = replace(
        case,
        dimensions=(replace(offer, options=options), channel, hour),
        constraints=Constraints(forbidden=(barred,)),
    )
    found = ask(stores, changed).options
    # Three combinations of offer and channel for half of them, five for the others; two hours.
    assert found[:6] == tuple(
        OptionReadiness(
            dimension=dimension,
            option=option,
            profiles=count,
            decisions_a_day=pytest.approx(60 * basic + 60 * plus_),
        )
        for dimension, option, count, basic, plus_ in (
            ("offer", "speed_upgrade", 120, 2 / 3, 2 / 5),
            ("offer", "tv_bundle", 120, 1 / 3, 1 / 5),
            ("offer", "no_offer", 60, 0, 2 / 5),
            ("offer", "gold", 0, 0, 0),
            ("channel", "email", 120, 2 / 3, 3 / 5),
            ("channel", "sms", 120, 1 / 3, 2 / 5),
        )
    )


@pytest.mark.usefixtures("past")
def test_who_may_get_nothing_is_counted_by_reason(stores: Stores, case: UseCase) -> None:
    plus = rules.parse({"trait": "plan", "is": "plus"}, where="rule")
    offer, *others = case.dimensions
    only = replace(offer, options=tuple(replace(each, eligible=plus) for each in offer.options))
    found = ask(stores, replace(case, dimensions=(only, *others)))
    assert [(each.reason, each.profiles) for each in found.held_back] == [("no_option", 60)]
    assert (found.audience, found.decided) == (120, 60)


def test_nobody_in_the_audience_is_refused(stores: Stores, case: UseCase, take_in: TakeIn) -> None:
    told(take_in)
    found = ask(stores, case)
    assert not found.ready
    assert [each.reason for each in found.refusals] == ["The audience has nobody."]
    assert found.answer == "Not ready: The audience has nobody. Widen the audience."


@pytest.mark.usefixtures("past")
def test_a_use_case_that_may_give_nobody_anything_is_refused(stores: Stores, case: UseCase) -> None:
    gold = rules.parse({"trait": "plan", "is": "gold"}, where="rule")
    offer, *others = case.dimensions
    only = replace(offer, options=tuple(replace(each, eligible=gold) for each in offer.options))
    found = ask(stores, replace(case, dimensions=(only, *others)))
    assert [each.reason for each in found.refusals] == [
        "Nobody of the audience may get any action (120: no option of a dimension is meant for "
        "them, or valid on the day)."
    ]


@pytest.mark.usefixtures("past")
def test_a_metric_that_was_never_seen_is_refused_with_the_nearest_name(
    stores: Stores, case: UseCase
) -> None:
    found = ask(stores, case, replace(METRIC, event="Bougth"))
    assert [each.reason for each in found.refusals] == [
        "No event 'Bougth' was ever seen. Did you mean 'Bought'? It was last seen "
        f"{NOW:%Y-%m-%d %H:%M} UTC."
    ]
    assert found.earlier.last_seen_at is None


@pytest.mark.usefixtures("past")
def test_a_metric_that_nobody_reached_lately_says_when_it_came_last(
    stores: Stores, case: UseCase
) -> None:
    found = ask(stores, case, replace(METRIC, window_days=2))
    assert [each.reason for each in found.refusals] == [
        "Nobody who may get anything brought orders in the 2 days before 2026-03-11; 'Bought' was "
        f"last seen {NOW:%Y-%m-%d %H:%M} UTC."
    ]
    amounts = ask(stores, case, replace(METRIC, property="revenue"))
    assert amounts.refusals[0].reason.startswith("Nobody who may get anything brought orders")


@pytest.mark.usefixtures("past")
def test_too_small_an_audience_is_refused_with_remedies(stores: Stores, case: UseCase) -> None:
    found = ask(stores, case)
    assert not found.ready
    assert found.refusals[0].reason.startswith("A lift of +20 %")
    assert [wait.days for wait in found.waits] == [None, None]
    document = to_document(found)
    assert document["as_of"] == "2026-03-11T06:00:00Z"
    assert document["ready"] is False
