"""How a use case runs: what became of its audience, how fresh it is, and whether people changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune import stats
from opportune.decisions import REASONS, UseCase
from opportune.events import Metric
from opportune.reports.calibration import Calibration, calibration_of
from opportune.reports.delays import delay_curve
from opportune.reports.deliveries import delivery_counts
from opportune.reports.model import DelayCurve, DeliveryCount
from opportune.reports.summarise import days_of
from opportune.reports.summary import ROOM, DaySummary, edges_of
from opportune.storage import State, Stores, load_sql

__all__ = [
    "Blocked",
    "FeatureDrift",
    "Freshness",
    "Funnel",
    "RunOfDay",
    "UseCaseHealth",
    "use_case_health",
]

# A day is compared with so many before it.
BASE_DAYS = 7
SILENT = ("control", "holdout")
# How many days of runs are shown.
RUN_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """How many of the audience got no decision for a reason, a key of ``decisions.REASONS``."""

    reason: str
    why: str
    profiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """What became of the audience of ``day``, the newest that was decided.

    ``audience`` = ``eligible`` + all of ``blocked``. Of the eligible ``decided`` have a decision;
    of these ``control`` are sent nothing, ``silent`` got an action that sends nothing, and
    ``to_send`` are the rest. ``outbox`` says what became of those: "sent" was taken by the
    connector. ``audience`` is None where it was not counted when the day was decided.
    """

    day: date
    audience: int | None
    eligible: int | None
    blocked: tuple[Blocked, ...]
    decided: int
    control: int
    silent: int
    to_send: int
    outbox: tuple[DeliveryCount, ...]

    @property
    def sent(self) -> int:
        """How many the connector took."""
        return sum(each.count for each in self.outbox if each.state == "sent")

    @property
    def waiting(self) -> int:
        """How many are not due yet, or not sent yet."""
        return sum(each.count for each in self.outbox if each.state == "pending")

    @property
    def held(self) -> int:
        """How many are handed over ahead: Braze holds them until their time."""
        return sum(each.count for each in self.outbox if each.state == "scheduled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old is what the newest day was decided from.

    ``decided_day`` is that day; ``computed_at`` when traits were computed of events,
    ``received_at`` when the newest event came in; None: never.
    """

    decided_day: date | None
    computed_at: datetime | None
    received_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """How far ``feature`` of the newest day is from the seven before, as `population_stability`.

    ``moved``: so far that the policy meets other people than it learned from.
    """

    feature: str
    stability: float
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOfDay:
    """How many seconds each step of the run of ``day`` took; training and snapshot go side by
    side, as do summing up and handing over.
    """

    day: date
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseHealth:
    """How one version of a use case runs, as of ``as_of``; the greatest drift comes first."""

    as_of: datetime
    use_case: str
    version: int
    answer: str
    funnel: Funnel | None
    freshness: Freshness
    drift: tuple[FeatureDrift, ...]
    delays: DelayCurve
    deliveries: tuple[DeliveryCount, ...]
    calibration: Calibration
    runs: tuple[RunOfDay, ...]


def use_case_health(
    stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime
) -> UseCaseHealth:
    """Report how ``use_case`` runs: in its newest version, and its deliveries in all."""
    known = days_of(stores, use_case)
    funnel = _funnel(stores.state, use_case, known[-1]) if known else None
    drift = _drift(stores, use_case, known)
    return UseCaseHealth(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        answer=_answer(funnel, drift),
        funnel=funnel,
        freshness=_freshness(stores.state, known),
        drift=drift,
        delays=delay_curve(stores, use_case, metric, now=now),
        deliveries=delivery_counts(stores.state, use_case.name),
        calibration=calibration_of(stores.state, use_case, known, metric),
        runs=_runs(stores.state, use_case),
    )


def _runs(state: State, use_case: UseCase) -> tuple[RunOfDay, ...]:
    facts = {"use_case": use_case.name, "days": RUN_DAYS}
    found: dict[date, dict[str, float]] = {}
    for row in state.rows(load_sql(ROOM, "day_steps"), facts):
        found.setdefault(row["day"], {})[row["step"]] = row["seconds"]
    return tuple(RunOfDay(day=day, seconds=steps) for day, steps in found.items())


def _funnel(state: State, use_case: UseCase, day: DaySummary) -> Funnel:
    facts = {"use_case": use_case.name, "day": day.day}
    rows = state.rows(load_sql(ROOM, "outbox_of_day"), facts)
    audience = day.audience
    blocked = {} if audience is None else {k: n for k, n in audience.items() if k}
    treated = [each for name, each in day.variants.items() if name not in SILENT]
    decided = sum(each.decisions for each in day.variants.values())
    with_treatment = sum(each.decisions for each in treated)
    to_send = sum(each.sends for each in treated)
    return Funnel(
        day=day.day,
        audience=None if audience is None else sum(audience.values()),
        eligible=None if audience is None else audience.get("", 0),
        blocked=tuple(
            Blocked(reason=reason, why=REASONS.get(reason, reason), profiles=count)
            for reason, count in sorted(blocked.items(), key=lambda each: (-each[1], each[0]))
        ),
        decided=decided,
        control=decided - with_treatment,
        silent=with_treatment - to_send,
        to_send=to_send,
        outbox=tuple(DeliveryCount(**row) for row in rows),
    )


def _freshness(state: State, known: Sequence[DaySummary]) -> Freshness:
    computed = state.rows(load_sql(ROOM, "computed_at"))
    received = state.rows(load_sql(ROOM, "newest_receipt"))
    return Freshness(
        decided_day=known[-1].day if known else None,
        computed_at=computed[0]["as_of"] if computed else None,
        received_at=received[0]["received_at"],
    )


def _drift(
    stores: Stores, use_case: UseCase, known: Sequence[DaySummary]
) -> tuple[FeatureDrift, ...]:
    """Compare the counts of the sums: all choices of the first dimension are all decisions."""
    if len(known) < 2:
        return ()
    first = use_case.dimensions[0].name
    newest, before = (
        _by_edge(edges_of(stores, use_case, days), first)
        for days in (known[-1:], known[-1 - BASE_DAYS : -1])
    )
    found = []
    for feature in use_case.feature_names:
        edges = sorted({*newest.get(feature, {}), *before.get(feature, {})})
        old, new = (
            np.array([counts.get(feature, {}).get(edge, 0) for edge in edges], dtype=np.float64)
            for counts in (before, newest)
        )
        stability = stats.population_stability(old, new)
        found.append(
            FeatureDrift(feature=feature, stability=stability, moved=stability >= stats.MOVED)
        )
    return tuple(sorted(found, key=lambda each: (-each.stability, each.feature)))


def _by_edge(edges: pa.Table, dimension: str) -> Mapping[str, Mapping[float, int]]:
    own = edges.filter(pc.equal(edges["dimension"], dimension))
    summed = own.group_by(["feature", "edge"]).aggregate([("decisions", "sum")])
    found: dict[str, dict[float, int]] = {}
    for row in summed.to_pylist():
        found.setdefault(row["feature"], {})[row["edge"]] = row["decisions_sum"]
    return found


def _answer(funnel: Funnel | None, drift: Sequence[FeatureDrift]) -> str:
    if funnel is None:
        return "Nothing was decided yet."
    meant = "" if funnel.audience is None else f" {funnel.audience:,} were meant,"
    said = (
        f"On {funnel.day}{meant} {funnel.decided:,} were decided for, {funnel.to_send:,} were to "
        f"be sent something, and the connector took {funnel.sent:,}"
    )
    waits = [f"{funnel.waiting:,} wait in the outbox"] if funnel.waiting else []
    waits += [f"{funnel.held:,} wait at Braze"] if funnel.held else []
    said += "".join(f"; {each}" for each in waits) + "."
    moved = [each.feature for each in drift if each.moved]
    if moved:
        said += f" Other people than in the days before: {', '.join(moved[:3])} moved."
    return said
