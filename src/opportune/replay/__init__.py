"""Replay: a randomised campaign that was really run, played through the same rooms as live ones.

`read_schema` reads what the columns of a file mean, `read_campaign` reads and checks its rows, and
`replay` lets the policy live through them day by day and asks, on rows it never saw, what it would
have earned; `compare` sets further policies beside it. `warm_start` has a live use case begin with
what the rows teach.

Invariants: rows that are held out have features and nothing else in the stores, so they cannot
teach; the same file, schema and seed give the same answer to the last digit; a file with a mistake
is refused before anything is written, with every mistake.

Deliberately absent: rows without a propensity. Without it nobody can say what another policy would
have earned.
"""

from opportune.files import UnusableFile
from opportune.replay.compare import check_policies, compare
from opportune.replay.enter import Told
from opportune.replay.fields import check_columns
from opportune.replay.lessons import DoesNotFit, Lessons, lessons
from opportune.replay.model import (
    Campaign,
    LoggedDimension,
    LoggedFeature,
    Outcome,
    Replayed,
    Rival,
    Schema,
)
from opportune.replay.read import read_campaign
from opportune.replay.run import UnknownOutcome, replay
from opportune.replay.schema import parse_schema, read_schema
from opportune.replay.verdict import verdict
from opportune.replay.warm import Begun, warm_start

__all__ = [
    "Begun",
    "Campaign",
    "DoesNotFit",
    "Lessons",
    "LoggedDimension",
    "LoggedFeature",
    "Outcome",
    "Replayed",
    "Rival",
    "Schema",
    "Told",
    "UnknownOutcome",
    "UnusableFile",
    "check_columns",
    "check_policies",
    "compare",
    "lessons",
    "parse_schema",
    "read_campaign",
    "read_schema",
    "replay",
    "verdict",
    "warm_start",
]
