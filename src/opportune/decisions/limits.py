"""What keeps decisions on request within cool-downs, cadences and budgets.

Two things decide for one use case: its day's run, and whoever is asked meanwhile. While a day is
being decided nothing is decided on request. Afterwards the number of the `epoch` is another one,
and who read before what people had, or what is left, reads it again: an answer that was made with
an older number cannot be kept.

Between those who are asked at the same time, each answer is the next of its person, in order: of
two that were made without knowing of each other, one is made again. And before an answer is made,
what the dearest action would cost is held of the budget. Neither depends on what is drawn, so
propensities stay exact. Amounts are whole millionths of the budget's unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from opportune.decisions.ask import hand_over_asked
from opportune.decisions.budget import millionths
from opportune.decisions.decide import NoOption
from opportune.decisions.history import Lately, lately
from opportune.decisions.model import UseCase
from opportune.decisions.spend import budget_days, left_for_a_day
from opportune.errors import Unavailable
from opportune.storage import Asked, Stores, load_sql

__all__ = [
    "BeingDecided",
    "Held",
    "Limits",
    "Past",
    "alone",
    "epochs",
    "hold",
    "is_limited",
    "limits_of",
    "past_of",
    "worst",
]

ROOM = "opportune.decisions"
# Held by whoever decides a day within a cap across use cases.
ACROSS = "opportune caps across use cases"
MOST_WAITED_S = 60.0


class BeingDecided(Unavailable):
    """A day of the use case, or of one it shares a cap with, is being decided: ask again."""

    code = "being_decided"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """What was read in one ``epoch``: what people had, and what may be spent.

    ``left``: so many millionths may be kept and held together, as they are counted in the table
    ``on_request``; None: there is no budget. ``shadow_price``: of the newest decided day.
    """

    epoch: int
    lately: Lately
    left: int | None
    shadow_price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A decision on request that a person had: which of them, and what; None: it was sent nothing.

    ``had``: its ``day``, its ``action`` by name, and ``days``, for how long its cadence lasts.
    """

    number: int
    had: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was held for some questions, and what was ``spare`` then; with what people had."""

    granted: int
    spare: int | None
    contacts: Mapping[str, tuple[Contact, ...]]

    def next_of(self, user_id: str) -> int:
        """The number of the next decision of a person."""
        return 1 + max((each.number for each in self.contacts.get(user_id, ())), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What one person had too lately: masks by dimension, whole actions, and whether it waits."""

    cooled: tuple[int, ...]
    recent: tuple[int, ...]
    waits: bool


def is_limited(use_case: UseCase) -> bool:
    """Say whether what may be decided depends on what was decided before."""
    timed = use_case.constraints.cooldowns or use_case.place_of("frequency") is not None
    return bool(timed) or _budget(use_case)


def limits_of(stores: Stores, use_case: UseCase, day: date) -> Limits | None:
    """Read what decisions of ``day`` on request must keep to; None: nothing.

    Raises ``BeingDecided`` while a day of the use case is being decided.
    """
    if not is_limited(use_case):
        return None
    # First of all: what is decided from here on counts as well, and at most twice.
    (row,) = stores.state.rows(load_sql(ROOM, "on_request"), {"use_case": use_case.name})
    if row["deciding"] is not None:
        raise BeingDecided(
            f"Use case '{use_case.name}' is just deciding {row['deciding']} for everybody. Nothing "
            "was decided; ask again in a moment, with the same request_id."
        )
    left, days = None, budget_days(stores, use_case, most=1)
    if _budget(use_case):
        (waiting,) = stores.state.rows(
            load_sql(ROOM, "asked_open_cost"), {"use_case": use_case.name}
        )
        free = left_for_a_day(stores, use_case, day)
        left = None if free is None else free - waiting["cost"] + row["kept"]
    return Limits(
        epoch=row["epoch"],
        lately=lately(stores, use_case, day),
        left=left,
        shadow_price=days[0].shadow_price if days and left is not None else 0.0,
    )


def epochs(stores: Stores) -> dict[str, int | None]:
    """Return the number of each use case that decides on request within limits; None: not now."""
    rows = stores.state.rows(load_sql(ROOM, "epochs"))
    return {row["use_case"]: row["epoch"] for row in rows}


@contextmanager
def alone(stores: Stores, use_case: UseCase, day: date, *, now: datetime) -> Iterator[None]:
    """Decide ``day`` within the block, while nothing is decided on request.

    What was is in the lake when the block begins. Who is killed inside begins again: until then,
    nothing is decided on request. Of the use cases with a cap across all of them one day is decided
    at a time, whoever runs it, so that each counts what the others send. Raises ``BeingDecided``
    where another one takes longer than a minute.
    """
    if not any(each.across for each in use_case.constraints.caps):
        with _alone(stores, use_case, day, now=now):
            yield
        return
    with stores.state.lock(ACROSS, wait_s=MOST_WAITED_S) as taken:
        if not taken:
            raise BeingDecided(
                f"Use case '{use_case.name}' has a cap across use cases, and another one with such "
                f"a cap was being decided for {MOST_WAITED_S:g} s. Nothing was decided; run the "
                "day again."
            )
        with _alone(stores, use_case, day, now=now):
            yield


@contextmanager
def _alone(stores: Stores, use_case: UseCase, day: date, *, now: datetime) -> Iterator[None]:
    if not is_limited(use_case):
        yield
        return
    facts = {"use_case": use_case.name, "day": day}
    if not stores.lake.has("decisions", f"decisions:{use_case.name}:{day}"):
        stores.state.rows(load_sql(ROOM, "begin_deciding"), facts)
        hand_over_asked(stores, now=now)
    try:
        yield
    except NoOption:
        # Nobody may get anything, now as in an hour.
        stores.state.rows(load_sql(ROOM, "end_deciding"), facts)
        raise
    # Where it was killed just before this, the day is decided already.
    stores.state.rows(load_sql(ROOM, "end_deciding"), facts)


def hold(
    state: Asked, use_case: UseCase, limits: Limits, user_ids: Sequence[str], *, need: int
) -> Held | None:
    """Hold up to ``need`` millionths and read what these people had; None: read `limits_of` again.

    With a ``need`` of 0 nothing is held.
    """
    facts = {
        "use_case": use_case.name,
        "epoch": limits.epoch,
        "limit": limits.left,
        "need": need if limits.left is not None else 0,
        "user_ids": list(user_ids),
    }
    rows = state.rows(load_sql(ROOM, "hold_asked"), facts)
    if not rows:
        return None
    contacts: dict[str, tuple[Contact, ...]] = {}
    for user_id, number, had in rows[0]["contacts"]:
        contacts[user_id] = (*contacts.get(user_id, ()), Contact(number=number, had=had))
    spare = None if limits.left is None else rows[0]["spare"]
    return Held(granted=rows[0]["granted"], spare=spare, contacts=contacts)


def past_of(use_case: UseCase, limits: Limits, held: Held, user_id: str, day: date) -> Past:
    """Put together what a person had by the lake, and what it asked for since."""
    cooled, recent, waits = [0] * len(use_case.dimensions), set[int](), False
    row = limits.lately.row_of.get(user_id)
    if row is not None:
        cooled = limits.lately.cooled[row].tolist()
        recent.update(limits.lately.recent[row].as_py() or ())
        waits = bool(limits.lately.waiting[row])
    for contact in held.contacts.get(user_id, ()):
        had = contact.had
        if had is None:
            continue
        ago = abs((day - date.fromisoformat(str(had["day"]))).days)
        action, days = had["action"], had["days"]
        assert isinstance(action, dict)
        assert isinstance(days, int)
        waits = waits or ago < days
        cooled = [
            mask | more for mask, more in zip(cooled, _had(use_case, action, ago), strict=True)
        ]
        recent.update(_whole(use_case, action, ago))
    return Past(cooled=tuple(cooled), recent=tuple(sorted(recent)), waits=waits)


def worst(use_case: UseCase) -> int:
    """What the dearest action may cost."""
    return sum(
        max(millionths(option.cost) for option in dimension.options)
        for dimension in use_case.dimensions
    )


def _budget(use_case: UseCase) -> bool:
    return use_case.budget is not None and use_case.costs is not None


def _had(use_case: UseCase, action: Mapping[str, str], ago: int) -> list[int]:
    """The options that an action of ``ago`` days bars, a mask for each dimension."""
    masks = [0] * len(use_case.dimensions)
    for each in use_case.constraints.cooldowns:
        for d, dimension in enumerate(use_case.dimensions):
            if each.dimension != dimension.name or ago >= each.days:
                continue
            for o, option in enumerate(dimension.options):
                if option.name == action.get(dimension.name) and (
                    not each.options or option.name in each.options
                ):
                    masks[d] |= 1 << o
    return masks


def _whole(use_case: UseCase, action: Mapping[str, str], ago: int) -> list[int]:
    """The place of a whole action of ``ago`` days, where it is barred."""
    wholes = (each.days for each in use_case.constraints.cooldowns if each.dimension is None)
    names = [action.get(dimension.name) for dimension in use_case.dimensions]
    if ago >= max(wholes, default=0):
        return []
    options = [[option.name for option in each.options] for each in use_case.dimensions]
    if not all(name in known for name, known in zip(names, options, strict=True)):
        return []
    indices = [known.index(str(name)) for name, known in zip(names, options, strict=True)]
    return [int(code) for code in use_case.space.codes(np.array([indices], dtype=np.int16))]
