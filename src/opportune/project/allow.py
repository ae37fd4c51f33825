"""Accept from now on what a tracking plan refused: its next version, written as `apply` does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from opportune.errors import Conflict
from opportune.events import parse_plan
from opportune.project.check import build
from opportune.project.definitions import NEWEST, applied
from opportune.storage import State, fetch, load_sql

__all__ = ["ALLOWABLE", "NothingToAllow", "allow"]

# Codes of rejects that a tracking plan alone decides.
UNPLANNED, VIOLATION = "unplanned", "schema_violation"
ALLOWABLE = (UNPLANNED, VIOLATION)


class NothingToAllow(Conflict):
    """No tracking plan refuses what is to be accepted, or not any more."""

    code = "nothing_to_allow"


def allow(state: State, source: str, code: str, event: str, *, now: datetime) -> list[str]:
    """Have the plans of ``source`` accept what they refused with ``code``.

    "unplanned": ``event`` joins the plan, with whatever fields it has. "schema_violation": what
    breaks the plan is stored, and counted as flagged. Returns "tracking_plan/NAME version N" for
    each plan that is written. Raises ``NothingToAllow``; then nothing was written.
    """
    written = []
    with state.transaction() as connection:
        fetch(connection, load_sql("opportune", "lock_definitions"))
        before = applied(fetch(connection, load_sql("opportune", NEWEST)))
        for name, body in before.bodies["tracking_plan"].items():
            plan = None if body is None else parse_plan(name, body, [])
            if body is None or plan is None or not plan.speaks_for(source):
                continue
            changed = _planned(body, event) if code == UNPLANNED else _relaxed(body)
            if code == UNPLANNED and plan.unplanned_events != "block":
                continue
            facts = {
                **{"kind": "tracking_plan", "name": name, "body": json.dumps(changed)},
                **{"renew": False, "now": now, "by": ""},
            }
            for row in fetch(connection, load_sql("opportune", "apply_definition"), facts):
                written.append(f"tracking_plan/{name} version {row['version']}")
        if not written:
            raise NothingToAllow(
                "No tracking plan refuses this now: send what was refused again, or look for its "
                "reason. Nothing was changed."
            )
        build(applied(fetch(connection, load_sql("opportune", NEWEST))), [], personal=frozenset())
    return written


def _planned(body: Mapping[str, object], event: str) -> dict[str, object]:
    given = body.get("events")
    events = list(given) if isinstance(given, list) else []
    if any(each.get("name") == event and each.get("type", "track") == "track" for each in events):
        return dict(body)
    return {**body, "events": [*events, {"name": event}]}


def _relaxed(body: Mapping[str, object]) -> dict[str, object]:
    keys = ("unplanned_properties", "violations")
    return {**body, **{key: "accept" for key in keys if body.get(key) == "block"}}
