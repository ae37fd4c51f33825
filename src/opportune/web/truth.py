"""What only a demo can know: how much of the best possible result each day's decisions reached."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

__all__ = ["Truth", "read_truth"]

FILE = "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The share of the achievable uplift each day captured: 0 as by chance, 1 the best possible.

    Empty where the demo has not written any yet.
    """

    captured: tuple[tuple[date, float], ...]


def read_truth(data_folder: Path) -> Truth | None:
    """Return what ``demo.json`` of the data folder says, None where the data are no demo's.

    A file that cannot be read still marks the data as a demo's.
    """
    try:
        document = json.loads((data_folder / FILE).read_text(encoding="utf-8"))
        captured = tuple(
            (date.fromisoformat(row["day"]), float(row["share"])) for row in document["captured"]
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        return Truth(captured=())
    return Truth(captured=captured)
