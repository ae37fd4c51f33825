"""The benchmark of sending at most once, in small: with trouble, late engagement and a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_nobody_gets_a_recommendation_twice_and_nobody_is_lost_without_a_word(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "benchmarks.exactly_once", "--recommendations", "2000"]
    limits = ["--calls", "30", "--window-s", "5", "--kill-every-s", "1.5"]
    figures = tmp_path / "figures.json"
    ended = subprocess.run(
        [*command, *limits, "--json", str(figures)], cwd=ROOT, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stdout.decode() + ended.stderr.decode()[-2000:]
    found = json.loads(figures.read_text())
    assert found["recommendations"] == 2000
    assert found["most_messages_a_recommendation"] == 1
    assert found["sent"] == 2000 - found["reported_ambiguous_or_failed"]
    assert found["without_a_reason"] == 0
