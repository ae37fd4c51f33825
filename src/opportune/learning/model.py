"""The table of rewards, and where a policy knows something from before its use case began."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

__all__ = ["REWARDS", "WarmStart"]

# What each decision earned in its window: one row a decision, zero included. ``metric``: what was
# counted. ``began_at_us``: where the window begins; ``first_at_us``, ``last_at_us``: when the first
# and the last of what is worth more than nothing happened, null where nothing did. All four are
# null in rows from before they were kept.
REWARDS = pa.schema(
    [
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("reward", pa.float64(), nullable=False),
        pa.field("matured_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("metric", pa.string()),
        pa.field("began_at_us", pa.int64()),
        pa.field("first_at_us", pa.int64()),
        pa.field("last_at_us", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Where a policy learned what it knew before its use case began.

    ``source``: the name of a file, or "use case" and the policy of another one. ``digest``: hex
    digits of that file or policy. ``meaning``: hex digits of what a file's columns mean.
    ``outcome``: what the reward is called there. ``rows`` taught it, None where nobody counted
    them; ``left_out`` rows had an option that is unknown here. ``share``, 0 to 1: each row counts
    as so much of a row of the use case's own.
    """

    source: str
    digest: str
    meaning: str
    outcome: str
    rows: int | None
    left_out: int
    share: float
