"""A small past: ten days of decisions of which seven are mature, written into the stores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune.decisions import DECISIONS, FEATURES, Activation, Dimension, Feature, Option, UseCase
from opportune.learning import REWARDS
from opportune.storage import Stores

__all__ = ["DAYS", "FIRST_DAY", "MATURE", "NOW", "USE_CASE", "Past", "use_case", "write"]

FIRST_DAY = date(2026, 1, 1)
DAYS, MATURE = 10, 7
NOW = datetime(2026, 1, 11, 6, tzinfo=UTC)
OPTIONS = {
    "offer": ("speed_upgrade", "tv_bundle", "no_offer"),
    "channel": ("email", "sms"),
    "hour": ("09", "18"),
}
USE_CASE = "next_offer"


def use_case(*, version: int = 1, control_share: float = 0.2, title: str = "Next offer") -> UseCase:
    """The use case whose past this is."""
    return UseCase(
        name=USE_CASE,
        version=version,
        title=title,
        success_metric="orders",
        audience=("everybody",),
        minus=(),
        features=(
            Feature(trait="tenure_months", one_of=()),
            Feature(trait="has_tv", one_of=()),
            Feature(trait="plan", one_of=("basic", "plus")),
        ),
        dimensions=tuple(
            Dimension(
                name=name,
                meaning="choice",
                options=tuple(Option(name=option, eligible=None) for option in options),
            )
            for name, options in OPTIONS.items()
        ),
        control_share=control_share,
        policy="factored_thompson",
        decide_at=time(6),
        activation=Activation(connector="braze", config={"campaign_id": "x"}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was written: a row a profile, a column a day; ``rewards`` of mature days only."""

    control: NDArray[np.bool_]
    features: NDArray[np.float64]
    sms: NDArray[np.bool_]
    explored: NDArray[np.bool_]
    rewards: NDArray[np.float64]


def past(*, profiles: int = 2000, treated_rate: float = 0.2, control_rate: float = 0.1) -> Past:
    """Draw a past; long tenure makes sms likely."""
    random = np.random.default_rng(1)
    control = np.arange(profiles) % 5 == 0
    features = np.column_stack(
        [
            random.integers(0, 49, profiles),
            random.random(profiles) < 0.5,
            random.random(profiles) < 0.3,
            random.random(profiles) < 0.3,
        ]
    ).astype(np.float64)
    features[:10, 0] = np.nan
    likely = np.where(features[:, 0] > 24, 0.8, 0.2)[:, None]
    rates = np.where(control, control_rate, treated_rate)[:, None]
    return Past(
        control=control,
        features=features,
        sms=random.random((profiles, DAYS)) < likely,
        explored=random.random((profiles, DAYS)) < 0.1,
        rewards=(random.random((profiles, MATURE)) < rates).astype(np.float64),
    )


def write(stores: Stores, told: Past, *, version: int = 1) -> None:
    """Write decisions, features and rewards of ``told`` and a few outbox rows."""
    for table, schema in (("decisions", DECISIONS), ("features", FEATURES), ("rewards", REWARDS)):
        stores.lake.create(table, schema)
    for place in range(DAYS):
        common = _common(told, place, version)
        stores.lake.append("features", _features(told, common))
        stores.lake.append("decisions", _decisions(told, common, place))
        if place < MATURE:
            stores.lake.append("rewards", _rewards(told, common, place))
    _outbox(stores)


def _common(told: Past, place: int, version: int) -> dict[str, pa.Array]:
    count = len(told.control)
    day = FIRST_DAY + timedelta(days=place)
    ids = pa.array(np.arange(count, dtype=np.int64))
    return {
        "use_case": pa.repeat(USE_CASE, count),
        "version": pa.repeat(pa.scalar(version, pa.int32()), count),
        "day": pa.repeat(pa.scalar(day, pa.date32()), count),
        "profile_id": ids,
        "user_id": ids.cast(pa.string()),
        "variant": pa.array(np.where(told.control, "control", "treatment")),
        "decision_id": pa.array([f"{USE_CASE}:{day:%Y%m%d}:{k:016x}" for k in range(count)]),
        "eligible": pa.array([[7, 3, 3]] * count, pa.list_(pa.int64())),
    }


def _features(told: Past, common: dict[str, pa.Array]) -> pa.Table:
    values = pa.array(told.features.tolist(), pa.list_(pa.float64()))
    return _rest_null(pa.table({**common, "values": values}), FEATURES)


def _rest_null(table: pa.Table, schema: pa.Schema) -> pa.Table:
    for field in schema:
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(schema.names)


def _decisions(told: Past, common: dict[str, pa.Array], place: int) -> pa.Table:
    count = len(told.control)
    actions = [
        [OPTIONS["offer"][k % 3], "sms" if sms else "email", OPTIONS["hour"][int(tv)]]
        for k, (sms, tv) in enumerate(zip(told.sms[:, place], told.features[:, 1], strict=True))
    ]
    at = datetime.combine(FIRST_DAY, time(6), tzinfo=UTC) + timedelta(days=place)
    decided_at = pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), count)
    rows = pa.table(
        {
            **common,
            "action": pa.array(actions, pa.list_(pa.string())),
            "propensity": pa.repeat(0.1, count),
            "dimension_propensities": pa.array([[0.3, 0.5, 0.5]] * count),
            "policy_version": pa.repeat("p", count),
            "explored": pa.array(told.explored[:, place]),
            "decided_at": decided_at,
            "due_at": decided_at,
            "decided_at_us": decided_at.cast(pa.int64()),
            **dict.fromkeys(("cost", "cost_rewarded", "shadow_price"), pa.nulls(count)),
        }
    )
    return _rest_null(rows, DECISIONS)


def _rewards(told: Past, common: dict[str, pa.Array], place: int) -> pa.Table:
    at = datetime.combine(FIRST_DAY, time(6), tzinfo=UTC) + timedelta(days=place + 3)
    matured_at = pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), len(told.control))
    reward = pa.array(told.rewards[:, place])
    count = len(told.control)
    began_us = (at - timedelta(days=3) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    # Whoever is rewarded is so in the first, second, third ... hour, one after the other.
    hours = np.arange(count) % 48
    first = pa.array(began_us + hours * 3_600_000_000, mask=told.rewards[:, place] == 0)
    rows = {
        **common,
        "reward": reward,
        "matured_at": matured_at,
        "metric": pa.repeat("orders", count),
        "began_at_us": pa.repeat(began_us, count),
        "first_at_us": first,
        "last_at_us": first,
    }
    return pa.table(rows).select(REWARDS.names)


def _outbox(stores: Stores) -> None:
    stores.state.rows(
        """
        insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, due_at,
            state, reason)
        select 'k' || place, %(use_case)s, '2026-01-10', 'braze', place, 'u' || place, '{}', now(),
            case when place <= 7 then 'sent' when place <= 9 then 'failed' else 'pending' end,
            case when place in (8, 9) then 'invalid external_user_id' end
        from generate_series(1, 12) as place
        """,
        {"use_case": USE_CASE},
    )
