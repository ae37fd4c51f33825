"""The dot in the top line: whether anything is wrong, without asking much."""

from __future__ import annotations

from opportune import pipeline, reports
from opportune.storage import Stores

__all__ = ["BEHIND_BYTES", "dot"]

# Less than this is taken in within a second or two.
BEHIND_BYTES = 32 * 1024 * 1024


def dot(stores: Stores) -> tuple[str, str]:
    """Return how the program is, "fine" or "behind", and one sentence that says so."""
    waiting = max(reports.behind(stores).values())
    used = stores.settings.log_folder.exists()
    if used and not pipeline.somebody_ingests(stores.settings):
        return "behind", "No worker runs: what is accepted waits in the log."
    if waiting > BEHIND_BYTES:
        return "behind", "Events arrive faster than they are taken in."
    return "fine", "Everything that was accepted is taken in."
