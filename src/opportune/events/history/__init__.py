"""History: files of what happened earlier, let in as events that keep their time.

`read_schema` reads what the columns of a file mean, `enter` appends the messages of a file to the
log, `preview` says beforehand what that would come to, and `is_history` tells later rooms which
events they must start nothing for.

Invariants: an event keeps its time; the same row gives the same message id, so that a file, or one
that overlaps it, adds nothing the second time; a process killed at any point is continued by the
same call; a row that cannot be used is told with its number and reason, and the others go on; rows
pass in columns, a few thousand at a time, however long the file is.

Deliberately absent: a way into the lake or into State. What is imported comes through the log like
everything else.
"""

from opportune.events.history.enter import Place, added, check, enter, preview
from opportune.events.history.mark import is_history
from opportune.events.history.model import (
    Imported,
    ImportRunning,
    RefusedRow,
    Request,
    Schema,
    SchemaMissing,
    Tally,
    Told,
)
from opportune.events.history.note import BrokenNote
from opportune.events.history.refused import KIND, decode_refused
from opportune.events.history.schema import parse_schema, read_schema

__all__ = [
    "KIND",
    "BrokenNote",
    "ImportRunning",
    "Imported",
    "Place",
    "RefusedRow",
    "Request",
    "Schema",
    "SchemaMissing",
    "Tally",
    "Told",
    "added",
    "check",
    "decode_refused",
    "enter",
    "is_history",
    "parse_schema",
    "preview",
    "read_schema",
]
