"""Where the nodes of a small tree lie: columns by depth, a parent beside the middle of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Placed", "tidy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One node: its column, and its row, which may lie between two; the root has no parent."""

    key: str
    parent: str | None
    column: int
    row: float


def tidy(root: str, children: Mapping[str, Sequence[str]]) -> list[Placed]:
    """Lay out the tree below ``root``: no two nodes of a column in one row, parents in the middle.

    Each node may be the child of one other at most.

    >>> [(each.key, each.column, each.row) for each in tidy("a", {"a": ["b", "c"]})]
    [('b', 1, 0.0), ('c', 1, 1.0), ('a', 0, 0.5)]
    """
    placed: list[Placed] = []
    rows = iter(range(10**6))

    def place(key: str, parent: str | None, column: int) -> float:
        below = [place(child, key, column + 1) for child in children.get(key, ())]
        row = (below[0] + below[-1]) / 2 if below else float(next(rows))
        placed.append(Placed(key=key, parent=parent, column=column, row=row))
        return row

    place(root, None, 0)
    return placed
