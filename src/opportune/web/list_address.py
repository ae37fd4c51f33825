"""The address of a list of people: who is meant, in which order, with which columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast
from urllib.parse import urlencode

from opportune.profiles import PeopleFilter, PeopleOrder, Picked
from opportune.web.asking import Fields

__all__ = ["ListAddress", "read_list", "sort_of"]

MOST_COLUMNS = 6
SORTS = ("last_seen", "first_seen", "name")
PARTS = ("range", "value", "no_number", "no_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAddress:
    """A list as its address says it; what cannot be read in one is left out."""

    chosen: PeopleFilter
    order: PeopleOrder
    columns: tuple[str, ...] = ()

    def at(self, path: str = "/people", *, page: int = 1) -> str:
        """Return the address, of the page ``page`` where there are several."""
        given = self.fields()
        pairs = given if page == 1 else [*given, ("page", str(page))]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def fields(self) -> list[tuple[str, str]]:
        """Return what the address says, for a form too."""
        pairs = [("q", self.chosen.search), ("segment", self.chosen.segment or "")]
        if self.order != PeopleOrder():
            pairs += [("sort", sort_of(self.order)), ("down", str(int(self.order.descending)))]
        pairs += [("column", each) for each in self.columns]
        picked = self.chosen.picked
        if picked is not None:
            pairs += [("part", picked.part), ("of", sort_of(picked))]
            if picked.part == "range":
                pairs += [("low", repr(picked.low)), ("high", repr(picked.high))]
            elif picked.part == "value":
                return [*(pair for pair in pairs if pair[1]), ("said", picked.said)]
        return [pair for pair in pairs if pair[1]]

    def sorted(self, order: PeopleOrder) -> ListAddress:
        """Return the same list in another order."""
        return replace(self, order=order)

    def picking(self, picked: Picked | None) -> ListAddress:
        """Return the same list of a part of a column alone."""
        return replace(self, chosen=replace(self.chosen, picked=picked))


def read_list(given: Fields) -> ListAddress:
    """Read the fields of an address or a form."""
    columns = [each.strip() for each in given.all("column")]
    return ListAddress(
        chosen=PeopleFilter(
            search=given.get("q"), segment=given.get("segment") or None, picked=_picked(given)
        ),
        order=_order(given.get("sort"), down=given.get("down", "1") == "1"),
        columns=tuple(dict.fromkeys(each for each in columns if each))[:MOST_COLUMNS],
    )


def sort_of(order: PeopleOrder | Picked) -> str:
    """Write a column as an address does.

    >>> sort_of(PeopleOrder(by="trait", trait="age"))
    'trait:age'
    """
    return f"trait:{order.trait}" if order.by == "trait" else order.by


def _order(sort: str, *, down: bool) -> PeopleOrder:
    if sort.startswith("trait:"):
        return PeopleOrder(by="trait", trait=sort.removeprefix("trait:"), descending=down)
    if sort not in SORTS:
        return PeopleOrder()
    by = cast(Literal["last_seen", "first_seen", "name"], sort)
    return PeopleOrder(by=by, descending=down)


def _picked(given: Fields) -> Picked | None:
    part, of = given.get("part"), _order(given.get("of"), down=True)
    said: Sequence[str] = given.all("said")
    low, high = _number(given.get("low")), _number(given.get("high"))
    if part not in PARTS or of.by == "name" or not given.get("of"):
        return None
    if (part == "range" and (low is None or high is None)) or (part == "value" and not said):
        return None
    return Picked(
        part=cast(Literal["range", "value", "no_number", "no_value"], part),
        by=of.by,
        trait=of.trait,
        low=low or 0.0,
        high=high or 0.0,
        said=said[0] if said else "",
    )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
