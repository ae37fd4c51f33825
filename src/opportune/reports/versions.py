"""The versions of a use case: what each said, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opportune.decisions import UseCase, parse_use_case
from opportune.storage import State, load_sql

__all__ = ["Version", "versions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a use case as it was applied.

    ``use_case`` is None where this program cannot read ``body`` any more; ``applied_by`` is ""
    where nobody is known.
    """

    version: int
    applied_at: datetime
    body: Mapping[str, object]
    use_case: UseCase | None
    applied_by: str = ""


def versions(state: State, name: str) -> tuple[Version, ...]:
    """Return the versions of use case ``name``, the oldest first."""
    rows = state.rows(load_sql("opportune.reports", "versions"), {"use_case": name})
    return tuple(
        Version(
            version=row["version"],
            applied_at=row["created_at"],
            body=row["body"],
            use_case=_read(name, row["version"], row["body"]),
            applied_by=row["created_by"],
        )
        for row in rows
    )


def _read(name: str, version: int, body: Mapping[str, object]) -> UseCase | None:
    problems: list[str] = []
    found = parse_use_case(name, body, problems, version=version)
    return None if problems else found
