"""The benchmark of off-policy estimates: what the docs promise of our own logs."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "offpolicy_benchmark", ROOT / "benchmarks" / "offpolicy.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up while it is made.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("world", "most"), [("static60", 0.03), ("many", 0.05)])
def test_the_estimators_to_read_come_near_the_truth_on_our_own_logs(
    benchmark: ModuleType, tmp_path: Path, world: str, most: float
) -> None:
    file = tmp_path / "figures.json"
    given = ["--worlds", world, "--later", "0", "--seeds", "2", "--logs", "2", "--json", str(file)]
    benchmark.main([*given, "--obp", str(tmp_path / "none")])
    found = json.loads(file.read_text())[f"{world}, 0 days later"]
    assert found["supported_share"] > 0.9
    for name in ("Switch-DR", "PI-DR"):
        row = found["estimators"][name]
        assert row["rmse"] <= most
        assert row["effective_rows"] > 10_000
        assert row["refused"] == 0
