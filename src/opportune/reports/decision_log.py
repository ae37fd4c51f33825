"""The decisions of a use case, one by one: who got what, how likely it was, what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from opportune.decisions import UseCase
from opportune.errors import InvalidInput
from opportune.profiles.identity import moment
from opportune.reports.versions import Version, versions
from opportune.storage import State, Stores, load_sql

__all__ = [
    "MOST_EXPORTED",
    "VARIANTS",
    "DecisionFilter",
    "DecisionLog",
    "InvalidDecisionFilter",
    "LoggedDecision",
    "decision_log",
]

ROOM = "opportune.reports"
MOST_EXPORTED = 100_000
VARIANTS = ("treatment", "control", "random", "champion", "holdout", "shadow")
"""The groups of decisions that are listed; of those in shadow nothing was sent either."""
IDS = pa.schema([pa.field("profile_id", pa.int64(), nullable=False)])

Row = Mapping[str, Any]


class InvalidDecisionFilter(InvalidInput):
    """What the list of decisions should show cannot be asked of this use case."""

    code = "invalid_decision_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """Which decisions are meant; what is None or "" is not asked for.

    ``dimension`` and ``option``: whose action has that option. ``first_day`` and ``last_day`` are
    inclusive. ``profile_id`` is a profile as it is now, with all that was decided for it before
    profiles became one.
    """

    variant: str = ""
    dimension: str = ""
    option: str = ""
    explored: bool | None = None
    first_day: date | None = None
    last_day: date | None = None
    profile_id: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecision:
    """One decision as it was logged, and the state of its delivery.

    ``profile_id`` and ``user_id`` are of the profile it belongs to now, None where that is no more.
    ``propensity`` is the probability that its action had, and ``explored`` whether the policy's
    uniform part drew it.
    ``delivery`` is the state of the outbox with its ``reason``; "" where nothing is to be sent or
    the outbox no longer has it.
    """

    decision_id: str
    use_case: str
    version: int
    day: date
    decided_at: datetime
    profile_id: int | None
    user_id: str | None
    variant: str
    action: Mapping[str, str]
    propensity: float
    explored: bool
    policy_version: str
    delivery: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """One page of the decisions that were asked for, the newest first, of ``total`` in all."""

    as_of: datetime
    use_case: str
    total: int
    first: int
    decisions: tuple[LoggedDecision, ...]


def decision_log(
    stores: Stores,
    use_case: UseCase,
    chosen: DecisionFilter,
    *,
    now: datetime,
    first: int = 0,
    limit: int = 100,
) -> DecisionLog:
    """Return the decisions of all versions of ``use_case`` that ``chosen`` means, the newest first.

    ``first`` are left out before the page of at most ``limit`` (100,000). ``total`` counts the very
    rows that all pages have. Raises ``InvalidDecisionFilter``.
    """
    known = versions(stores.state, use_case.name)
    check_filter(use_case, known, chosen)
    if not (stores.lake.folder / "decisions").is_dir():
        # Before the first start of a worker nothing was decided.
        return DecisionLog(as_of=now, use_case=use_case.name, total=0, first=first, decisions=())
    facts, relations = _asked(stores.state, use_case.name, known, chosen)
    span = (chosen.first_day or date.min, chosen.last_day or date.max)
    days: list[Row] = _query(stores, "decision_days", facts, relations, span)
    limit = max(1, min(limit, MOST_EXPORTED))
    page, skipped = _days_of_page(days, first, limit)
    rows: list[Row] = []
    if page:
        facts |= {"from_day": page[-1].isoformat(), "to_day": page[0].isoformat()}
        facts |= {"skipped": first - skipped, "wanted": limit}
        rows = _query(stores, "decision_log", facts, relations, (page[-1], page[0]))
    return DecisionLog(
        as_of=now,
        use_case=use_case.name,
        total=sum(row["decisions"] for row in days),
        first=first,
        decisions=logged(stores.state, use_case.name, rows, known),
    )


def logged(
    state: State, use_case: str, rows: Sequence[Row], known: Sequence[Version]
) -> tuple[LoggedDecision, ...]:
    """Turn rows of the lake into decisions, with whose they are now and what became of them."""
    facts = {
        "decision_ids": [row["decision_id"] for row in rows],
        "profile_ids": [row["profile_id"] for row in rows],
    }
    found = state.rows(load_sql(ROOM, "states_of_decisions"), facts) if rows else []
    states = {row["decision_id"]: row for row in found}
    names = {each.version: _dimensions(each) for each in known}
    return tuple(
        LoggedDecision(
            decision_id=row["decision_id"],
            use_case=use_case,
            version=row["version"],
            day=row["day"],
            decided_at=moment(row["decided_at_us"]),
            profile_id=states[row["decision_id"]]["profile_id"],
            user_id=states[row["decision_id"]]["user_id"],
            variant=row["variant"],
            action=_named(names.get(row["version"], []), row["action"]),
            propensity=row["propensity"],
            explored=row["explored"],
            policy_version=row["policy_version"],
            delivery=states[row["decision_id"]]["state"],
            reason=states[row["decision_id"]]["reason"],
        )
        for row in rows
    )


def check_filter(use_case: UseCase, known: Sequence[Version], chosen: DecisionFilter) -> None:
    """Refuse what no decision of the use case can be."""
    if chosen.variant and chosen.variant not in VARIANTS:
        raise InvalidDecisionFilter(
            f"There is no variant '{chosen.variant}'. Allowed: {', '.join(VARIANTS)}."
        )
    if chosen.option and not chosen.dimension:
        raise InvalidDecisionFilter(
            f"Option '{chosen.option}' was given without its dimension. Give both, such as "
            "channel:email."
        )
    names = sorted({name for each in known for name in _dimensions(each)})
    if chosen.dimension and chosen.dimension not in names:
        raise InvalidDecisionFilter(
            f"Use case '{use_case.name}' has no dimension '{chosen.dimension}'. Allowed: "
            f"{', '.join(names)}."
        )
    if chosen.first_day and chosen.last_day and chosen.first_day > chosen.last_day:
        raise InvalidDecisionFilter(
            f"The first day {chosen.first_day} is after the last day {chosen.last_day}. Give them "
            "in order."
        )


def _asked(
    state: State, name: str, known: Sequence[Version], chosen: DecisionFilter
) -> tuple[dict[str, object], dict[str, pa.Table]]:
    """Say the filter as parameters and relations; places begin with 1, 0: not in that version."""
    holders: Sequence[Row] = []
    if chosen.profile_id is not None:
        holders = state.rows(load_sql(ROOM, "holders_of_person"), {"profile_id": chosen.profile_id})
    ids = [row["identifier_id"] for row in holders]
    places = [
        (each.version, [*_dimensions(each)].index(chosen.dimension) + 1)
        for each in known
        if chosen.option and chosen.dimension in _dimensions(each)
    ]
    facts: dict[str, object] = {
        "use_case": name,
        "variant": chosen.variant,
        "option": chosen.option,
        "explored": -1 if chosen.explored is None else int(chosen.explored),
        "version": chosen.version or 0,
        "anybody": int(chosen.profile_id is None),
        "lowest_id": min(ids, default=1),
        "highest_id": max(ids, default=0),
        "from_day": (chosen.first_day or date.min).isoformat(),
        "to_day": (chosen.last_day or date.max).isoformat(),
    }
    relations = {
        "ids": pa.table({"profile_id": ids}, schema=IDS),
        "places": pa.table(
            {
                "version": pa.array([version for version, _ in places], pa.int32()),
                "position": pa.array([position for _, position in places], pa.int64()),
            }
        ),
    }
    return facts, relations


def _query(
    stores: Stores,
    query: str,
    facts: Mapping[str, object],
    relations: Mapping[str, pa.Table],
    span: tuple[date, date],
) -> list[Row]:
    found = stores.engine.query(
        load_sql(ROOM, query), facts, tables={"decisions": ("day", *span)}, relations=relations
    )
    rows: list[Row] = found.to_pylist()
    return rows


def _days_of_page(days: Sequence[Row], first: int, limit: int) -> tuple[list[date], int]:
    """Return the days whose decisions the page may have, and how many come before them.

    >>> days = [{"day": date(2026, 1, d), "decisions": 10} for d in (3, 2, 1)]
    >>> _days_of_page(days, 12, 5)
    ([datetime.date(2026, 1, 2)], 10)
    """
    page, before, skipped = [], 0, 0
    for row in days:
        after = before + row["decisions"]
        if after > first and before < first + limit:
            page.append(row["day"])
        elif not page:
            skipped = after
        before = after
    return page, skipped


def _dimensions(version: Version) -> list[str]:
    if version.use_case is None:
        return []
    return [dimension.name for dimension in version.use_case.dimensions]


def _named(names: Sequence[str], action: Sequence[str]) -> dict[str, str]:
    """Say of which dimension each option is; of a version that cannot be read, its number."""
    if len(names) != len(action):
        names = [f"dimension {place}" for place in range(1, len(action) + 1)]
    return dict(zip(names, action, strict=True))
