"""What a profile had is remembered, in control too, and whatever becomes of its number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from opportune import policies, profiles
from opportune.decisions import (
    BeingDecided,
    Cap,
    Constraints,
    Cooldown,
    Dimension,
    Option,
    UseCase,
    alone,
    decide,
    held_back,
    snapshot,
)
from opportune.storage import Stores

DAY = date(2026, 3, 1)
People = Callable[..., None]
Make = Callable[..., UseCase]
PACE = Dimension(
    name="pace",
    meaning="frequency",
    options=(
        Option(name="slow", eligible=None, days=3),
        Option(name="fast", eligible=None, days=1),
    ),
)
OFFER = Dimension(
    name="offer",
    meaning="choice",
    options=(
        Option(name="tea", eligible=None),
        Option(name="cake", eligible=None),
        Option(name="none", eligible=None, nothing=True),
    ),
)


def play(stores: Stores, case: UseCase, day: int, action: tuple[str, ...]) -> dict[int, Any]:
    """Decide the n-th day; everybody who may get ``action`` does. Returns the decided rows."""
    on = DAY + timedelta(days=day)
    now = datetime.combine(on, time(6), tzinfo=UTC)
    snapshot(stores, case, on, profiles.snapshot(stores.state))
    policy = policies.Fixed(case.space, action)
    decide(stores, case, on, policy=policy, policy_version="p", now=now)
    rows = stores.lake.read("decisions").to_pylist()
    return {row["profile_id"]: row for row in rows if row["day"] == on}


@pytest.fixture
def cooled(use_case: Make) -> UseCase:
    rule = Cooldown(dimension="offer", options=("tea",), days=3)
    return use_case(
        features=(), dimensions=(OFFER,), constraints=Constraints(cooldowns=(rule,)),
        control_share=0.5,
    )  # fmt: skip


def test_a_cool_down_ends_after_its_days_in_control_as_in_treatment(
    stores: Stores, people: People, cooled: UseCase
) -> None:
    people(range(20))
    offered = [
        {row["action"][0] for row in play(stores, cooled, n, ("tea",)).values()} for n in range(5)
    ]
    assert offered == [{"tea"}, {"cake"}, {"cake"}, {"tea"}, {"cake"}]
    variants = {row["variant"] for row in stores.lake.read("decisions").to_pylist()}
    assert variants == {"control", "treatment"}


def test_a_profile_that_got_another_number_had_what_it_had(
    stores: Stores, people: People, cooled: UseCase
) -> None:
    people([1, 2])
    play(stores, cooled, 0, ("tea",))
    for statement in (
        "update profile set profile_id = 3 where profile_id = 1",
        "update segment_membership set profile_id = 3 where profile_id = 1",
    ):
        stores.state.rows("alter table identifier disable trigger all")
        stores.state.rows(statement)
        stores.state.rows("update identifier set profile_id = 3 where profile_id = 1")
    assert {p: row["action"] for p, row in play(stores, cooled, 1, ("tea",)).items()} == {
        2: ["cake"],
        3: ["cake"],
    }


def test_the_cadence_of_the_last_send_governs_the_next(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(10))
    case = use_case(features=(), dimensions=(OFFER, PACE), control_share=0.5)
    decided = [len(play(stores, case, n, ("tea", "slow"))) for n in range(4)]
    assert decided == [10, 0, 0, 10]
    assert held_back(stores, case, DAY + timedelta(days=1)) == {"frequency": 10}
    decided = [len(play(stores, case, n, ("tea", "fast"))) for n in range(6, 9)]
    assert decided == [10, 10, 10]


def test_what_sends_nothing_starts_no_cadence_and_no_cool_down(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(4))
    rule = Cooldown(dimension=None, options=(), days=9)
    case = use_case(
        features=(), dimensions=(OFFER, PACE), constraints=Constraints(cooldowns=(rule,))
    )
    for day in range(3):
        rows = play(stores, case, day, ("none", "slow")).values()
        assert {tuple(row["action"]) for row in rows} == {("none", "slow")}
        assert {row["due_at"] for row in rows} == {None}


def test_a_cap_lets_so_many_sends_pass_in_any_so_many_days_and_no_more(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(10))
    caps = Constraints(caps=(Cap(sends=2, days=4),))
    case = use_case(features=(), dimensions=(OFFER,), control_share=0.5, constraints=caps)
    decided = [len(play(stores, case, n, ("tea",))) for n in range(7)]
    assert decided == [10, 10, 0, 0, 10, 10, 0]
    assert held_back(stores, case, DAY + timedelta(days=2)) == {"cap": 10}
    # What sends nothing uses up nothing of it.
    quiet = use_case(
        name="quiet", features=(), dimensions=(OFFER,), constraints=caps, control_share=0.5
    )
    assert [len(play(stores, quiet, n, ("none",))) for n in range(3)] == [10, 10, 10]


def test_a_cap_across_use_cases_counts_what_all_of_them_sent(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(10))
    other = use_case(name="other", features=(), dimensions=(OFFER,), control_share=0.0)
    play(stores, other, 0, ("tea",))
    play(stores, other, 1, ("tea",))
    across = Constraints(caps=(Cap(sends=3, days=7), Cap(sends=3, days=7, across=True)))
    case = use_case(features=(), dimensions=(OFFER,), control_share=0.0, constraints=across)
    play(stores, case, 1, ("tea",))
    assert len(play(stores, case, 2, ("tea",))) == 0
    assert held_back(stores, case, DAY + timedelta(days=2)) == {"cap": 10}
    own = use_case(
        name="own", features=(), dimensions=(OFFER,), control_share=0.0,
        constraints=Constraints(caps=(Cap(sends=3, days=7),)),
    )  # fmt: skip
    assert len(play(stores, own, 2, ("tea",))) == 10


ONE_ACROSS = Constraints(caps=(Cap(sends=1, days=7, across=True),))
NOW = datetime.combine(DAY, time(6), tzinfo=UTC)


def test_use_cases_with_a_cap_across_are_decided_one_after_another_whoever_runs_them(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(10))
    first, second = (
        use_case(name=name, features=(), dimensions=(OFFER,), constraints=ONE_ACROSS)
        for name in ("first", "second")
    )
    counts: list[int] = []

    def run_second() -> None:
        with alone(stores, second, DAY, now=NOW):
            counts.append(len(play(stores, second, 0, ("tea",))))

    other = threading.Thread(target=run_second)
    with alone(stores, first, DAY, now=NOW):
        snapshot(stores, first, DAY, profiles.snapshot(stores.state))
        # Now it has counted what everybody had.
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert len(play(stores, first, 0, ("tea",))) == 10
    other.join(30)
    # All ten are of the first one.
    assert counts == [10]
    assert {row["use_case"] for row in stores.lake.read("decisions").to_pylist()} == {"first"}
    assert held_back(stores, second, DAY) == {"cap": 10}


def test_who_waits_too_long_for_another_use_case_decides_nothing(
    stores: Stores, people: People, use_case: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opportune.decisions.limits.MOST_WAITED_S", 0.2)
    case = use_case(features=(), dimensions=(OFFER,), constraints=ONE_ACROSS)
    with stores.state.lock("opportune caps across use cases") as taken:
        assert taken
        with (
            pytest.raises(BeingDecided, match="has a cap across use cases, and another"),
            alone(stores, case, DAY, now=NOW),
        ):
            raise AssertionError("it was not to begin")


def test_what_others_sent_since_the_snapshot_counts_when_a_killed_run_goes_on(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(10))
    case = use_case(features=(), dimensions=(OFFER,), constraints=ONE_ACROSS)
    snapshot(stores, case, DAY, profiles.snapshot(stores.state))
    play(stores, use_case(name="other", features=(), dimensions=(OFFER,)), 0, ("tea",))
    play(stores, case, 0, ("tea",))
    assert {row["use_case"] for row in stores.lake.read("decisions").to_pylist()} == {"other"}
