"""Keep what is known of each profile of the audience at the moment a day is decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune import profiles, rules
from opportune.decisions.allowed import Allowed, allowed
from opportune.decisions.model import FEATURES, Feature, UseCase
from opportune.storage import State, Stores, load_sql

__all__ = ["audience_of", "known_of", "rules_of", "snapshot"]

# What the query of features looks at first.
TEST_PERSON = "/test_person"
AUDIENCE = pa.schema([pa.field("profile_id", pa.int64(), nullable=False)])


def snapshot(stores: Stores, use_case: UseCase, day: date, known: pa.Table) -> bool:
    """Write the features and eligible actions of ``use_case``'s audience for ``day`` to the lake.

    The audience is who of ``known``, with the columns of ``profiles.SNAPSHOT``, is in its segments
    now. False when that day has its snapshot already. A snapshot belongs to a version: one that was
    taken just before a new version came is left unused.
    """
    stores.lake.create("features", FEATURES)
    key = f"features:{use_case.name}:{use_case.version}:{day}"
    if stores.lake.has("features", key):
        return False
    columns, judged = known_of(stores, use_case, day, known)
    rows = _rows(use_case, day, columns, judged)
    rows["zone"] = _zones(stores, use_case, columns)
    table = pa.table(rows).select(FEATURES.names)
    return stores.lake.append("features", table, key=key)


def audience_of(state: State, use_case: UseCase) -> pa.Table:
    """Return the ids of who is in ``use_case``'s audience, as its segments are kept now."""
    facts = {"segments": list(use_case.audience), "minus": list(use_case.minus)}
    return state.table(load_sql("opportune.decisions", "audience"), AUDIENCE, facts)


def known_of(
    stores: Stores, use_case: UseCase, day: date, known: pa.Table
) -> tuple[pa.Table, Allowed]:
    """Ask for ``use_case``'s audience what ``day`` is decided from, and what each may get.

    ``known`` as for `snapshot`; the columns are those that `allowed` reads. Nothing is kept.
    """
    audience = audience_of(stores.state, use_case)
    relations = {"known": known, "audience": audience}
    columns = stores.engine.query(*_select(use_case, day), relations=relations)
    return columns, allowed(stores, use_case, day, columns)


def rules_of(stores: Stores, use_case: UseCase, day: date, known: pa.Table) -> pa.Table:
    """Ask every rule of ``use_case`` of all who are ``known``, whoever its audience is.

    A row a profile, with columns named as for `allowed`. Nothing is kept.
    """
    relations = {"known": known, "audience": known.select(["profile_id"])}
    alone = replace(use_case, features=())
    return stores.engine.query(*_select(alone, day), relations=relations)


def _select(use_case: UseCase, day: date) -> tuple[str, dict[str, object]]:
    """Write the query: fixed fragments in a fixed order; everything given is a parameter."""
    # As of the end of the day before, whenever the day is decided.
    now = datetime.combine(day, time(), UTC)
    parameters: dict[str, object] = {}
    parts: list[str] = []
    places = _Places()
    for feature in use_case.features:
        for text, bound in _feature_columns(feature, f"f{len(parts)}", places):
            parts.append(f"{text} as f{len(parts)}")
            parameters |= bound
    for place, rule in _rules(use_case):
        condition = rules.condition(rule, now=now, prefix=f"{place}_")
        parts.append(f"({condition.text}) as {place}")
        parameters |= condition.parameters
    for number, name in enumerate(profiles.ZONE_TRAITS if use_case.is_timed else ()):
        parts.append(f"{places.told(name)} as z{number}")
    parameters["places"] = places.pointers
    columns = "".join(f",\n    {part}" for part in parts)
    return load_sql("opportune.decisions", "features").replace("/*columns*/", columns), parameters


class _Places:
    """Where the query looks in the traits of each profile, each place once."""

    def __init__(self) -> None:
        self.pointers = [TEST_PERSON]

    def told(self, trait: str) -> str:
        """Write what is there: null where nothing is, or where the traits are no JSON."""
        pointer = rules.pointer(trait)
        if pointer not in self.pointers:
            self.pointers.append(pointer)
        return f"told[{1 + self.pointers.index(pointer)}]"


def _feature_columns(
    feature: Feature, name: str, places: _Places
) -> Iterator[tuple[str, dict[str, object]]]:
    given = places.told(feature.trait)
    for place, value in enumerate(feature.one_of):
        yield f"({given} = ${name}_{place}v)::double", {f"{name}_{place}v": value}
    if not feature.one_of:
        number = (
            f"coalesce(try_cast({given} as double),"
            f" case {given} when 'true' then 1.0 when 'false' then 0.0 end)"
        )
        yield number, {}


def _rules(use_case: UseCase) -> Iterator[tuple[str, rules.Rule]]:
    for d, dimension in enumerate(use_case.dimensions):
        for o, option in enumerate(dimension.options):
            if option.eligible is not None:
                yield f"e{d}_{o}", option.eligible
    for place, each in enumerate(use_case.constraints.forbidden):
        if each.when is not None:
            yield f"r{place}", each.when


def _rows(
    use_case: UseCase, day: date, columns: pa.Table, judged: Allowed
) -> dict[str, pa.Array | pa.ChunkedArray]:
    count = columns.num_rows
    names = [f"f{place}" for place in range(use_case.feature_count)]
    values = np.empty((count, len(names)))
    for place, name in enumerate(names):
        values[:, place] = columns[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
    # A number too large for a double tells as little as none.
    values[~np.isfinite(values)] = np.nan
    return {
        "use_case": pa.repeat(use_case.name, count),
        "version": pa.repeat(pa.scalar(use_case.version, pa.int32()), count),
        "day": pa.repeat(pa.scalar(day, pa.date32()), count),
        "profile_id": columns["profile_id"],
        "user_id": columns["user_id"],
        "values": lists(values),
        "eligible": lists(judged.options),
        "forbidden": pa.array(judged.forbidden),
        "recent": judged.recent,
        "reason": judged.reason,
    }


def _zones(stores: Stores, use_case: UseCase, columns: pa.Table) -> pa.Array | pa.ChunkedArray:
    """The profiles' time zones; null where no clock matters."""
    if not use_case.is_timed:
        return pa.nulls(columns.num_rows, pa.string())
    newest = profiles.newest_zones(stores.state)
    place = pc.index_in(columns["profile_id"], value_set=newest["profile_id"])
    told = [columns[f"z{number}"] for number in range(len(profiles.ZONE_TRAITS))]
    context = newest["zone"].take(place)
    return profiles.zones_of(told, context, default=stores.settings.time_zone)


def lists(values: np.ndarray[tuple[int, int], np.dtype[np.generic]]) -> pa.ListArray:
    """Turn an (n, k) array into n lists of k values."""
    rows, width = values.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width)
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)))
