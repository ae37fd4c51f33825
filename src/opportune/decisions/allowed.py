"""Who may get which options on a day, and why nothing is decided for whoever may get none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import profiles
from opportune.decisions.combinations import none_left, quiet_options
from opportune.decisions.history import capped, cooled, recent, waiting
from opportune.decisions.model import UseCase
from opportune.storage import Stores, load_sql

__all__ = ["OPTIONLESS", "REASONS", "Allowed", "allowed"]

REASONS = {
    "frequency": "the cadence of the last send lets them wait",
    "cap": "they were sent as much lately as a cap allows",
    "no_option": "no option of a dimension is meant for them, or valid on the day",
    "no_consent": "they allow no channel",
    "quiet_hours": "every hour that is meant for them is quiet",
    "cooldown": "they had every option of a dimension, or every action left, too lately",
    "forbidden": "every combination of their options is forbidden",
}
"""Why nothing is decided for a profile; the first one that holds counts."""

# Reasons that a definition gives, and time alone does not take away.
OPTIONLESS = ("no_option", "no_consent", "quiet_hours", "forbidden")

SAID = pa.schema(
    [
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("said", pa.int64(), nullable=False),
        pa.field("granted", pa.int64(), nullable=False),
    ]
)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allowed:
    """What n profiles may get, as columns of a snapshot: see ``FEATURES``."""

    options: Ints
    forbidden: Ints
    recent: pa.ListArray
    reason: pa.Array


def allowed(stores: Stores, use_case: UseCase, day: date, columns: pa.Table) -> Allowed:
    """Judge the profiles of ``columns``, in the order of their ids.

    A column ``e{d}_{o}`` says whether the rule of option o of dimension d holds, and ``r{i}``
    whether forbidden combination i applies; where there is no rule, there is no column.
    """
    profile_ids = columns["profile_id"].to_numpy()
    options = _meant(use_case, day, columns)
    forbidden = _forbidden(use_case, columns)
    lately = recent(stores, use_case, day, profile_ids)
    reason = np.full(len(profile_ids), None, dtype=object)
    reason[capped(stores, use_case, day, profile_ids)] = "cap"
    reason[waiting(stores, use_case, day, profile_ids)] = "frequency"
    stages = (
        ("no_option", np.int64(-1)),
        ("no_consent", _channels(stores, use_case, profile_ids)),
        ("quiet_hours", quiet_options(use_case)),
        ("cooldown", ~cooled(stores, use_case, day, profile_ids)),
    )
    for name, mask in stages:
        options = options & mask
        without = (options == 0).any(axis=1)
        reason[without & (reason == None)] = name  # noqa: E711 - each item of the array
    for name, had in (("forbidden", pa.nulls(len(lately), lately.type)), ("cooldown", lately)):
        without = none_left(use_case, options, forbidden, had)
        reason[without & (reason == None)] = name  # noqa: E711 - each item of the array
    texts = pa.array(reason, pa.string())
    return Allowed(options=options, forbidden=forbidden, recent=lately, reason=texts)


def _meant(use_case: UseCase, day: date, columns: pa.Table) -> Ints:
    masks = np.zeros((columns.num_rows, len(use_case.dimensions)), dtype=np.int64)
    for d, dimension in enumerate(use_case.dimensions):
        for o, option in enumerate(dimension.options):
            if not option.is_valid(day):
                continue
            holds: Ints | int = 1
            if option.eligible is not None:
                holds = columns[f"e{d}_{o}"].to_numpy().astype(np.int64)
            masks[:, d] |= holds << o
    return masks


def _forbidden(use_case: UseCase, columns: pa.Table) -> Ints:
    bits = np.zeros(columns.num_rows, dtype=np.int64)
    for place, each in enumerate(use_case.constraints.forbidden):
        applies: Ints | int = 1
        if each.when is not None:
            applies = columns[f"r{place}"].to_numpy().astype(np.int64)
        bits |= applies << place
    return bits


def _channels(stores: Stores, use_case: UseCase, profile_ids: Ints) -> Ints:
    """Bitmasks ``(n, D)`` of what each profile allows: all but channels, where one asks for it."""
    masks = np.full((len(profile_ids), len(use_case.dimensions)), -1, dtype=np.int64)
    place = use_case.place_of("channel")
    with stores.state.transaction() as connection:
        rules = profiles.consent_rules(connection)
    purpose = None if rules is None else use_case.activation.purpose or rules.sends or None
    if place is None or rules is None or purpose is None:
        return masks
    options = use_case.dimensions[place].options
    facts = {"purpose": purpose, "channels": [option.name for option in options]}
    found = stores.state.table(load_sql("opportune.decisions", "channels_said"), SAID, facts)
    asked = np.int64(sum(1 << o for o, option in enumerate(options) if not option.nothing))
    rows = np.searchsorted(found["profile_id"].to_numpy(), profile_ids)
    rows = np.minimum(rows, max(found.num_rows - 1, 0))
    said, granted = np.zeros((2, len(profile_ids)), dtype=np.int64)
    if found.num_rows:
        theirs = found["profile_id"].to_numpy()[rows] == profile_ids
        said = np.where(theirs, found["said"].to_numpy()[rows], 0)
        granted = np.where(theirs, found["granted"].to_numpy()[rows], 0)
    unknown = ~said if purpose in rules.assumed else np.zeros_like(said)
    masks[:, place] = granted | unknown | ~asked
    return masks
