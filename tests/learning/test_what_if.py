"""What other options, limits or another policy would have earned: from a log of known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pytest

from opportune import rules
from opportune.decisions import (
    DECISIONS,
    FEATURES,
    Activation,
    Changed,
    Constraints,
    Dimension,
    Feature,
    Forbidden,
    Lived,
    NotComparable,
    Option,
    QuietHours,
    UseCase,
    possible,
)
from opportune.events import Metric
from opportune.learning import REWARDS, Log, Play, logged_days, play_of, train, what_if
from opportune.storage import Stores

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 20, tzinfo=UTC)
OFFERS, HOURS = ("tv", "sim", "sms"), ("09", "22")
COUNT = 600
ORDERS = Metric(
    name="orders", title="Orders", event="Order", property=None, unit="orders", window_days=2
)


def dimension(name: str, options: tuple[str, ...], meaning: str = "choice") -> Dimension:
    return Dimension(
        name=name,
        meaning=meaning,
        options=tuple(Option(name=each, eligible=None) for each in options),
    )


USE_CASE = UseCase(
    name="next",
    version=1,
    title="Next",
    success_metric="orders",
    audience=("everybody",),
    minus=(),
    features=(Feature(trait="a", one_of=()),),
    dimensions=(dimension("offer", OFFERS), dimension("hour", HOURS, "hour")),
    control_share=0.2,
    policy="factored_thompson",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
)
Asked = Callable[..., object]


def write(stores: Stores, days: int, count: int = COUNT) -> Log:
    """Days on which every action was as likely; "sim" at 09 always earns 2, nothing else does."""
    for name, schema in (("features", FEATURES), ("decisions", DECISIONS), ("rewards", REWARDS)):
        stores.lake.create(name, schema)
    for number in range(days):
        at = datetime.combine(DAY + timedelta(days=number), time(6), UTC)
        rows = [
            {
                "decision_id": f"next:{number}:{place:04}",
                "use_case": "next",
                "version": 1,
                "day": at.date(),
                "profile_id": place,
                "user_id": f"u{place}",
                "variant": "control" if place >= count else "treatment",
                "action": [OFFERS[place % 3], HOURS[place // 3 % 2]],
                "propensity": 1 / 6,
                "dimension_propensities": [1 / 3, 1 / 2],
                "eligible": [7, 3],
                "policy_version": f"next/1/{at.date()}",
                "explored": False,
                "decided_at": at,
                "decided_at_us": 0,
                "values": [float(place % 2)],
                "reward": 2.0 if place % 6 == 1 else 0.0,
                "matured_at": at,
            }
            # Control is in the log, too, and tells nothing.
            for place in range(count + 60)
        ]
        for name in ("features", "decisions", "rewards"):
            stores.lake.append(name, pa.Table.from_pylist(rows, schema=stores.lake.schema(name)))
    found = logged_days(stores, "next", now=NOW)
    return Log(before=USE_CASE, metric=ORDERS, days=tuple(found.get(1, ())))


def without(*names: str) -> UseCase:
    offers = tuple(each for each in OFFERS if each not in names)
    return replace(USE_CASE, dimensions=(dimension("offer", offers), USE_CASE.dimensions[1]))


def test_a_fixed_action_earns_what_its_rows_did(stores: Stores) -> None:
    log = write(stores, 2)
    assert log.days == ((DAY, COUNT), (DAY + timedelta(days=1), COUNT))
    play = play_of(USE_CASE, "fixed", {"offer": "sim", "hour": "09"})
    found = what_if(stores, log, USE_CASE, play=play, now=NOW)
    assert (found.days, found.decisions, found.plays) == (2, 1200, "always sim + 09")
    assert found.logged is not None
    assert found.logged.value == pytest.approx(1 / 3)
    assert found.value is not None
    assert found.value.value == pytest.approx(2.0)
    assert found.estimates["SNIPS"].value == pytest.approx(2.0)
    assert found.value.effective_sample_size == pytest.approx(200.0)
    assert (found.unsupported_share, found.refusals) == (0.0, ())
    assert found.answer.startswith("Better. About 2 orders a decision")


def test_options_taken_away_leave_the_rest_as_likely(stores: Stores) -> None:
    log = write(stores, 1)
    found = what_if(stores, log, without("tv"), play=Play(kind="uniform"), now=NOW)
    # One of four actions earns 2.
    assert found.value is not None
    assert found.value.value == pytest.approx(0.5)
    found = what_if(stores, log, without("sim"), play=Play(kind="uniform"), now=NOW)
    assert found.value is not None
    assert (found.value.value, found.value.trustworthy) == (0.0, False)


def test_limits_are_kept_by_what_plays(stores: Stores) -> None:
    log = write(stores, 1)
    pair = Forbidden(options={"offer": ("sim",), "hour": ("22",)}, when=None)
    never = replace(USE_CASE, constraints=Constraints(forbidden=(pair,)))
    found = what_if(stores, log, never, play=Play(kind="uniform"), now=NOW)
    assert found.value is not None
    assert found.value.value == pytest.approx(2 / 5)
    quiet = Constraints(quiet_hours=QuietHours(start=time(21), end=time(8)))
    found = what_if(
        stores, log, replace(USE_CASE, constraints=quiet), play=Play(kind="uniform"), now=NOW
    )
    assert found.value is not None
    assert found.value.value == pytest.approx(2 / 3)
    with_none = replace(
        without("tv", "sms"),
        constraints=Constraints(
            forbidden=(Forbidden(options={"offer": ("sim",), "hour": HOURS}, when=None),)
        ),
    )
    found = what_if(stores, log, with_none, play=Play(kind="uniform"), now=NOW)
    assert (found.value, found.decisions, found.without) == (None, 0, COUNT)
    assert "Nobody of the log is left with any option." in found.answer


def test_the_learned_policy_plays_again_what_is_left_to_it(stores: Stores) -> None:
    log = write(stores, 2)
    for number in range(2):
        train(stores, USE_CASE, ORDERS, DAY + timedelta(days=number))
    found = what_if(stores, log, USE_CASE, play=Play(), now=NOW)
    assert found.value is not None
    assert found.decisions == 1200
    # From the second day on it knows what is best.
    assert found.value.value is not None
    assert found.value.value > 0.6
    assert found.estimator == "DR"
    new = dimension("offer", (*OFFERS, "none"))
    more = replace(USE_CASE, dimensions=(new, USE_CASE.dimensions[1]))
    found = what_if(stores, log, more, play=Play(kind="uniform"), now=NOW)
    assert found.unsupported_share == pytest.approx(1 / 4)
    assert "The log never played 25% of it" in found.answer


def test_days_whose_policy_is_gone_cannot_be_played_again(stores: Stores) -> None:
    log = write(stores, 1)
    found = what_if(stores, log, USE_CASE, play=Play(), now=NOW)
    assert found.refusals[0].reason == "No policy of the days in the log is kept any more."
    empty = Log(before=USE_CASE, metric=ORDERS, days=())
    found = what_if(stores, empty, USE_CASE, play=Play(), now=NOW)
    assert "No decision that was sent has its rewards yet." in found.answer
    assert logged_days(stores, "nobody", now=NOW) == {}


def test_a_log_that_is_worth_less_than_a_hundred_rows_says_nothing(stores: Stores) -> None:
    log = write(stores, 1, count=300)
    play = play_of(USE_CASE, "fixed", {"offer": "sim", "hour": "09"})
    found = what_if(stores, log, USE_CASE, play=play, now=NOW)
    assert found.value is not None
    assert found.value.effective_sample_size == pytest.approx(50.0)
    assert found.refusals[0].reason.startswith("The log is worth 50 rows")
    assert found.answer.startswith("Nothing can be said: The log is worth 50 rows")
    rule = rules.parse({"trait": "a", "is": 1}, where="x", traits_only=True)
    offers = (Option(name="tv", eligible=rule), *USE_CASE.dimensions[0].options[1:])
    ruled = replace(
        USE_CASE,
        dimensions=(replace(USE_CASE.dimensions[0], options=offers), USE_CASE.dimensions[1]),
        audience=("somebody",),
    )
    found = what_if(stores, log, ruled, play=Play(kind="uniform"), now=NOW)
    # Nobody is known, so nobody is in the other audience.
    assert (found.outside, found.decisions) == (300, 0)
    assert found.notes[0].startswith("1 rule is not of the log")


def test_what_cannot_be_compared_is_refused_with_what_can(stores: Stores) -> None:
    log = write(stores, 1)
    other = replace(USE_CASE, dimensions=USE_CASE.dimensions[:1])
    with pytest.raises(NotComparable, match=r"has offer \(choice\), hour \(hour\)"):
        what_if(stores, log, other, play=Play(), now=NOW)
    with pytest.raises(NotComparable, match="rewards of the log"):
        what_if(stores, log, replace(USE_CASE, success_metric="x"), play=Play(), now=NOW)
    with pytest.raises(NotComparable, match="Did you mean 'uniform'"):
        play_of(USE_CASE, "unifrm")
    with pytest.raises(NotComparable, match="Name one of each: offer, hour"):
        play_of(USE_CASE, "fixed", {"offer": "tv"})
    with pytest.raises(NotComparable, match="no option 'tvv'"):
        play_of(USE_CASE, "fixed", {"offer": "tvv", "hour": "09"})
    many = dimension("offer", tuple(f"o{n}" for n in range(61)))
    with pytest.raises(NotComparable, match="64 options"):
        what_if(
            stores,
            log,
            replace(USE_CASE, dimensions=(many, USE_CASE.dimensions[1])),
            play=Play(kind="uniform"),
            now=NOW,
        )


def test_what_was_had_lately_is_told_of_the_same_action_among_more() -> None:
    before = replace(USE_CASE, dimensions=(dimension("offer", OFFERS), dimension("hour", HOURS)))
    wider = replace(before, dimensions=(before.dimensions[0], dimension("hour", (*HOURS, "12"))))
    found = Changed(
        before=before,
        changed=wider,
        union=wider,
        told=pa.table({"profile_id": pa.array([], pa.int64())}),
        audience=None,
    )
    lived = Lived(
        profile_ids=np.array([1, 2]),
        options=np.array([[7, 3], [7, 3]]),
        forbidden=np.zeros(2, dtype=np.int64),
        recent=pa.array([[3], None], pa.list_(pa.int64())),
    )
    left = possible(found, lived, day=DAY)
    # (sim, 22) was at place 1 x 2 + 1, and is at 1 x 3 + 1 now.
    assert left.recent.to_pylist() == [[4], []]
    assert left.options.tolist() == [[7, 7], [7, 7]]
