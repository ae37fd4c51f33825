"""One decision as the lake keeps it, found by its id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from opportune.decisions import ASKED_FEATURES, FEATURES
from opportune.errors import NotFound
from opportune.reports.decision_log import LoggedDecision, logged
from opportune.reports.versions import Version, versions
from opportune.storage import Stores, load_sql

__all__ = ["DecisionNotFound", "KeptDecision", "one_decision"]

ROOM = "opportune.reports"
# Of the use case, the day, the request where there was one, and the profile.
ID = re.compile(r"([^:]+):([0-9]{8})(:[0-9a-f]{16})?:[0-9a-f]{16}")

Row = Mapping[str, Any]


class DecisionNotFound(NotFound):
    """No decision has this id."""

    code = "decision_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDecision:
    """A decision with what was known when it was made.

    ``row`` is as the lake has it; ``known`` is what it was made of, None where that is not kept;
    ``version`` the definition of then, None where it is gone. ``asked``: on request.
    """

    said: LoggedDecision
    row: Row
    known: Row | None
    version: Version | None
    asked: bool


def one_decision(stores: Stores, decision_id: str) -> KeptDecision:
    """Return the decision with this id. Raises ``DecisionNotFound``."""
    parts = ID.fullmatch(decision_id)
    rows: list[Row] = []
    if parts is not None and (stores.lake.folder / "decisions").is_dir():
        day = _day(parts[2])
        facts = {"decision_id": decision_id, "day": day.isoformat()}
        rows = stores.engine.query(
            load_sql(ROOM, "decision_by_id"), facts, tables={"decisions": ("day", day, day)}
        ).to_pylist()
    if parts is None or not rows:
        raise DecisionNotFound(
            "No decision has this id. Allowed: one from the list of decisions, such as "
            "'next_offer:20260131:00000000000000ff'; a decision on request is listed some seconds "
            "after it was made."
        )
    row, name, asked = rows[0], parts[1], parts[3] is not None
    every = versions(stores.state, name)
    return KeptDecision(
        said=logged(stores.state, name, rows[:1], every)[0],
        row=row,
        known=_known(stores, row, asked=asked),
        version=next((each for each in every if each.version == row["version"]), None),
        asked=asked,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.min


def _known(stores: Stores, row: Row, *, asked: bool) -> Row | None:
    stores.lake.create("features", FEATURES)
    stores.lake.create("asked_features", ASKED_FEATURES)
    table, query, names = (
        ("asked_features", "known_asked", ["decision_id"])
        if asked
        else ("features", "known_of_day", ["use_case", "version", "profile_id"])
    )
    facts = {name: row[name] for name in names} | {"day": row["day"].isoformat()}
    found = stores.engine.query(
        load_sql(ROOM, query), facts, tables={table: ("day", row["day"], row["day"])}
    )
    rows: list[Row] = found.to_pylist()
    return rows[0] if rows else None
