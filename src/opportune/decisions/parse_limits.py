"""Read what a use case says of money and of harm: costs, a budget, guard rails."""

from __future__ import annotations

from opportune.decisions.model import Budget, GuardRail, UseCase
from opportune.documents import Document

__all__ = [
    "check_limits",
    "parse_budget",
    "parse_cost",
    "parse_guard_rails",
    "parse_report_metrics",
]

DUE = ("sent", "rewarded")
DIRECTIONS = ("at_most", "at_least")
# Amounts are counted in millionths, so that sums are exact.
MOST = 1e9
MOST_DAYS = 90
# Each costs a look at the events a day.
MOST_REPORTED = 12


def parse_cost(table: Document) -> tuple[float, str]:
    """Read what an option costs, and when that is due."""
    due = table.text("cost_due", "sent")
    if due not in DUE:
        table.wrong("cost_due", f"{due!r} given, must be one of {', '.join(DUE)}.")
    return _amount(table, "cost", 0.0), due


def parse_budget(document: Document) -> Budget | None:
    """Read ``[budget]``; None where there is none."""
    if document.optional("budget") is None:
        return None
    table = document.table("budget")
    per_day, total = (
        _amount(table, key) if key in table.body else None for key in ("per_day", "total")
    )
    unit = table.text("unit") if "unit" in table.body else None
    for key in ("per_day", "total", "unit"):
        table.optional(key)
    table.close()
    if per_day is None and total is None:
        document.wrong("budget", "says no amount, must have per_day or total, or both.")
    return Budget(per_day=per_day, total=total, unit=unit)


def parse_guard_rails(document: Document) -> tuple[GuardRail, ...]:
    """Read ``[[guard_rails]]``; there may be none."""
    if document.optional("guard_rails") is None:
        return ()
    return tuple(_guard_rail(table) for table in document.tables("guard_rails"))


def parse_report_metrics(document: Document) -> tuple[str, ...]:
    """Read which metrics the report shows beside the success metric; there may be none."""
    names = document.texts("report_metrics", ())
    if len(names) > MOST_REPORTED or len(set(names)) < len(names):
        document.wrong(
            "report_metrics",
            f"{len(names)} names given, must be {MOST_REPORTED} at most, each of them once.",
        )
    return names


def check_limits(document: Document, use_case: UseCase) -> None:
    """Note what does not fit together: a budget where nothing costs anything."""
    if use_case.budget is not None and use_case.costs is None:
        document.wrong("budget", "no option has a cost; give those that cost anything their cost.")


def _guard_rail(table: Document) -> GuardRail:
    direction = table.text("direction", "at_most")
    if direction not in DIRECTIONS:
        table.wrong("direction", f"{direction!r} given, must be one of {', '.join(DIRECTIONS)}.")
    days = table.number("days", 7, low=1, high=MOST_DAYS)
    if days != int(days):
        table.wrong("days", f"{days!r} given, must be a whole number of days.")
    rail = GuardRail(
        metric=table.text("metric"),
        direction=direction,
        limit=table.number("limit", low=-MOST, high=MOST),
        days=int(days),
    )
    table.close()
    return rail


def _amount(table: Document, key: str, default: float | None = None) -> float:
    amount = table.number(key, default, low=0.0, high=MOST)
    if abs(amount * 1e6 - round(amount * 1e6)) > 1e-2:
        table.wrong(key, f"{amount!r} given, must have 6 decimals at most.")
    return amount
