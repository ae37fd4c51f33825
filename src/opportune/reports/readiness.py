"""Is a use case worth starting: who is meant, what they earn, and when its lift is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from opportune import decisions, events, profiles, rules, stats
from opportune.decisions import MayGet, UseCase
from opportune.events import Metric, UnknownEvent
from opportune.reports.answer import percent
from opportune.reports.model import MetricOfReport
from opportune.storage import Stores, load_sql

__all__ = ["Earlier", "HeldBack", "OptionReadiness", "Readiness", "WaitFor", "readiness"]

EFFECTS = (0.1, 0.2)
WITHIN_DAYS = 90
DAY_US = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """How many of the audience would get nothing for a reason, a key of ``decisions.REASONS``."""

    reason: str
    why: str
    profiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionReadiness:
    """How many profiles may get an option, and how many would on a day of even play."""

    dimension: str
    option: str
    profiles: int
    decisions_a_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What those who may get anything brought in the window of the metric before ``until_at``.

    ``mean`` and ``variance`` are per profile; ``repeated`` is the correlation of a profile's value
    with that of the window before, from 0: how much people go on as they are.
    """

    since_at: datetime
    until_at: datetime
    last_seen_at: datetime | None
    rewarded: int
    mean: float
    variance: float
    repeated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """When a lift of ``effect`` is found with the chance 0.8, read at any look.

    ``known_on`` is the day its rewards are complete; None where ``reason`` says why it is not found
    in time. ``typical_days``: by then it is found in half of all cases.
    """

    effect: float
    days: int | None
    typical_days: int | None
    known_on: date | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether to start a use case; ``ready`` means that ``refusals`` is empty.

    ``audience`` are all that are meant, ``decided`` those of them who may get anything. ``options``
    nobody may get have ``profiles`` 0. ``smallest_effect`` is the least lift that is found
    ``within_days`` days.
    """

    as_of: datetime
    use_case: str
    version: int
    metric: MetricOfReport
    ready: bool
    answer: str
    within_days: int
    control_share: float
    audience: int
    decided: int
    held_back: tuple[HeldBack, ...]
    options: tuple[OptionReadiness, ...]
    earlier: Earlier
    waits: tuple[WaitFor, ...]
    smallest_effect: float | None
    refusals: tuple[stats.Refusal, ...]


def readiness(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    *,
    now: datetime,
    effects: Sequence[float] = EFFECTS,
    within_days: int = WITHIN_DAYS,
) -> Readiness:
    """Say whether ``use_case`` would show what it earns, from its audience and ``metric``'s past.

    The segments must be up to date (`pipeline.readiness` sees to it). Each window of the metric is
    taken to bring every profile's evidence anew, as far as its value in one window does not follow
    from the one before: the variance is ``1 + (windows - 1) x repeated`` times that of one window,
    as of a mean of equally correlated values (Kish, "Survey Sampling", 1965, 5.4). Raises
    ``InvalidSample`` for an effect or a number of days that cannot be.
    """
    found = decisions.may_get(stores, use_case, now.date(), profiles.snapshot(stores.state))
    seen, unseen = _seen(stores, metric, now=now)
    earlier = _earlier(stores, metric, found, now=now, last_seen_at=seen)
    if unseen is None and not earlier.rewarded:
        unseen = _without_reward(earlier, metric)
    outlook = _outlook(use_case, metric, found, earlier, within_days=within_days)
    asked = {
        effect: stats.readiness(outlook, effect, within_days=within_days)
        for effect in sorted(effects)
    }
    waits = tuple(_wait(each, effect, metric, now) for effect, each in asked.items())
    easiest = asked[max(asked)]
    refusals = tuple(_refusals(found, unseen, easiest))
    return Readiness(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        metric=MetricOfReport(name=metric.name, unit=metric.unit, window_days=metric.window_days),
        ready=not refusals,
        answer=_answer(refusals, waits),
        within_days=within_days,
        control_share=use_case.control_share,
        audience=found.audience,
        decided=len(found.profile_ids),
        held_back=_held_back(found),
        options=_options(found),
        earlier=earlier,
        waits=waits,
        smallest_effect=easiest.smallest_effect,
        refusals=refusals,
    )


def _held_back(found: MayGet) -> tuple[HeldBack, ...]:
    return tuple(
        HeldBack(reason=reason, why=decisions.REASONS[reason], profiles=count)
        for reason, count in found.held_back.items()
    )


def _options(found: MayGet) -> tuple[OptionReadiness, ...]:
    return tuple(
        OptionReadiness(
            dimension=each.dimension,
            option=each.option,
            profiles=each.profiles,
            decisions_a_day=each.decisions,
        )
        for each in found.options
    )


def _seen(
    stores: Stores, metric: Metric, *, now: datetime
) -> tuple[datetime | None, stats.Refusal | None]:
    """When any of the metric's events came last, and what is wrong where none ever did."""
    times: list[datetime] = []
    unknown = ""
    for event in metric.events:
        try:
            found = events.seen_event(stores.state, event, now=now)
        except UnknownEvent as error:
            unknown = unknown or error.message
            continue
        times += (each.last_seen_at for each in found if each.type == "track")
    if unknown and not times:
        remedy = "Name the event as it is sent, or have it sent first."
        return None, stats.Refusal(reason=unknown, remedies=(remedy,))
    return max(times, default=None), None


def _without_reward(earlier: Earlier, metric: Metric) -> stats.Refusal:
    meant = " or ".join(f"'{event}'" for event in metric.events)
    last = f"; {meant} was last seen {earlier.last_seen_at:%Y-%m-%d %H:%M} UTC"
    return stats.Refusal(
        reason=(
            f"Nobody who may get anything brought {metric.unit} in the "
            f"{_days(metric.window_days)} before {earlier.until_at:%Y-%m-%d}"
            f"{last if earlier.last_seen_at else ''}."
        ),
        remedies=("Choose a metric that they reach, or another audience.",),
    )


def _earlier(
    stores: Stores, metric: Metric, found: MayGet, *, now: datetime, last_seen_at: datetime | None
) -> Earlier:
    """What the metric brought in the window before, and how much that repeats the one before."""
    row, count = _brought(stores, metric, found, now=now), len(found.profile_ids)
    later = _moments(row["later"], row["later_squares"], count)
    before = _moments(row["earlier"], row["earlier_squares"], count)
    spread = later.m2 * before.m2
    both = row["products"] - count * later.mean * before.mean
    return Earlier(
        since_at=now - timedelta(days=metric.window_days),
        until_at=now,
        last_seen_at=last_seen_at,
        rewarded=row["rewarded"],
        mean=later.mean,
        variance=later.variance if count > 1 else 0.0,
        repeated=min(max(both / spread**0.5, 0.0), 1.0) if spread else 0.0,
    )


def _brought(stores: Stores, metric: Metric, found: MayGet, *, now: datetime) -> Row:
    events.create_tables(stores.lake)
    now_us = (now - EPOCH) // timedelta(microseconds=1)
    window_us = metric.window_days * DAY_US
    from_us = now_us - 2 * window_us
    facts = {
        "aggregate": metric.aggregate,
        "from_us": from_us,
        "middle_us": now_us - window_us,
        "to_us": now_us,
    }
    statement = load_sql("opportune.reports", "metric_before")
    query = rules.measured(metric.measure, statement, facts)
    rows: list[Row] = stores.engine.query(
        query.text,
        query.parameters,
        tables={"events": ("occurred_at_us", from_us, now_us)},
        relations={
            "identifiers": profiles.identifiers(stores.state),
            "asked": pa.table({"profile_id": pa.array(found.profile_ids, pa.int64())}),
        },
    ).to_pylist()
    return rows[0]


def _moments(total: float, squares: float, count: int) -> stats.Moments:
    mean = total / count if count else 0.0
    return stats.Moments(count=count, mean=mean, m2=max(squares - count * mean * mean, 0.0))


def _outlook(
    use_case: UseCase, metric: Metric, found: MayGet, earlier: Earlier, *, within_days: int
) -> stats.Outlook:
    """Every window brings the evidence of the whole audience, as far as it is new."""
    meant = decisions.expected_shares(use_case)
    compared = meant["treatment"] + meant.get("control", 0.0)
    windows = max(within_days / metric.window_days, 1.0)
    people = len(found.profile_ids)
    return stats.Outlook(
        mean=max(earlier.mean, 0.0),
        variance=earlier.variance * (1 + (windows - 1) * earlier.repeated),
        rewarded_share=earlier.rewarded / people if people else 0.0,
        control_share=meant.get("control", 0.0) / compared,
        units_a_day=people * compared / metric.window_days,
    )


def _wait(asked: stats.Readiness, effect: float, metric: Metric, now: datetime) -> WaitFor:
    wait = asked.waits.get("any_look")
    if asked.refusals or wait is None or wait.days is None:
        reason = asked.refusals[0].reason
        return WaitFor(effect=effect, days=None, typical_days=None, known_on=None, reason=reason)
    known_on = now.date() + timedelta(days=wait.days + metric.window_days)
    return WaitFor(
        effect=effect,
        days=wait.days,
        typical_days=wait.typical_days,
        known_on=known_on,
        reason="",
    )


def _refusals(
    found: MayGet, unseen: stats.Refusal | None, asked: stats.Readiness
) -> Iterator[stats.Refusal]:
    """What stands in the way, the first cause alone: the others follow from it."""
    if not found.audience:
        reason = "The audience has nobody."
        yield stats.Refusal(reason=reason, remedies=("Widen the audience.",))
    elif not len(found.profile_ids):
        why = ", ".join(
            f"{count:,}: {decisions.REASONS[reason]}" for reason, count in found.held_back.items()
        )
        yield stats.Refusal(
            reason=f"Nobody of the audience may get any action ({why}).",
            remedies=("Add an option without a rule, or change the audience.",),
        )
    elif unseen is not None:
        yield unseen
    else:
        yield from asked.refusals


def _answer(refusals: Sequence[stats.Refusal], waits: Sequence[WaitFor]) -> str:
    if refusals:
        return f"Not ready: {refusals[0].reason} {refusals[0].remedies[0]}"
    found = "; ".join(
        f"a lift of {percent(each.effect, signed=True)} "
        + (
            "is not found in time"
            if each.known_on is None
            else f"is known by {each.known_on} ({_days(each.days or 0)} of decisions)"
        )
        for each in reversed(waits)
    )
    return f"Ready: {found}, in four of five cases."


def _days(count: int) -> str:
    return f"{count:,} day{'' if count == 1 else 's'}"
