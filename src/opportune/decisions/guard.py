"""Guard rails: a use case that does harm stops deciding, until a person lets it go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import profiles, rules, stats
from opportune.decisions.model import GuardRail, UseCase
from opportune.errors import Conflict
from opportune.events import Metric, metric_evidence
from opportune.storage import State, Stores, load_sql

__all__ = [
    "FEWEST_AFFECTED",
    "GuardLook",
    "NotStopped",
    "Stop",
    "UseCaseStopped",
    "broken",
    "confidence_at",
    "guard",
    "guard_looks",
    "resume",
    "stopped",
]

ROOM = "opportune.decisions"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
# The chance that a use case that keeps a guard rail is stopped for it, over all days together.
FALSE_STOPS = 0.05
# The normal approximation behind the bounds wants about so many recipients with any value.
FEWEST_AFFECTED = 10


class UseCaseStopped(Conflict):
    """A use case that a guard rail has stopped was asked to decide."""

    code = "use_case_stopped"


class NotStopped(Conflict):
    """A use case that is not stopped was to be resumed."""

    code = "not_stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A use case decides nothing since ``day``; ``reason`` says which guard rail was broken how."""

    day: date
    stopped_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLook:
    """What was seen before ``day`` was decided: one value of ``metric`` a recipient.

    ``affected`` of the ``recipients`` have another value than 0; ``mean`` and ``m2`` are those of
    `stats.Moments`. ``look`` counts the days from 1; the rest is as the guard rail says.
    """

    day: date
    metric: str
    direction: str
    limit: float
    days: int
    look: int
    recipients: int
    affected: int
    mean: float
    m2: float


def guard(
    stores: Stores,
    use_case: UseCase,
    metrics: Mapping[str, Metric],
    day: date,
    *,
    now: datetime,
) -> Stop | None:
    """Look at the guard rails before ``day`` is decided; None: the use case may decide it.

    A broken one is kept with its reason, and the use case stays stopped until `resume`. A day that
    was decided before is looked at no more.
    """
    known = stopped(stores.state, use_case.name)
    if known is not None or not use_case.guard_rails:
        return known
    if stores.lake.has("decisions", f"decisions:{use_case.name}:{day}"):
        return None
    since = _since(stores.state, use_case)
    look = _look(stores, use_case, since, day)
    reasons = []
    for rail in use_case.guard_rails:
        metric = metrics[rail.metric]
        span = (max(_from_day(rail, metric, day), since), day)
        evidence, affected = _evidence(stores, use_case, rail, metric, span=span, now=now)
        reasons.append(broken(rail, evidence, affected=affected, look=look, unit=metric.unit))
        seen = _look_at(rail, evidence, affected=affected, look=look, day=day)
        _note(stores.state, use_case, seen, now=now)
    reason = next(filter(None, reasons), "")
    if not reason:
        return None
    facts = {"use_case": use_case.name, "day": day, "now": now, "reason": reason}
    stores.state.rows(load_sql(ROOM, "stop_use_case"), facts)
    return stopped(stores.state, use_case.name)


def guard_looks(state: State, use_case: UseCase) -> tuple[GuardLook, ...]:
    """Return what was seen last at each guard rail that ``use_case`` has, in their order.

    A guard rail that was not looked at yet, or only with another limit, is left out.
    """
    rows = state.rows(load_sql(ROOM, "guard_looks"), {"use_case": use_case.name})
    seen = {(row["metric"], row["direction"]): GuardLook(**row) for row in rows}
    found = []
    for rail in use_case.guard_rails:
        last = seen.get((rail.metric, rail.direction))
        if last is not None and (last.limit, last.days) == (rail.limit, rail.days):
            found.append(last)
    return tuple(found)


def confidence_at(look: int) -> float:
    """The confidence of the interval at a look, counted from 1: the sum of all doubts is 0.05."""
    return 1.0 - FALSE_STOPS / (look * (look + 1))


def broken(
    rail: GuardRail, evidence: stats.Moments, *, affected: int, look: int, unit: str = ""
) -> str:
    """Say how a guard rail is broken, or "" while the evidence leaves room for doubt.

    ``evidence`` has one value a recipient, ``affected`` of which are not 0; ``look`` counts the
    days from 1. Each look has an interval of confidence ``1 - 0.05 / (look (look + 1))``: these
    chances of a false stop add up to 0.05 over all looks, whatever they share, so that a window
    that slides along may be looked at every day.

    >>> rail = GuardRail(metric="unsubscribes", direction="at_most", limit=0.005, days=7)
    >>> few = stats.Moments(count=1000, mean=0.008, m2=1000 * 0.008 * 0.992)
    >>> many = stats.Moments(count=10_000, mean=0.012, m2=10_000 * 0.012 * 0.988)
    >>> broken(rail, few, affected=8, look=1)
    ''
    >>> broken(rail, many, affected=120, look=3).partition(",")[0]
    'unsubscribes is 0.012 per recipient (0.00888 to 0.0151'
    """
    if affected < FEWEST_AFFECTED:
        return ""
    found = stats.mean_interval(evidence, confidence=confidence_at(look), method="fixed")
    if found.value is None or found.low is None or found.high is None:
        return ""
    over, under = found.low > rail.limit, found.high < rail.limit
    if not (over if rail.direction == "at_most" else under):
        return ""
    measured = f"{unit} " if unit and unit != rail.metric else ""
    return (
        f"{rail.metric} is {found.value:.3g} {measured}per recipient ({found.low:.3g} to "
        f"{found.high:.3g}, {found.count:,} recipients of {rail.days} days), "
        f"{rail.direction.replace('_', ' ')} {rail.limit:g} is allowed."
    )


def stopped(state: State, use_case: str) -> Stop | None:
    """Return why ``use_case`` is stopped, None where it is not."""
    rows = state.rows(load_sql(ROOM, "open_stop"), {"use_case": use_case})
    return Stop(**rows[0]) if rows else None


def resume(state: State, use_case: str, *, by: str, now: datetime) -> Stop:
    """Let ``use_case`` decide again and return why it was stopped; ``NotStopped`` if it was not.

    Guard rails look at what is decided from that day on.
    """
    facts = {"use_case": use_case, "by": by, "now": now}
    rows = state.rows(load_sql(ROOM, "resume_use_case"), facts)
    if not rows:
        raise NotStopped(f"Use case '{use_case}' is not stopped. There is nothing to resume.")
    return Stop(**rows[0])


def _look_at(
    rail: GuardRail, evidence: stats.Moments, *, affected: int, look: int, day: date
) -> GuardLook:
    return GuardLook(
        day=day,
        metric=rail.metric,
        direction=rail.direction,
        limit=rail.limit,
        days=rail.days,
        look=look,
        recipients=evidence.count,
        affected=affected,
        mean=evidence.mean,
        m2=evidence.m2,
    )


def _note(state: State, use_case: UseCase, seen: GuardLook, *, now: datetime) -> None:
    facts = {**asdict(seen), "use_case": use_case.name, "now": now}
    state.rows(load_sql(ROOM, "note_guard_look"), facts)


def _since(state: State, use_case: UseCase) -> date:
    found = state.rows(load_sql(ROOM, "resumed_on"), {"use_case": use_case.name})
    at: datetime | None = found[0]["resumed_at"]
    return date.min if at is None else at.astimezone(UTC).date()


def _look(stores: Stores, use_case: UseCase, since: date, day: date) -> int:
    facts = {"use_case": use_case.name, "from_day": since.isoformat()}
    tables = {"decisions": ("day", since, date.max)}
    first = stores.engine.query(load_sql(ROOM, "first_decided"), facts, tables=tables)
    begun: date | None = first["day"][0].as_py()
    return 1 if begun is None else max((day - begun).days, 1)


def _from_day(rail: GuardRail, metric: Metric, day: date) -> date:
    # What must not be too little is looked at when its window is over: so much earlier.
    more = metric.window_days if rail.direction == "at_least" else 0
    return day - timedelta(days=rail.days + more)


def _evidence(
    stores: Stores,
    use_case: UseCase,
    rail: GuardRail,
    metric: Metric,
    *,
    span: tuple[date, date],
    now: datetime,
) -> tuple[stats.Moments, int]:
    is_complete = rail.direction == "at_least"
    facts = {
        "use_case": use_case.name,
        "from_day": span[0].isoformat(),
        "day": span[1].isoformat(),
        "watched_us": metric.window_days * DAY_US,
        "until_us": _microseconds(now) if is_complete else None,
    }
    columns: dict[str, NDArray[np.float64]] = {}
    people = 0
    for base in metric.bases:
        # Alone, a count says whether it happened to somebody; as a part, how often.
        counted = {**facts, "aggregate": "count" if metric.is_count else base.aggregate}
        rows = _outcomes(stores, base, counted, span=span, now=now)
        people, columns[base.name] = rows.num_rows, rows["total"].to_numpy()
    evidence, affected = metric_evidence(metric, columns, rows=people)
    if is_complete and metric.is_count and affected < FEWEST_AFFECTED < people:
        # Too few for the normal approximation, and so few may be the harm: ten are the benefit of
        # the doubt.
        share = FEWEST_AFFECTED / people
        few = stats.Moments(count=people, mean=share, m2=people * share * (1 - share))
        return few, FEWEST_AFFECTED
    return evidence, affected


def _outcomes(
    stores: Stores,
    base: Metric,
    facts: Mapping[str, object],
    *,
    span: tuple[date, date],
    now: datetime,
) -> pa.Table:
    """Return what each recipient brought of a metric of events, by their ids."""
    window = {"window_us": base.window_days * DAY_US}
    asked = rules.measured(base.measure, load_sql(ROOM, "guard_rail"), {**facts, **window})
    return stores.engine.query(
        asked.text,
        asked.parameters,
        tables={
            "decisions": ("day", *span),
            "events": ("occurred_at_us", _microseconds(_midnight(span[0])), _microseconds(now)),
        },
        relations={"identifiers": profiles.identifiers(stores.state)},
    )


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
