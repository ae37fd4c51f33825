"""What was chosen for the members of a segment, and what they earned: who gains most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import msgspec
import pyarrow as pa

from opportune import stats
from opportune.decisions import UseCase, expected_shares
from opportune.reports.model import SegmentLift, VariantResult
from opportune.reports.summary import ROOM, numbered
from opportune.storage import State, Stores, fetch, load_sql

__all__ = [
    "DaySegment",
    "days_of_segment",
    "keep_segments",
    "segment_lifts",
    "segments_chosen",
]

# The first ones by name: each costs a look at all its members a day.
MOST_SEGMENTS = 12
FEWEST_REWARDED = 10
MEMBERS = pa.schema([("segment", pa.string()), ("profile_id", pa.int64())])
NOBODY = {"profiles": 0, "rewarded": 0, "reward_sum": 0.0, "reward_mean": 0.0, "m2": 0.0}
GROUPS = ("treatment", "control")
COUNTED = {"choices", "totals"}

Sums = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySegment:
    """How often each option was chosen for a segment's members of treatment on one day."""

    day: date
    choices: Mapping[str, Mapping[str, int]]


def keep_segments(
    stores: Stores, use_case: UseCase, day: date, earned: tuple[date, pa.Table] | None
) -> None:
    """Count by segment what was chosen on ``day``, and what was earned up to the day of ``earned``.

    Of the first 12 segments by name, with those who are members now.
    """
    members = stores.state.table(
        load_sql(ROOM, "segment_members"), MEMBERS, {"most": MOST_SEGMENTS}
    )
    if not members.num_rows:
        return
    choices = _chosen(stores, use_case, day, members)
    rows = [{"day": day, "segment": name, "choices": each} for name, each in choices.items()]
    if earned is not None:
        totals = _earned(stores, earned[1], members)
        rows += [
            {"day": earned[0], "segment": name, "totals": each} for name, each in totals.items()
        ]
    with stores.state.transaction() as connection:
        for row in rows:
            said = {name: msgspec.json.encode(row[name]).decode() for name in COUNTED & row.keys()}
            facts = {"choices": None, "totals": None, **_of(use_case), **row, **said}
            fetch(connection, load_sql(ROOM, "keep_day_segment"), facts)


def days_of_segment(state: State, use_case: UseCase, segment: str) -> tuple[DaySegment, ...]:
    """Return what was chosen for members of ``segment``, oldest day first."""
    facts = {**_of(use_case), "segment": segment}
    rows = state.rows(load_sql(ROOM, "days_of_segment"), facts)
    return tuple(DaySegment(**row) for row in rows)


def segments_chosen(state: State, use_case: UseCase) -> tuple[str, ...]:
    """Return the segments that `days_of_segment` knows, by name."""
    rows = state.rows(load_sql(ROOM, "segments_chosen"), _of(use_case))
    return tuple(row["segment"] for row in rows)


def segment_lifts(state: State, use_case: UseCase, *, tightest_at: int) -> tuple[SegmentLift, ...]:
    """Return the lift among the members of each segment, the greatest first.

    Segments are judged together: asked of enough of them, chance alone finds one that gains.
    """
    rows = state.rows(load_sql(ROOM, "totals_of_segments"), _of(use_case))
    parts = {row["segment"]: (row["day"], row["totals"]) for row in rows}
    chances = {name: _chance(totals, tightest_at) for name, (_, totals) in parts.items()}
    judged = stats.discoveries(chances)
    shares = expected_shares(use_case)
    found = [
        _lift(name, day, totals, judged[name], shares=shares, tightest_at=tightest_at)
        for name, (day, totals) in parts.items()
    ]
    found.sort(key=lambda each: (-(each.lift.relative or 0.0), each.segment))
    return tuple(found)


def _chosen(
    stores: Stores, use_case: UseCase, day: date, members: pa.Table
) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    dimensions = numbered("dimension", [each.name for each in use_case.dimensions])
    rows = stores.engine.query(
        load_sql(ROOM, "day_choices_by_segment"),
        {**_of(use_case), "day": day.isoformat()},
        tables={"decisions": ("day", day, day)},
        relations={"members": members, "dimensions": dimensions},
    ).to_pylist()
    found: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        of_segment = found.setdefault(row["segment"], {})
        of_segment.setdefault(row["dimension"], {})[row["choice"]] = row["decisions"]
    return found


def _earned(stores: Stores, earned: pa.Table, members: pa.Table) -> Mapping[str, Sums]:
    rows = stores.engine.query(
        load_sql(ROOM, "totals_by_segment"), relations={"totals": earned, "members": members}
    ).to_pylist()
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        found.setdefault(row.pop("segment"), {})[row.pop("variant")] = row
    return found


def _moments(totals: Sums, group: str) -> stats.Moments:
    own = totals.get(group, NOBODY)
    return stats.Moments(count=int(own["profiles"]), mean=own["reward_mean"], m2=own["m2"])


def _chance(totals: Sums, tightest_at: int) -> float:
    if min(totals.get(group, NOBODY)["rewarded"] for group in GROUPS) < FEWEST_REWARDED:
        return 1.0
    treated, held_out = (_moments(totals, group) for group in GROUPS)
    return stats.p_value(treated, held_out, method="any_look", tightest_at=tightest_at)


def _lift(
    segment: str,
    day: date,
    totals: Sums,
    judged: stats.Discovery,
    *,
    shares: Mapping[str, float],
    tightest_at: int,
) -> SegmentLift:
    treated, held_out = (_moments(totals, group) for group in GROUPS)
    meant = {group: shares.get(group, 0.0) for group in GROUPS}
    both = sum(meant.values())
    suspicious = (
        min(meant.values()) > 0
        and stats.sample_ratio(
            {"treatment": treated.count, "control": held_out.count},
            {group: share / both for group, share in meant.items()},
        ).suspicious
    )
    return SegmentLift(
        segment=segment,
        day=day,
        treatment=_result("treatment", totals),
        control=_result("control", totals),
        lift=stats.lift(treated, held_out, method="any_look", tightest_at=tightest_at),
        p_value=judged.p_value,
        adjusted=judged.adjusted,
        found=judged.found and not suspicious,
        suspicious=suspicious,
    )


def _result(group: str, totals: Sums) -> VariantResult:
    own = totals.get(group, NOBODY)
    return VariantResult(
        variant=group,
        profiles=int(own["profiles"]),
        rewarded=int(own["rewarded"]),
        reward_sum=own["reward_sum"],
        reward_mean=own["reward_mean"],
    )


def _of(use_case: UseCase) -> dict[str, object]:
    return {"use_case": use_case.name, "version": use_case.version}
