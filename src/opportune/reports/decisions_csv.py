"""The list of decisions as a file that other programs read."""

from __future__ import annotations

import csv
import io

from opportune.reports.decision_log import DecisionLog

__all__ = ["decisions_csv", "safe_text"]

COLUMNS = (
    *("decision_id", "day", "decided_at", "version", "profile_id", "user_id", "variant"),
    *("propensity", "explored", "policy_version", "delivery", "reason"),
)
# A spreadsheet reads such a text as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def decisions_csv(log: DecisionLog) -> str:
    """Write the decisions of ``log``, a row each with a column for each dimension of any of them.

    A text that a spreadsheet would run as a formula has an apostrophe before it.
    """
    dimensions = list(dict.fromkeys(name for each in log.decisions for name in each.action))
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow([*COLUMNS, *(safe_text(f"chosen_{name}") for name in dimensions)])
    for each in log.decisions:
        rows.writerow(
            [
                *(_cell(getattr(each, name)) for name in COLUMNS),
                *(safe_text(each.action.get(name, "")) for name in dimensions),
            ]
        )
    return written.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return safe_text(value)
    return "" if value is None else value


def safe_text(text: str) -> str:
    """Return a text that no spreadsheet runs: with an apostrophe before it, where it would."""
    return f"'{text}" if text.startswith(FORMULA) else text
