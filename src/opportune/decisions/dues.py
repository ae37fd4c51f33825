"""What is due for an action that somebody asked for."""

from __future__ import annotations

from collections.abc import Mapping

from opportune.decisions.model import UseCase

__all__ = ["dues"]


def dues(use_case: UseCase, action: Mapping[str, str]) -> dict[str, float | None]:
    """Return the columns of the decision log for an action by name.

    What it costs when it is carried out and when its reward comes; nothing is ever due of an action
    that sends nothing.
    """
    options = [
        option
        for dimension in use_case.dimensions
        for option in dimension.options
        if action.get(dimension.name) == option.name
    ]
    found: dict[str, float | None] = {
        "cost": sum(each.cost for each in options if each.cost_due == "sent"),
        "cost_rewarded": sum(each.cost for each in options if each.cost_due == "rewarded"),
    }
    if any(each.nothing for each in options):
        return {"cost": 0.0, "cost_rewarded": 0.0, "due_at": None}
    return found
