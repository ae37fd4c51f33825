"""Find what makes a use case's constraints contradict each other, before any day is decided."""

from __future__ import annotations

import math

import numpy as np

from opportune.decisions.combinations import breaking, quiet_options
from opportune.decisions.model import UseCase
from opportune.documents import Document

__all__ = ["MOST_COOLED", "check_constraints"]

# Spaces beyond are not enumerated here: whoever has no action left is found on the day.
MOST_ENUMERATED = 1_000_000
MOST_COOLED = 10_000
"""Most combinations of a use case with a cool-down of the whole action."""
HOURS = frozenset(f"{hour:02}" for hour in range(24))


def check_constraints(document: Document, use_case: UseCase) -> None:
    """Note every constraint that can never be met, and names that mean two things."""
    before = len(document.problems)
    _check_meanings(document, use_case)
    _check_parameters(document, use_case)
    if len(document.problems) == before and _is_readable(use_case):
        _check_quiet_hours(document, use_case)
        _check_combinations(document, use_case)


def _check_meanings(document: Document, use_case: UseCase) -> None:
    meanings = [each.meaning for each in use_case.dimensions]
    for meaning in ("hour", "day", "channel", "frequency"):
        if meanings.count(meaning) > 1:
            document.wrong("dimensions", f"only one dimension may mean the {meaning}.")


def _check_parameters(document: Document, use_case: UseCase) -> None:
    """What is sent is one flat table: a name in it comes from one place."""
    owners = {each.name: "" for each in use_case.dimensions} | {"decision_id": ""}
    for dimension in use_case.dimensions:
        for name in sorted({name for each in dimension.options for name in each.parameters}):
            if owners.setdefault(name, dimension.name) != dimension.name:
                where = f"dimensions.{dimension.name}.options"
                document.wrong(where, f"parameter {name!r} is sent already, take another name.")


def _is_readable(use_case: UseCase) -> bool:
    """Whether every name stands for one thing, as other mistakes may leave it."""
    options = {each.name: [one.name for one in each.options] for each in use_case.dimensions}
    hour = use_case.place_of("hour")
    hours = () if hour is None else use_case.dimensions[hour].options
    return (
        0 < len(options) == len(use_case.dimensions)
        and all(0 < len(set(names) - {""}) == len(names) <= 63 for names in options.values())
        and math.prod(map(len, options.values())) <= MOST_ENUMERATED
        and all(each.nothing or each.name in HOURS for each in hours)
        and all(
            set(named) <= set(options.get(dimension, ()))
            for each in use_case.constraints.forbidden
            for dimension, named in each.options.items()
        )
    )


def _check_quiet_hours(document: Document, use_case: UseCase) -> None:
    hour = use_case.place_of("hour")
    if hour is not None and not quiet_options(use_case)[hour]:
        document.wrong("constraints.quiet_hours", "they bar every hour that can be chosen.")


def _check_combinations(document: Document, use_case: UseCase) -> None:
    space, cooldowns = use_case.space, use_case.constraints.cooldowns
    if space.combinations > MOST_COOLED and any(each.dimension is None for each in cooldowns):
        document.wrong(
            "constraints.cooldown",
            f"the whole action has {space.combinations} combinations, at most {MOST_COOLED} can be "
            "kept apart; name a dimension.",
        )
    always = [place for place, each in enumerate(use_case.constraints.forbidden) if not each.when]
    if not always:
        return
    actions = space.actions().astype(np.int64)
    loud = ((quiet_options(use_case) >> actions) & 1).all(axis=1)
    allowed = ~breaking(use_case)[always].any(axis=0)
    if not (loud & allowed).any():
        document.wrong("constraints.forbidden", "every combination is forbidden to everybody.")
        return
    for d, dimension in enumerate(use_case.dimensions):
        left = np.bincount(actions[allowed, d], minlength=len(dimension.options))
        for o in np.flatnonzero(left == 0):
            name = dimension.options[o].name
            where = f"dimensions.{dimension.name}.options"
            document.wrong(where, f"{name!r} is forbidden together with everything else.")
