"""Choose an action for every profile of a day's snapshot, and log it before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.allowed import OPTIONLESS, REASONS
from opportune.decisions.budget import Chosen, Plan, choose
from opportune.decisions.combinations import parts
from opportune.decisions.groups import CHAMPION, Player, players, variants
from opportune.decisions.history import capped
from opportune.decisions.model import DECISIONS, FEATURES, UseCase
from opportune.decisions.movers import note_movers
from opportune.decisions.send_time import send_times, sends_nothing
from opportune.decisions.snapshot import lists
from opportune.decisions.spend import left_for_a_day, note_day
from opportune.errors import InvalidInput
from opportune.storage import Stores, load_sql

__all__ = ["NoOption", "decide", "decide_beside", "held_back", "matrix"]

SHADOW = "shadow"

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
    """Like `decide_beside`, for a use case without a policy as its champion."""
    player = Player(policy=policy, version=policy_version)
    return decide_beside(stores, use_case, day, player=player, champion=None, now=now)


def decide_beside(
    stores: Stores,
    use_case: UseCase,
    day: date,
    *,
    player: Player,
    champion: Player | None,
    now: datetime,
) -> bool:
    """Decide ``day`` from its snapshot and write the decision log; False when that was done before.

    ``champion`` decides for the group of that name, None: the definition says what it gets.
    Control profiles get an action like the others, so that both variants are alike in everything
    but the sending. Chance comes from a hash of (use case, day, profile) alone. Who may get no
    action has no decision, which `held_back` counts, nor has who is left none by the budget; raises
    ``NoOption`` where nobody may get any. In shadow every row has the variant "shadow", is never
    due and costs nothing.
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
    left = left_for_a_day(stores, use_case, day)
    known = _not_capped(stores, use_case, day, known)
    others = players(use_case, None if champion is None else champion.policy)
    plan = replace(_plan(use_case, day, player.policy, known), left=left, players=others)
    chosen = choose(plan)
    known = known.take(pa.array(chosen.rows))
    rows = _rows(use_case, day, known, chosen)
    rows["policy_version"] = _versions(rows["variant"], player, champion)
    rows["decided_at"] = pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), known.num_rows)
    rows["decided_at_us"] = rows["decided_at"].cast(pa.int64())
    zones = known["zone"].combine_chunks()
    rows["due_at"] = send_times(use_case, chosen.drawn.actions, zones, now)
    rows["zone"] = zones
    rows["expected"] = _expected(plan, chosen)
    if use_case.is_shadow:
        rows |= _unsent(known.num_rows)
    else:
        note_day(stores, use_case, day, chosen, left=left)
    note_movers(stores, use_case, day, plan, chosen)
    return stores.lake.append("decisions", pa.table(rows).select(DECISIONS.names), key=key)


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


def _not_capped(stores: Stores, use_case: UseCase, day: date, known: pa.Table) -> pa.Table:
    """Leave out whom other use cases sent so much since the snapshot that a cap is reached.

    That is nobody, unless the run was killed between both.
    """
    if not any(each.across for each in use_case.constraints.caps):
        return known
    full = capped(stores, use_case, day, known["profile_id"].to_numpy())
    return known.filter(pa.array(~full))


def _plan(use_case: UseCase, day: date, policy: policies.Policy, known: pa.Table) -> Plan:
    draw_key, profile_ids = f"{use_case.name}:{day}", known["profile_id"].to_numpy()
    masks: Integers = pc.list_flatten(known["eligible"]).to_numpy()
    forbidden: Integers = known["forbidden"].fill_null(0).to_numpy()
    recent = known["recent"].combine_chunks()

    def eligible(
        rows: Integers, options: Integers
    ) -> Iterator[tuple[Integers, policies.Eligibility]]:
        return parts(use_case, options, forbidden[rows], recent.take(pa.array(rows)))

    return Plan(
        policy=policy,
        seed=policies.seed(draw_key),
        space=use_case.space,
        features=matrix(known["values"], use_case.feature_count),
        options=masks.reshape(known.num_rows, len(use_case.dimensions)),
        uniforms=policies.uniforms(draw_key, profile_ids),
        order=np.argsort(policies.uniforms(f"{draw_key}:order", profile_ids), kind="stable"),
        variants=variants(use_case, profile_ids),
        players={},
        costs=use_case.costs,
        left=None,
        # Costs in a unit of their own cannot be taken off the reward.
        cost_weight=0.0 if use_case.budget is not None and use_case.budget.unit else 1.0,
        exploration_min=use_case.exploration_min,
        parts=eligible,
    )


def _rows(use_case: UseCase, day: date, known: pa.Table, chosen: Chosen) -> dict[str, pa.Array]:
    count, drawn = known.num_rows, chosen.drawn
    silent = sends_nothing(use_case, drawn.actions) | use_case.aa
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
        "eligible": lists(chosen.options),
        "explored": pa.array(drawn.explored),
        # The cap counted them in full; nothing is due for what is not sent.
        "cost": pa.array(np.where(silent, 0.0, chosen.cost)),
        "cost_rewarded": pa.array(np.where(silent, 0.0, chosen.cost_rewarded)),
        "shadow_price": pa.repeat(pa.scalar(chosen.shadow_price, pa.float64()), count),
    }


def _versions(variants_of: pa.Array, player: Player, champion: Player | None) -> pa.Array:
    """Which policy decided each row."""
    if champion is None:
        return pa.repeat(player.version, len(variants_of))
    return pc.if_else(pc.equal(variants_of, CHAMPION), champion.version, player.version)


def _expected(plan: Plan, chosen: Chosen) -> pa.Array:
    """What the policy expects of each action; null of groups that have another player."""
    expect = getattr(plan.policy, "expected", None)
    if expect is None:
        return pa.nulls(len(chosen.rows), pa.float64())
    values = expect(plan.features[chosen.rows], chosen.drawn.actions)
    return pa.array(values, mask=np.isin(plan.variants[chosen.rows], list(plan.players)))


def _unsent(count: int) -> dict[str, pa.Array]:
    """What marks decisions of which nothing is sent: nobody has had them, and they cost nothing."""
    return {
        "variant": pa.repeat(SHADOW, count),
        "due_at": pa.nulls(count, pa.timestamp("us", "UTC")),
        "cost": pa.repeat(0.0, count),
        "cost_rewarded": pa.repeat(0.0, count),
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
