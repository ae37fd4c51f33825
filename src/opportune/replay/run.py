"""Let a policy live through a campaign day by day, then ask what it earns on rows it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import decisions, events, learning, policies, rules, segments
from opportune.errors import NotFound, nearest
from opportune.replay.assess import assess
from opportune.replay.enter import Told, enter_customers, enter_outcomes, source, user_ids
from opportune.replay.fields import check_columns
from opportune.replay.model import Campaign, Outcome, Replayed
from opportune.storage import Stores, load_sql

__all__ = [
    "FIRST_DAY",
    "Play",
    "UnknownOutcome",
    "ask",
    "begin",
    "draw_key",
    "in_order",
    "outcome_of",
    "replay",
    "split",
]

Rows = NDArray[np.int64]

# A replay has days of its own: they say nothing of when the campaign was.
FIRST_DAY = date(2000, 1, 1)
DECIDE_AT = time(6)
WINDOW = timedelta(days=1)
EVERYONE = rules.AllOf(rules=())


class UnknownOutcome(NotFound):
    """The schema has no outcome of that name."""

    code = "unknown_outcome"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Play:
    """One outcome of one campaign on its way through the rooms."""

    stores: Stores
    campaign: Campaign
    outcome: Outcome
    use_case: decisions.UseCase
    metric: events.Metric
    users: pa.Array
    known: pa.Table
    seen: events.Deduplicator


def replay(
    stores: Stores,
    campaign: Campaign,
    outcome: str,
    *,
    seed: int,
    told: Told,
    field_policies: events.FieldPolicies | None = None,
) -> Replayed:
    """Play the training rows of ``campaign`` in days, and evaluate on the rows that are held out.

    Customers enter as identify events and become profiles; their features are taken by the same
    snapshot as always; the logged actions become decisions; outcomes come back as events and are
    credited; the policy learns from each day when it is over. Rows come in the order of their time,
    the latest held out; without a time, and among equal times, ``seed`` chooses the order. Safe to
    run again on the same stores. Raises ``UnknownOutcome``, or ``events.FieldForbidden`` before
    anything is played where ``field_policies`` (the built-in ones, if None) forbid a column.
    """
    wanted = outcome_of(campaign, outcome)
    check_columns(campaign, [wanted], field_policies or events.FieldPolicies())
    training, held_out = split(campaign, seed)
    play = begin(stores, campaign, wanted, seed=seed, told=told)
    days = np.array_split(training, campaign.schema.batches)
    for place, rows in enumerate(days):
        told(f"{wanted.name}: days played", place, len(days))
        learned = _live(play, rows, FIRST_DAY + timedelta(days=place))
    told(f"{wanted.name}: days played", len(days), len(days))
    last_day = FIRST_DAY + timedelta(days=len(days))
    return assess(
        ask(play, held_out, last_day),
        learned,
        campaign=campaign,
        outcome=wanted,
        seed=seed,
        draw_key=draw_key(play, last_day),
    )


def draw_key(play: Play, day: date) -> str:
    """What the chance of ``day`` follows from, as it would on a live day."""
    return f"{play.use_case.name}:{day}"


def outcome_of(campaign: Campaign, name: str) -> Outcome:
    """The outcome of that name; raises ``UnknownOutcome``."""
    for outcome in campaign.schema.outcomes:
        if outcome.name == name:
            return outcome
    names = [outcome.name for outcome in campaign.schema.outcomes]
    raise UnknownOutcome(f"{campaign.schema.where} has no outcome {name!r}. {nearest(name, names)}")


def split(campaign: Campaign, seed: int) -> tuple[Rows, Rows]:
    """Row numbers to learn from, in the order of the days, and those to be asked about."""
    order = in_order(campaign, seed)
    held_out = round(campaign.rows * campaign.schema.held_out_share)
    return order[:-held_out], order[-held_out:]


def in_order(campaign: Campaign, seed: int) -> Rows:
    """Row numbers in the order of their time; ``seed`` chooses among equal times."""
    chance = policies.uniforms(f"replay:{seed}", np.arange(campaign.rows))
    return np.asarray(np.lexsort((chance, campaign.rank)))


def begin(stores: Stores, campaign: Campaign, outcome: Outcome, *, seed: int, told: Told) -> Play:
    """Have the customers of ``campaign`` enter, unless they have, and name what is learned."""
    events.create_tables(stores.lake)
    stores.lake.create("features", decisions.FEATURES)
    stores.lake.create("decisions", decisions.DECISIONS)
    stores.lake.create("rewards", learning.REWARDS)
    seen = events.seed(stores.lake)
    before = datetime.combine(FIRST_DAY, time(0), tzinfo=UTC)
    name = f"replay-{campaign.fingerprint}-{seed}-{outcome.name}"
    return Play(
        stores=stores,
        campaign=campaign,
        outcome=outcome,
        use_case=_use_case(campaign, name),
        metric=_metric(outcome, name),
        users=user_ids(campaign),
        known=enter_customers(stores, campaign, seen, at=before, told=told),
        seen=seen,
    )


def _use_case(campaign: Campaign, name: str) -> decisions.UseCase:
    return decisions.UseCase(
        name=name,
        version=1,
        title=campaign.schema.title,
        success_metric=name,
        audience=(name,),
        minus=(),
        features=campaign.features,
        dimensions=tuple(
            decisions.Dimension(
                name=dimension.name,
                meaning="choice",
                options=tuple(
                    decisions.Option(name=option, eligible=None) for option in dimension.options
                ),
            )
            for dimension in campaign.schema.space.dimensions
        ),
        control_share=0.0,
        policy=policies.FactoredThompson.name,
        decide_at=DECIDE_AT,
        activation=decisions.Activation(connector="", config={}),
    )


def _metric(outcome: Outcome, name: str) -> events.Metric:
    return events.Metric(
        name=name,
        title=outcome.name,
        event=name,
        property=None if outcome.kind == "binary" else "value",
        unit=outcome.name,
        window_days=WINDOW.days,
    )


def _live(play: Play, rows: Rows, day: date) -> learning.Trained:
    """Play one day with the logged actions, and return the policy that has learned from it."""
    stores, use_case = play.stores, play.use_case
    decided_at = datetime.combine(day, DECIDE_AT, tzinfo=UTC)
    over_at = decided_at + WINDOW
    _meet(play, rows, day)
    _log_decisions(play, rows, day, decided_at)
    values = play.campaign.rewards[play.outcome.name][rows]
    enter_outcomes(
        stores,
        pa.table(
            {"place": np.arange(len(rows)), "user_id": play.users.take(rows), "value": values}
        ),
        play.seen,
        facts={
            "use_case": use_case.name,
            "day": day,
            "event": play.metric.event,
            "timestamp": (decided_at + WINDOW / 2).isoformat(),
        },
        source_id=source(play.campaign),
        received_at=over_at,
    )
    learning.reward(stores, use_case, play.metric, now=over_at)
    return learning.train(stores, use_case, play.metric, day + timedelta(days=1))


def _meet(play: Play, rows: Rows, day: date) -> None:
    """Make ``rows`` the audience of ``day`` and keep what is known of them."""
    now = datetime.combine(day, DECIDE_AT, tzinfo=UTC)
    audience = segments.Segment(name=play.use_case.name, title=play.use_case.title, rule=EVERYONE)
    present = pc.is_in(play.known["user_id"], value_set=play.users.take(rows))
    segments.refresh(play.stores, audience, play.known.filter(present), now=now)
    decisions.snapshot(play.stores, play.use_case, day, play.known)


def _log_decisions(play: Play, rows: Rows, day: date, decided_at: datetime) -> None:
    """Write what the campaign chose to the decision log, as if it had been decided on ``day``."""
    campaign, stores = play.campaign, play.stores
    key = f"decisions:{play.use_case.name}:{day}"
    chosen = pa.table(
        {
            "user_id": play.users.take(rows),
            "action": _names(campaign, rows),
            "propensity": campaign.propensities[rows],
            "dimension_propensities": list(campaign.dimension_propensities[rows]),
        }
    )
    found = stores.engine.query(
        load_sql("opportune.replay", "logged_decisions"),
        {
            "use_case": play.use_case.name,
            "day": day.isoformat(),
            "decided_at_us": round(decided_at.timestamp() * 1_000_000),
        },
        tables={"features": ("day", day, day)},
        relations={"chosen": chosen},
    )
    stores.lake.append("decisions", found.select(decisions.DECISIONS.names), key=key)


def _names(campaign: Campaign, rows: Rows) -> pa.ListArray:
    options = [np.array(each.options) for each in campaign.schema.space.dimensions]
    columns = [names[campaign.actions[rows, d]] for d, names in enumerate(options)]
    flat = np.stack([column.astype(object) for column in columns], axis=1).reshape(-1)
    offsets = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * len(options))
    return pa.ListArray.from_arrays(offsets, pa.array(flat, pa.string()))


def ask(play: Play, rows: Rows, day: date) -> learning.Logged:
    """The held-out rows with features from the snapshot of ``day``; their outcomes stay outside."""
    campaign = play.campaign
    _meet(play, rows, day)
    found = play.stores.engine.query(
        load_sql("opportune.replay", "held_out"),
        {"use_case": play.use_case.name, "day": day.isoformat()},
        tables={"features": ("day", day, day)},
    )
    width = len(campaign.schema.dimensions)
    place = pc.index_in(found["user_id"], value_set=play.users).to_numpy()
    return learning.Logged(
        space=campaign.schema.space,
        features=decisions.matrix(found["values"], play.use_case.feature_count),
        eligible=policies.Eligibility(
            options=decisions.matrix(found["eligible"], width).astype(np.int64)
        ),
        actions=campaign.actions[place],
        propensities=campaign.propensities[place],
        rewards=campaign.rewards[play.outcome.name][place],
        dimension_propensities=campaign.dimension_propensities[place],
    )
