"""The comparison of learners: the same figures as in one process, and peers that score right."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from opportune.policies import FactoredThompson
from opportune.simulate import make_world, play, yardsticks

FOLDER = Path(__file__).parents[2] / "benchmarks" / "learners"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file that runs in the peers' environment; it needs none of their libraries to be read."""
    monkeypatch.syspath_prepend(str(FOLDER))
    found = importlib.util.spec_from_file_location("peers", FOLDER / "peers.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def what(sizes: tuple[int, ...], **settings: object) -> dict[str, object]:
    return {"sizes": sizes, "features": 12, "reward": "binary", "seed": 1, "settings": settings}


def test_a_learner_in_its_own_process_decides_as_in_this_one(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    asked = ["--world", "ineligible", "costs", "--seeds", "1", "--days", "4", "--customers", "400"]
    answer = subprocess.run(
        [sys.executable, str(FOLDER / "compare.py"), *asked, "--learners", "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for found in json.loads(file.read_text()):
        world = make_world(found["world"], seed=1)
        policy = FactoredThompson.start(world.space, features=12, reward="binary")
        measures = yardsticks(world, days=4, customers=400)
        here = play(world, policy, measures, customers=400)
        [run] = found["runs"]
        assert run["value"] == pytest.approx(here.value.tolist(), rel=1e-9)
        assert run["captured"] == pytest.approx(here.captured, abs=1e-9)
        assert found["means"]["factored_thompson"]["captured"]["mean"] == run["captured"]
        assert run["peak_bytes"] > 10_000_000
    assert "* factored_thompson" in answer.stdout


def test_a_peer_plays_uniformly_over_what_is_eligible(peers: ModuleType) -> None:
    peer = peers.Peer(what((2, 3)))
    masks = np.tile(np.array([[0b01, 0b110], [0b11, 0b111]], dtype=np.int64), (6_000, 1))
    chosen = peer.uniform(masks)
    assert peer.allowed(masks)[np.arange(len(masks)), peer.codes(chosen)].all()
    counts = np.bincount(peer.codes(chosen[1::2]), minlength=6)
    # Five standard errors of 1,000 expected of 6,000.
    assert np.abs(counts - 1_000).max() < 5 * np.sqrt(1_000 * 5 / 6)


def test_a_peer_takes_the_best_of_what_is_eligible(peers: ModuleType) -> None:
    peer = peers.Peer(what((2, 3)))
    scores = np.array([[1.0, 5.0, 2.0, 0.0, 3.0, 9.0]] * 2)
    masks = np.array([[0b11, 0b111], [0b01, 0b101]])
    assert peer.best(scores, masks).tolist() == [[1, 2], [0, 2]]
    assert peer.best(scores[:1], masks[:1]).tolist() == [[1, 2]]


def test_the_factored_peer_scores_what_its_design_says(peers: ModuleType) -> None:
    peer = peers.BayesianBandits(what((4, 2, 3), pair=0.7, temperature=0.0, alpha=1.0))
    random = np.random.default_rng(1)
    x = random.standard_normal((24, 12))
    vector = random.standard_normal(peer.tables[-1])
    vector[: peer.width] = 0.0
    by_design = peer.design(x, peer.grid) @ vector
    by_fold = np.einsum("nq,nq->n", np.column_stack([np.ones(24), x]), peer.folded(vector))
    assert by_fold == pytest.approx(by_design, rel=1e-12)
