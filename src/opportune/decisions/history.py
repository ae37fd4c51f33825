"""What profiles had lately, by the decision log: what cool-downs, cadences and caps ask for.

A decision to send counts as a contact in control as well, whatever became of the sending, so that
both groups stay alike. It counts for its day, or so many days later as its hour and weekday put it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune.decisions.model import DECISIONS, UseCase
from opportune.storage import Stores, load_sql

__all__ = ["Lately", "capped", "cooled", "lately", "recent", "waiting"]

# A weekday, and a change of the clocks, may put a send off by so much.
MOST_AHEAD_DAYS = 8
HOLDERS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
    ]
)

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
# The name of a dimension -> the names of its options, with their days.
Layout = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """An option of a version of the use case, and what it is about; ``position`` begins with 1."""

    version: int
    position: int
    name: str
    dimension: int
    choice: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lately:
    """What everybody had too lately, for whoever asks for one of them.

    ``row_of``: the row of a user id in ``cooled`` ``(n, D)`` masks, ``recent`` whole actions and
    ``waiting``; who is not there had nothing.
    """

    row_of: Mapping[str, int]
    cooled: Ints
    recent: pa.ListArray
    waiting: Flags


def lately(stores: Stores, use_case: UseCase, day: date) -> Lately:
    """Return what all had too lately for a decision on ``day``, that day's own ones included."""
    holders = stores.state.table(load_sql("opportune.decisions", "holders"), HOLDERS)
    profile_ids = np.unique(holders["profile_id"].to_numpy())
    masks = cooled(stores, use_case, day, profile_ids, today=True)
    actions = recent(stores, use_case, day, profile_ids, today=True)
    held = waiting(stores, use_case, day, profile_ids, today=True)
    some = (masks != 0).any(axis=1) | held | actions.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(some)
    place = np.cumsum(some) - 1
    of_holder = np.searchsorted(profile_ids, holders["profile_id"].to_numpy())
    theirs = np.flatnonzero(some[of_holder])
    names = holders["user_id"].take(pa.array(theirs)).to_pylist()
    return Lately(
        row_of=dict(zip(names, place[of_holder[theirs]].tolist(), strict=True)),
        cooled=masks[rows],
        recent=actions.take(pa.array(rows)),
        waiting=held[rows],
    )


def cooled(
    stores: Stores, use_case: UseCase, day: date, profile_ids: Ints, *, today: bool = False
) -> Ints:
    """Return bitmasks ``(n, D)`` of the options that these profiles, in order, had too lately.

    ``today``: decisions of ``day`` itself count as well; before that day's run they do anyway.
    """
    masks = np.zeros((len(profile_ids), len(use_case.dimensions)), dtype=np.int64)
    rows = list(_cooling(use_case, _layouts(stores, use_case)))
    if not rows:
        return masks
    found = _ask(stores, use_case, day, "cooled", rows, today=today)
    places, known = _places(profile_ids, found)
    dimension, choice = (found[name].to_numpy()[known] for name in ("dimension", "choice"))
    np.bitwise_or.at(masks, (places, dimension), np.int64(1) << choice)
    return masks


def recent(
    stores: Stores, use_case: UseCase, day: date, profile_ids: Ints, *, today: bool = False
) -> pa.ListArray:
    """Return the whole actions that these profiles had too lately, as places in the action space.

    Null: none. They are in order, each once.
    """
    days = max(
        (each.days for each in use_case.constraints.cooldowns if not each.dimension), default=0
    )
    codes, owners = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if days:
        layouts = _layouts(stores, use_case)
        rows = [
            _Row(version=v, position=0, name="", dimension=0, choice=0, days=days) for v in layouts
        ]
        found = _ask(stores, use_case, day, "had", rows, today=today)
        names = [dimension.name for dimension in use_case.dimensions]
        chosen = _codes(use_case, found, {v: [*layouts[v]] for v in layouts}, names)
        places, known = _places(profile_ids, found)
        meant = chosen[known] >= 0
        pairs = np.unique(np.stack([places[meant], chosen[known][meant]], axis=1), axis=0)
        owners, codes = pairs[:, 0], pairs[:, 1]
    counts = np.bincount(owners, minlength=len(profile_ids))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(codes, pa.int64()), mask=pa.array(counts == 0)
    )


def waiting(
    stores: Stores, use_case: UseCase, day: date, profile_ids: Ints, *, today: bool = False
) -> Flags:
    """Say for whom of these profiles the cadence of its last contact lasts beyond ``day``."""
    held = np.zeros(len(profile_ids), dtype=bool)
    place = use_case.place_of("frequency")
    if place is None:
        return held
    name = use_case.dimensions[place].name
    rows = [
        _Row(version=v, position=p, name=option, dimension=0, choice=0, days=days)
        for v, layout in _layouts(stores, use_case).items()
        for p, dimension in enumerate(layout, start=1)
        if dimension == name
        for option, days in layout[dimension].items()
    ]
    found = _ask(stores, use_case, day, "waiting", rows, today=today)
    held[_places(profile_ids, found)[0]] = True
    return held


def capped(stores: Stores, use_case: UseCase, day: date, profile_ids: Ints) -> Flags:
    """Say for whom of these profiles a cap leaves nothing on ``day``."""
    held = np.zeros(len(profile_ids), dtype=bool)
    rows = [
        _Row(
            version=0,
            position=0,
            name="" if each.across else use_case.name,
            dimension=0,
            choice=each.sends,
            days=each.days,
        )
        for each in use_case.constraints.caps
    ]
    if rows:
        found = _ask(stores, None, day, "capped", rows)
        held[_places(profile_ids, found)[0]] = True
    return held


def _cooling(use_case: UseCase, layouts: Mapping[int, Layout]) -> Iterator[_Row]:
    names = [dimension.name for dimension in use_case.dimensions]
    for each in use_case.constraints.cooldowns:
        if each.dimension is None:
            continue
        d = names.index(each.dimension)
        options = [option.name for option in use_case.dimensions[d].options]
        for version, layout in layouts.items():
            if each.dimension not in layout:
                continue
            position = [*layout].index(each.dimension) + 1
            for name in each.options or options:
                yield _Row(
                    version=version, position=position, name=name,
                    dimension=d, choice=options.index(name), days=each.days,
                )  # fmt: skip


def _layouts(stores: Stores, use_case: UseCase) -> dict[int, Layout]:
    """What the versions of the use case chose among: an option keeps its name, not its place."""
    facts = {"name": use_case.name, "version": use_case.version}
    rows = stores.state.rows(load_sql("opportune.decisions", "earlier_versions"), facts)
    layouts: dict[int, Layout] = {
        row["version"]: {
            dimension["name"]: {each["name"]: each.get("days", 0) for each in dimension["options"]}
            for dimension in row["body"]["dimensions"]
        }
        for row in rows
    }
    layouts[use_case.version] = {
        dimension.name: {option.name: option.days for option in dimension.options}
        for dimension in use_case.dimensions
    }
    return layouts


def _ask(
    stores: Stores,
    use_case: UseCase | None,
    day: date,
    query: str,
    rows: Sequence[_Row],
    *,
    today: bool = False,
) -> pa.Table:
    """Ask the decisions of the days around ``day`` that are near enough to matter.

    Without a ``use_case`` those of all of them, and then those of the day itself as well.
    """
    stores.lake.create("decisions", DECISIONS)
    most = max((row.days for row in rows), default=0)
    # Until a day is decided, all that it has was asked for.
    is_open = use_case is None or not stores.lake.has(
        "decisions", f"decisions:{use_case.name}:{day}"
    )
    numbers = [n for n in range(-most - MOST_AHEAD_DAYS, most + 1) if n or today or is_open]
    near = [day + timedelta(days=number) for number in numbers]
    days = pa.table({"day": near, "number": pa.array(numbers, pa.int64())})
    holders = stores.state.table(load_sql("opportune.decisions", "holders"), HOLDERS)
    return stores.engine.query(
        load_sql("opportune.decisions", query),
        {} if use_case is None else {"use_case": use_case.name},
        tables={"decisions": ("day", near[0], near[-1])},
        relations={"days": days, "asked": _relation(rows), "holders": holders},
    )


def _relation(rows: Sequence[_Row]) -> pa.Table:
    return pa.table(
        {
            "version": pa.array([row.version for row in rows], pa.int32()),
            "name": pa.array([row.name for row in rows], pa.string()),
            **{
                key: pa.array([getattr(row, key) for row in rows], pa.int64())
                for key in ("position", "dimension", "choice", "days")
            },
        }
    )


def _codes(
    use_case: UseCase, found: pa.Table, layouts: Mapping[int, list[str]], names: list[str]
) -> Ints:
    """The place of each action in the present space; -1 for one that cannot be chosen any more."""
    codes = np.full(found.num_rows, -1, dtype=np.int64)
    versions = found["version"].to_numpy()
    for version in np.unique(versions).tolist():
        order = layouts.get(version, names)
        if not set(names) <= set(order):
            continue
        rows = np.flatnonzero(versions == version)
        flat = found["action"].take(pa.array(rows)).combine_chunks().flatten().dictionary_encode()
        chosen = flat.indices.to_numpy().reshape(len(rows), len(order))
        known = flat.dictionary.to_pylist()
        actions = np.stack(
            [
                np.array([_index(use_case, d, text) for text in known])[
                    chosen[:, order.index(name)]
                ]
                for d, name in enumerate(names)
            ],
            axis=1,
        )
        meant = (actions >= 0).all(axis=1)
        codes[rows[meant]] = use_case.space.codes(actions[meant].astype(np.int16))
    return codes


def _index(use_case: UseCase, dimension: int, name: str) -> int:
    names = [option.name for option in use_case.dimensions[dimension].options]
    return names.index(name) if name in names else -1


def _places(profile_ids: Ints, found: pa.Table) -> tuple[Ints, Flags]:
    """Where each row's profile stands among ``profile_ids``, and which rows have one there."""
    wanted = found["profile_id"].to_numpy()
    places = np.searchsorted(profile_ids, wanted)
    known = places < len(profile_ids)
    known[known] = profile_ids[places[known]] == wanted[known]
    return places[known], known
