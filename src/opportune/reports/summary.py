"""What each decided day came to: sums that are written once, add up, and answer at once.

They are made of the lake alone. A day's own row holds as long as the lake has as many decisions of
it; what its profiles earned is added to the totals of all days before, one day after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa

from opportune.decisions import UseCase
from opportune.storage import State, Stores, fetch, load_sql

__all__ = [
    "EDGES",
    "PROFILE_TOTALS",
    "DaySummary",
    "Decided",
    "Earned",
    "Tenth",
    "Totals",
    "edges_of",
    "forget_open",
    "keep",
    "kept",
    "numbered",
]

ROOM = "opportune.reports"

# What each profile earned over the mature days of a version up to ``through``, and what it brought
# ``earlier``, before anything was decided of it; null: nobody asked. Only the newest ``generation``
# of a version counts.
PROFILE_TOTALS = pa.schema(
    [
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("generation", pa.int64(), nullable=False),
        pa.field("through", pa.date32(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("reward", pa.float64(), nullable=False),
        pa.field("net", pa.float64(), nullable=False),
        pa.field("earlier", pa.float64()),
    ]
)
EDGES = pa.schema(
    [
        pa.field("feature", pa.string()),
        pa.field("edge", pa.float64()),
        pa.field("dimension", pa.string()),
        pa.field("choice", pa.string()),
        pa.field("decisions", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One variant on one day: its decisions, and those that explored and that send something."""

    decisions: int
    explored: int
    sends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """One variant on one mature day: decisions with a reward, those above zero, and their sums."""

    decisions: int
    rewarded: int
    reward_sum: float
    reward_square: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """One variant over all mature days up to one: a unit is a profile, its rewards summed.

    ``net`` is what is left of them after costs. Of ``earlier_profiles`` is known what they brought
    before anything was decided of them; ``comoment`` is the sum of the products of both distances
    from their means.
    """

    profiles: int
    rewarded: int
    reward_sum: float
    reward_mean: float
    m2: float
    net_mean: float
    net_m2: float
    earlier_profiles: int = 0
    earlier_mean: float = 0.0
    earlier_m2: float = 0.0
    comoment: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenth:
    """Treatment's decisions of one mature day of which about as much was expected, the least first.

    ``expected``, ``reward`` and ``square`` are sums over ``decisions``; ``rewarded`` of these
    brought more than nothing.
    """

    tenth: int
    decisions: int
    expected: float
    rewarded: int
    reward: float
    square: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySummary:
    """One decided day of a version; ``earned`` and ``totals`` are None until its rewards are in.

    ``edges`` is there only where it was just counted, else State has it. ``audience`` counts those
    of whom something may be decided ("") and the others by reason, None where nobody counted.
    ``calibration`` is None where the policy said of no decision what it expects.
    """

    day: date
    decisions: int
    variants: Mapping[str, Decided]
    choices: Mapping[str, Mapping[str, int]]
    earned: Mapping[str, Earned] | None = None
    totals: Mapping[str, Totals] | None = None
    edges: pa.Table | None = field(default=None, compare=False)
    audience: Mapping[str, int] | None = None
    calibration: tuple[Tenth, ...] | None = None

    @property
    def mature(self) -> bool:
        """Whether the rewards of the day are in."""
        return self.totals is not None


def kept(state: State, use_case: UseCase) -> dict[date, DaySummary]:
    """Return what was written of the days of ``use_case``, in the order of the days."""
    rows = state.rows(load_sql(ROOM, "day_summaries"), _of(use_case))
    return {row["day"]: msgspec.convert(row, DaySummary) for row in rows}


def keep(
    stores: Stores, use_case: UseCase, days: Iterable[DaySummary], *, gone: Iterable[date] = ()
) -> None:
    """Write ``days``, and drop those ``gone``, in one transaction."""
    with stores.state.transaction() as connection:
        drop = {**_of(use_case), "days": sorted(gone)}
        fetch(connection, load_sql(ROOM, "drop_day_summaries"), drop)
        for each in days:
            fetch(connection, load_sql(ROOM, "keep_day_summary"), _row(use_case, each))


def forget_open(state: State) -> None:
    """Drop what was summed up of days whose rewards are not in: somebody's decisions are gone."""
    state.rows(load_sql(ROOM, "drop_open_summaries"))


def edges_of(stores: Stores, use_case: UseCase, days: Iterable[DaySummary]) -> pa.Table:
    """Return the counts of ``days``, those just made and those that State has, as `EDGES`."""
    wanted = {each.day: each.edges for each in days}
    if any(found is None for found in wanted.values()):
        facts = {**_of(use_case), "since": min(wanted)}
        for row in stores.state.rows(load_sql(ROOM, "edges_of_days"), facts):
            if wanted.get(row["day"], False) is None and row["edges"] is not None:
                wanted[row["day"]] = _edges(row["edges"])
    found = [each for each in wanted.values() if each is not None]
    return pa.concat_tables(found) if found else EDGES.empty_table()


def numbered(column: str, names: Sequence[str]) -> pa.Table:
    """Return names with their place in a list of the lake, the first being 1."""
    places = pa.array(range(1, len(names) + 1), pa.int64())
    return pa.table({column: pa.array(names, pa.string()), "position": places})


def _of(use_case: UseCase) -> dict[str, Any]:
    return {"use_case": use_case.name, "version": use_case.version}


def _row(use_case: UseCase, each: DaySummary) -> dict[str, Any]:
    return {
        **_of(use_case),
        "day": each.day,
        "decisions": each.decisions,
        "variants": _json(each.variants),
        "choices": _json(each.choices),
        "edges": None if each.edges is None else _json(each.edges.to_pydict()),
        "earned": None if each.earned is None else _json(each.earned),
        "totals": None if each.totals is None else _json(each.totals),
        "audience": None if each.audience is None else _json(each.audience),
        "calibration": None if each.calibration is None else _json(each.calibration),
    }


def _edges(columns: Mapping[str, list[Any]]) -> pa.Table:
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in EDGES})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
