"""A report as JSON can say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from typing import cast

__all__ = ["to_document"]


def to_document(report: object) -> dict[str, object]:
    """Return a report in objects, lists, texts and numbers: for the API and ``--json``.

    Names are those of the dataclasses; days are ISO dates, times ISO with "Z".
    """
    return cast("dict[str, object]", _plain(report))


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
