"""A metric as a marketer writes it in TOML: an aggregation of one kind of event over a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opportune.documents import Document

__all__ = ["Metric", "parse_metric"]

COUNT = "count"
MAX_WINDOW_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How much of something happened within ``window_days`` days.

    ``property`` is the property of the event ``event`` that is summed, or None: events are counted.
    ``unit`` is what the value counts in, such as "orders" or "EUR".
    """

    name: str
    title: str
    event: str
    property: str | None
    unit: str
    window_days: int


def parse_metric(name: str, body: Mapping[str, object], problems: list[str]) -> Metric | None:
    """Read the table of ``metrics/{name}.toml``; mistakes are added to ``problems``, then None.

    >>> parse_metric("revenue", {"event": "Order Completed", "value": "revenue", "unit": "EUR",
    ...               "window_days": 2}, []).property
    'revenue'
    """
    before = len(problems)
    document = Document(body, f"metrics/{name}.toml", problems)
    value = document.text("value", COUNT)
    days = document.number("window_days", low=1, high=MAX_WINDOW_DAYS)
    if days != int(days):
        document.wrong("window_days", f"{days!r} given, must be a whole number of days.")
    metric = Metric(
        name=name,
        title=document.text("title", name),
        event=document.text("event"),
        property=None if value == COUNT else value,
        unit=document.text("unit"),
        window_days=int(days),
    )
    document.close()
    return metric if len(problems) == before else None
