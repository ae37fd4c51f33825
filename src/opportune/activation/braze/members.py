"""Who is in a segment of Braze, and who was in it at the import before and is not any more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json, parquet

from opportune.activation.braze.export import LEFT, BrokenExport, drop_export
from opportune.activation.braze.segment import USER_ID

__all__ = ["Left", "Members", "left", "members"]

# Longer than any line; pyarrow reads no line that does not fit into a block.
BLOCK_BYTES = 8 * 1024 * 1024
KNOWN = "members.parquet"
COLUMNS = pa.schema([pa.field(USER_ID, pa.string())])


@dataclass(frozen=True, slots=True)
class Members:
    """The ids of the customers in a segment, (n,), in the order of the export."""

    ids: pa.ChunkedArray

    def __len__(self) -> int:
        return len(self.ids)

    def keep(self, folder: Path) -> None:
        """Remember them for the next time, all at once."""
        new = folder / f"{KNOWN}.new"
        parquet.write_table(pa.table([self.ids], schema=COLUMNS), new)
        new.replace(folder / KNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A file with the ids of who left, and how many."""

    file: Path
    count: int


def members(file: Path, folder: Path) -> Members:
    """Read the ids of the export ``file``; who has none is not counted.

    Raises ``BrokenExport`` when a line is no JSON; the export is then dropped.
    """
    chunks = []
    if file.stat().st_size > 1:
        try:
            reader = json.open_json(
                file,
                read_options=json.ReadOptions(block_size=BLOCK_BYTES),
                parse_options=json.ParseOptions(
                    explicit_schema=COLUMNS, unexpected_field_behavior="ignore"
                ),
            )
            chunks = [batch.column(0).drop_null() for batch in reader]
        except pa.ArrowInvalid as cause:
            drop_export(folder)
            raise BrokenExport(
                "The file that Braze made has lines that are no JSON. Run the command again: it "
                "asks for a new one."
            ) from cause
    return Members(pa.chunked_array(chunks, pa.string()))


def left(now: Members, folder: Path) -> Left | None:
    """Write who was a member before and is none ``now``; None when that is nobody."""
    if not (folder / KNOWN).exists():
        return None
    before = parquet.read_table(folder / KNOWN).column(USER_ID)
    gone = before.filter(pc.invert(pc.is_in(before, value_set=now.ids)))
    if not len(gone):
        return None
    file = folder / LEFT
    # Written anew with the same bytes when the import goes on, so it is the same import.
    parquet.write_table(pa.table([gone], schema=COLUMNS), file)
    return Left(file=file, count=len(gone))
