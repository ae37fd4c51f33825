"""Fails when too little of the package is covered: `coverage_gate.py coverage.json`.

Lines and branches count alike. The rooms of pure mathematics must be covered entirely; the others
reach their share together, and none of them by what another has too much.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENTIRELY = ("policies", "promotions", "rules", "stats")
ELSEWHERE_SHARE = 0.95
ROOM_SHARE = 0.85


def by_room(report: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Covered and all lines and branches of each room."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, file in report["files"].items():
        parts = Path(name).parts
        inside = len(parts) - parts[::-1].index("opportune")
        room = parts[inside].removesuffix(".py")
        summary = file["summary"]
        counts[room][0] += summary["covered_lines"] + summary["covered_branches"]
        counts[room][1] += summary["num_statements"] + summary["num_branches"]
    return {room: (covered, total) for room, (covered, total) in sorted(counts.items())}


def failures(rooms: Mapping[str, tuple[int, int]]) -> list[str]:
    """One sentence for each promise that is not kept."""
    found = [
        f"{room} must be covered entirely: {total - covered} lines or branches are not."
        for room, (covered, total) in rooms.items()
        if room in ENTIRELY and covered < total
    ]
    found += [
        f"{room} must reach {ROOM_SHARE:.0%} by itself: it has {covered / total:.1%}."
        for room, (covered, total) in rooms.items()
        if room not in ENTIRELY and covered < ROOM_SHARE * total
    ]
    rest = [counts for room, counts in rooms.items() if room not in ENTIRELY]
    covered, total = sum(each[0] for each in rest), sum(each[1] for each in rest)
    if covered < ELSEWHERE_SHARE * total:
        share = f"{covered / total:.1%}"
        found.append(
            f"The other rooms must reach {ELSEWHERE_SHARE:.0%} together: they have {share}."
        )
    return found


def main(path: str) -> int:
    """Print what each room has, and what is missing."""
    report = json.loads(Path(path).read_text())
    rooms = by_room(report)
    write = sys.stdout.write
    for room, (covered, total) in rooms.items():
        write(f"{room:12} {covered / total if total else 1:7.1%} of {total}\n")
    found = failures(rooms)
    for sentence in found:
        write(f"FAILED {sentence}\n")
    for name, file in report["files"].items() if found else ():
        if file["missing_lines"] or file["missing_branches"]:
            write(f"  {name}: {_ranges(file)}\n")
    return 1 if found else 0


def _ranges(file: Mapping[str, Any]) -> str:
    lines = [str(line) for line in file["missing_lines"]]
    return ", ".join(lines + [f"{start}->{end}" for start, end in file["missing_branches"]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
