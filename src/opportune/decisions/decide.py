"""Choose an action for every profile of a day's snapshot, and log it before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.allowed import OPTIONLESS, REASONS
from opportune.decisions.combinations import parts
from opportune.decisions.model import DECISIONS, FEATURES, UseCase
from opportune.decisions.send_time import send_times
from opportune.decisions.snapshot import lists
from opportune.errors import InvalidInput
from opportune.storage import Stores, load_sql

__all__ = ["NoOption", "decide", "held_back", "matrix", "variants"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class NoOption(InvalidInput):
    """Nobody of the audience may get any action."""

    code = "no_option"


def decide(
    stores: Stores,
    use_case: UseCase,
    day: date,
    *,
    policy: policies.Policy,
    policy_version: str,
    now: datetime,
) -> bool:
    """Decide ``day`` from its snapshot and write the decision log; False when that was done before.

    Control profiles get an action like the others, so that both variants are alike in everything
    but the sending. Chance comes from a hash of (use case, day, profile) alone. Who may get no
    action has no decision, which `held_back` counts; raises ``NoOption`` where that is everybody.
    """
    stores.lake.create("decisions", DECISIONS)
    key = f"decisions:{use_case.name}:{day}"
    if stores.lake.has("decisions", key):
        return False
    known = stores.engine.query(
        load_sql("opportune.decisions", "snapshot_of_day"),
        {"use_case": use_case.name, "version": use_case.version, "day": day.isoformat()},
        tables={"features": ("day", day, day)},
    )
    _check_options(use_case, known.num_rows, held_back(stores, use_case, day))
    drawn = _draw(use_case, day, policy, known)
    rows = _rows(use_case, day, known, drawn)
    rows["policy_version"] = pa.repeat(policy_version, known.num_rows)
    rows["decided_at"] = pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), known.num_rows)
    rows["decided_at_us"] = rows["decided_at"].cast(pa.int64())
    zones = known["zone"].combine_chunks()
    rows["due_at"] = send_times(use_case, drawn.actions, zones, now)
    rows["zone"] = zones
    return stores.lake.append("decisions", pa.table(rows).select(DECISIONS.names), key=key)


def variants(use_case: UseCase, profile_ids: Integers) -> NDArray[np.str_]:
    """Return "control" or "treatment" for each profile: a stable hash of (use case, profile)."""
    chance = policies.uniforms(f"{use_case.name}:group", profile_ids)
    return np.where(chance < use_case.control_share, "control", "treatment")


def matrix(column: pa.ChunkedArray, width: int) -> Floats:
    """Turn a column of n lists of ``width`` numbers into an (n, width) array of doubles."""
    flat: Floats = pc.list_flatten(column).to_numpy().astype(np.float64)
    return flat.reshape(len(column), width)


def held_back(stores: Stores, use_case: UseCase, day: date) -> dict[str, int]:
    """Return for how many of the audience nothing is decided on ``day``, by the reason."""
    stores.lake.create("features", FEATURES)
    found = stores.engine.query(
        load_sql("opportune.decisions", "held_back"),
        {"use_case": use_case.name, "version": use_case.version, "day": day.isoformat()},
        tables={"features": ("day", day, day)},
    )
    return dict(zip(found["reason"].to_pylist(), found["profiles"].to_pylist(), strict=True))


def _check_options(use_case: UseCase, decided: int, held: Mapping[str, int]) -> None:
    if not decided and held and set(held) <= set(OPTIONLESS):
        why = ", ".join(f"{count}: {REASONS[reason]}" for reason, count in held.items())
        raise NoOption(
            f"Use case '{use_case.name}': nobody of the audience may get any action ({why}). Add "
            "an option without a rule, or change the audience; nothing was decided."
        )


def _draw(use_case: UseCase, day: date, policy: policies.Policy, known: pa.Table) -> policies.Draw:
    draw_key = f"{use_case.name}:{day}"
    features = matrix(known["values"], use_case.feature_count)
    masks: Integers = pc.list_flatten(known["eligible"]).to_numpy()
    options = masks.reshape(known.num_rows, len(use_case.dimensions))
    chance = policies.uniforms(draw_key, known["profile_id"].to_numpy())
    forbidden = known["forbidden"].fill_null(0).to_numpy()
    found, order = [], []
    for rows, eligible in parts(use_case, options, forbidden, known["recent"].combine_chunks()):
        play = policy.distribution(features[rows], eligible, seed=policies.seed(draw_key))
        found.append(policies.draw(play, chance[rows]))
        order.append(rows)
    # Back into the order of the profiles.
    place = np.argsort(np.concatenate(order))
    return policies.Draw(
        actions=np.concatenate([each.actions for each in found])[place],
        propensities=np.concatenate([each.propensities for each in found])[place],
        dimension_propensities=np.concatenate([each.dimension_propensities for each in found])[
            place
        ],
        explored=np.concatenate([each.explored for each in found])[place],
    )


def _rows(
    use_case: UseCase, day: date, known: pa.Table, drawn: policies.Draw
) -> dict[str, pa.Array]:
    count = known.num_rows
    profile_ids = known["profile_id"].to_numpy()
    return {
        "decision_id": _decision_ids(use_case.name, day, profile_ids),
        "use_case": pa.repeat(use_case.name, count),
        "version": known["version"].cast(pa.int32()),
        "day": pa.repeat(pa.scalar(day, pa.date32()), count),
        "profile_id": known["profile_id"],
        "user_id": known["user_id"],
        "variant": pa.array(variants(use_case, profile_ids)),
        "action": _names(use_case, drawn.actions),
        "propensity": pa.array(drawn.propensities),
        "dimension_propensities": lists(drawn.dimension_propensities),
        "eligible": known["eligible"],
        "explored": pa.array(drawn.explored),
    }


def _decision_ids(use_case: str, day: date, profile_ids: Integers) -> pa.Array:
    # Sixteen hex digits of the id, made in bytes: formatting each in Python would take seconds.
    octets = profile_ids.astype(">i8").view(np.uint8).reshape(-1, 8)
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    text = np.empty((len(profile_ids), 16), dtype=np.uint8)
    text[:, 0::2] = digits[octets >> 4]
    text[:, 1::2] = digits[octets & 15]
    tails = pa.array(text.reshape(-1).view("S16").astype("U16"))
    return pc.binary_join_element_wise(f"{use_case}:{day:%Y%m%d}", tails, ":")


def _names(use_case: UseCase, actions: NDArray[np.int16]) -> pa.ListArray:
    columns = [
        np.array([option.name for option in dimension.options], dtype=object)[actions[:, place]]
        for place, dimension in enumerate(use_case.dimensions)
    ]
    rows, width = actions.shape
    flat = np.stack(columns, axis=1).reshape(-1)
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width)
    return pa.ListArray.from_arrays(offsets, pa.array(flat, pa.string()))
