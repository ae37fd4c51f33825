"""The gate itself: what passes, what fails, and what it says."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

GATE = Path(__file__).with_name("coverage_gate.py")


def file(covered: int, total: int) -> dict[str, object]:
    """A file with one missing line for each line that is not covered, and no branches."""
    return {
        "summary": {
            "covered_lines": covered,
            "num_statements": total,
            "covered_branches": 0,
            "num_branches": 0,
        },
        "missing_lines": list(range(1, total - covered + 1)),
        "missing_branches": [],
    }


def run(folder: Path, files: dict[str, object]) -> subprocess.CompletedProcess[str]:
    report = folder / "coverage.json"
    report.write_text(json.dumps({"files": files}))
    return subprocess.run(
        [sys.executable, str(GATE), str(report)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_enough_coverage_passes(tmp_path: Path) -> None:
    files = {"src/opportune/rules/parse.py": file(10, 10), "src/opportune/errors.py": file(19, 20)}
    answer = run(tmp_path, files)
    assert answer.returncode == 0
    assert answer.stdout == "errors         95.0% of 20\nrules         100.0% of 10\n"


def test_one_uncovered_line_of_a_pure_room_fails(tmp_path: Path) -> None:
    answer = run(tmp_path, {"src/opportune/stats/lift.py": file(999, 1000)})
    assert answer.returncode == 1
    assert "FAILED stats must be covered entirely: 1 lines or branches are not." in answer.stdout
    assert "src/opportune/stats/lift.py: 1\n" in answer.stdout


def test_too_little_elsewhere_fails(tmp_path: Path) -> None:
    files = {"src/opportune/a.py": file(89, 100), "src/opportune/b.py": file(100, 100)}
    answer = run(tmp_path, files)
    assert answer.returncode == 1
    assert "The other rooms must reach 95% together: they have 94.5%." in answer.stdout


def test_a_room_cannot_hide_behind_the_others(tmp_path: Path) -> None:
    files = {
        "src/opportune/cli/demo.py": file(14, 30),
        "src/opportune/cli/show.py": file(70, 70),
        "src/opportune/api/routes.py": file(85, 100),
        "src/opportune/web/routes.py": file(2000, 2000),
    }
    answer = run(tmp_path, files)
    assert answer.returncode == 1
    failed = [line for line in answer.stdout.splitlines() if line.startswith("FAILED")]
    assert failed == ["FAILED cli must reach 85% by itself: it has 84.0%."]


@pytest.mark.parametrize("room", ["policies", "promotions", "rules", "stats"])
def test_the_pure_rooms_are_named(room: str) -> None:
    assert room in runpy.run_path(str(GATE))["ENTIRELY"]
