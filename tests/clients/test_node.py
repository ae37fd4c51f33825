"""Segment's Node library against the whole program."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
@pytest.mark.xdist_group("node")
def test_events_of_the_node_library_are_found_in_the_lake_and_the_profile(
    program: Any, libraries: Path
) -> None:
    command = ["node", "send.mjs", program.address, program.keys["segment-node"]]
    done = subprocess.run(
        command, cwd=libraries, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"failed": []}
    rows = program.events("segment-node", count=46)
    assert Counter(row["type"] for row in rows) == {
        "track": 41,
        **dict.fromkeys(("identify", "page", "screen", "group", "alias"), 1),
    }
    orders = [row for row in rows if row["event"] == "Order Completed"]
    assert {row["message_id"] for row in orders} == {f"node-order-{n}" for n in range(40)}
    (page,) = (json.loads(row["properties"]) for row in rows if row["type"] == "page")
    assert page == {"url": "http://x.example", "category": "Docs", "name": "Home"}
    profile = program.profile("user_id", "node-1")
    assert (profile["traits"]["plan"], profile["traits"]["seats"]) == ("gold", 4)


@pytest.mark.slow
@pytest.mark.xdist_group("node")
def test_the_node_library_hears_of_a_wrong_key(program: Any, libraries: Path) -> None:
    command = ["node", "send.mjs", program.address, "wrong"]
    done = subprocess.run(
        command, cwd=libraries, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    failed = json.loads(done.stdout)["failed"]
    assert failed
    assert {reason.partition(":")[0] for reason in failed} == {"delivery_failure"}
