"""Write one segment as a definition, as `opportune apply` writes a folder of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opportune.documents import InvalidDefinition
from opportune.segments.judge import ROOM
from opportune.segments.model import parse_segment
from opportune.segments.references import check_references
from opportune.storage import State, fetch, load_sql

__all__ = ["Written", "define", "written"]

# As a file of that name may be called.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A segment as it was written: its version, since when, and the table of its file."""

    name: str
    version: int
    created_at: datetime
    body: Mapping[str, Any]


def written(state: State) -> dict[str, Written]:
    """Return the newest version of every segment, by name."""
    return {row["name"]: Written(**row) for row in state.rows(load_sql(ROOM, "bodies"))}


def define(state: State, name: str, body: Mapping[str, Any], *, now: datetime) -> bool:
    """Write ``body`` as the next version of segment ``name``; False if it says the same already.

    Raises ``InvalidDefinition`` with every mistake; then nothing was written.
    """
    problems: list[str] = []
    if not NAME.fullmatch(name):
        problems.append(
            f"{name[:70]!r} is no name of a segment. Allowed: small letters, digits, _ and -, 63 "
            "at most, the first a letter or digit."
        )
    parsed = parse_segment(name, body, problems)
    text = json.dumps(body)
    if r"\u0000" in text:
        problems.append("A text has the character U+0000, which cannot be kept.")
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_definitions"))
        others = {
            row["name"]: parse_segment(row["name"], row["body"], [])
            for row in fetch(connection, load_sql(ROOM, "bodies"))
        }
        if parsed is not None:
            before: list[str] = []
            check_references(others, before)
            found: list[str] = []
            check_references({**others, name: parsed}, found)
            problems += [problem for problem in found if problem not in before]
        if problems:
            raise InvalidDefinition(problems)
        facts = {"name": name, "body": text, "now": now}
        return bool(fetch(connection, load_sql(ROOM, "define"), facts))
