"""Blank values in what imports keep of rows that they refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from opportune.privacy.values import Values

__all__ = ["blank_notes"]

FOLDER = "imports"


def blank_notes(data_folder: Path, values: Values) -> None:
    """Overwrite every value in the notes of imports, byte for byte, and empty the engine's spill.

    A note says how long its file is: so nothing may become shorter.
    """
    pattern = re.compile(values.either.encode())
    for path in sorted((data_folder / FOLDER).glob("*")):
        before = path.read_bytes()
        after = pattern.sub(_blanked, before)
        if after != before:
            with path.open("r+b") as stream:
                stream.write(after)
    shutil.rmtree(data_folder / "lake" / ".spill", ignore_errors=True)


def _blanked(match: re.Match[bytes]) -> bytes:
    found = match[0]
    if found.startswith(b'"'):
        return b'"' + b"x" * (len(found) - 2) + b'"'
    return b"x" * len(found)
