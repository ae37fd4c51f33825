"""The table of rewards."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["REWARDS"]

# What each decision earned in its window: one row a decision, zero included.
REWARDS = pa.schema(
    [
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("reward", pa.float64(), nullable=False),
        pa.field("matured_at", pa.timestamp("us", "UTC"), nullable=False),
    ]
)
