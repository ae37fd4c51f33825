"""Frames as the collector writes them, and the requests that real clients sent."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opportune.storage import Frame

BESIDE = Path(__file__).parents[2].parent / "shared" / "reference"
CAPTURES = Path(os.environ.get("REFERENCE_FOLDER", BESIDE)) / "segment-captures"
RECEIVED_US = 1_795_288_391_000_000  # 2026-11-21T19:13:11Z


@pytest.fixture
def frame() -> Callable[..., Frame]:
    """Make a frame of source "shop" with this body, as JSON unless it is bytes."""

    def make(body: object, *, kind: str = "batch", segment: str = "", offset: int = 0) -> Frame:
        return Frame(
            received_at_us=RECEIVED_US,
            source_id="shop",
            kind=kind,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            segment=segment,
            offset=offset,
        )

    return make


@pytest.fixture
def captured() -> Callable[[str], list[dict[str, Any]]]:
    """Read the POST requests that a real client sent, as recorded."""

    def read(name: str) -> list[dict[str, Any]]:
        path = CAPTURES / f"{name}.json"
        if not path.exists():
            pytest.skip(
                f"no recorded requests of real clients: {path.name} is not in REFERENCE_FOLDER"
            )
        requests = json.loads(path.read_text())["requests"]
        return [request for request in requests if request["method"] == "POST"]

    return read
