"""Draws around what is known: the committee that plays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.algebra import solve_upper
from opportune.policies.argmax import Committee
from opportune.policies.knowledge import Knowledge, Model
from opportune.policies.layout import Layout, coefficients
from opportune.policies.uniforms import uniforms

__all__ = ["committee", "drawn"]

WIDTH_RESPONSES = 1.0
"""Rewarded plays after which an option is sampled at 1/sqrt(2) of its posterior width."""

LEAST_WIDTH = 0.15

Floats = NDArray[np.float64]


def drawn(
    shape: Layout, known: Knowledge, *, draws: int, seed: int
) -> tuple[Floats, Floats | None]:
    """Draws of the coefficients of the chance, and of the amount: ``(draws, p)`` each.

    Each draw is of a memory, chosen by its weight, and lies around that memory's mean: as wide as
    the posterior for an option that has hardly been rewarded, a seventh of it for a well-known one.
    Full-width Thompson sampling is far too curious with thousands of decisions a day.
    """
    chance = uniforms(f"memory:{seed}", np.arange(draws))
    weights = np.exp(known.log_weights)
    members = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], chance, side="right")
    width = np.sqrt(WIDTH_RESPONSES / (WIDTH_RESPONSES + known.responses))
    spreads = [coefficients(shape, np.maximum(LEAST_WIDTH, each)) for each in width]
    first = _around(shape, known.chance, members, spreads, f"chance:{seed}")
    if known.amount is None:
        return first, None
    return first, _around(shape, known.amount, members, spreads, f"amount:{seed}")


def _around(
    shape: Layout, model: Model, members: NDArray[np.int64], spreads: list[Floats], key: str
) -> Floats:
    found = np.zeros((len(members), shape.size))
    for place in np.unique(members).tolist():
        member = model.members[place]
        rows = np.flatnonzero(members == place)
        normal = _normals(f"{key}:{place}", len(member.active), len(rows))
        noise = solve_upper(member.lower, normal)
        spread = spreads[place][member.active]
        found[np.ix_(rows, member.active)] = member.mean + (spread[:, None] * noise).T
    # What is the customer's own is equal for all actions.
    return found


def committee(shape: Layout, coefficients_: Floats) -> Committee:
    """The committee's tables: ``(S, p)`` -> what each option is worth under each draw."""
    draws = len(coefficients_)
    unary = coefficients_[:, shape.width : shape.unary].reshape(draws, shape.options, shape.width)
    pairs = tuple(
        (
            d,
            e,
            coefficients_[:, start : start + shape.sizes[d] * shape.sizes[e]]
            .reshape(draws, shape.sizes[d], shape.sizes[e])
            .astype(np.float32),
        )
        for d, e, start in shape.pairs
    )
    return Committee(
        unary=np.ascontiguousarray(unary.transpose(2, 0, 1), dtype=np.float32), pairs=pairs
    )


def _normals(key: str, rows: int, columns: int) -> Floats:
    """Standard normal numbers from the room's own hash (Box-Muller): the same for ever."""
    count = rows * columns
    flat = uniforms(key, np.arange(2 * count))
    radius = np.sqrt(-2.0 * np.log1p(-flat[:count]))
    return np.asarray((radius * np.cos(2.0 * np.pi * flat[count:])).reshape(rows, columns))
