"""`opportune bench learn`: what it prints and writes, and what it refuses before it begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from opportune.policies import Uniform
from opportune.simulate import make_world, play, yardsticks

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--days", "4", "--customers", "300")


def test_it_prints_seeds_means_and_differences_and_writes_the_same(
    command: Run, tmp_path: Path
) -> None:
    file = tmp_path / "learn.json"
    code, out, err = command(
        *("bench", "learn", "--world", "static60", "--world", "aa"),
        *("--policy", "uniform", "--policy", "factored_thompson:draws=4", "--seeds", "2"),
        *(*SMALL, "--first-seed", "5", "--json", str(file)),
    )
    assert code == 0
    assert err.splitlines()[:3] == [
        "static60, seed 5: yardsticks",
        "static60, seed 5: uniform",
        "static60, seed 5: factored_thompson:draws=4",
    ]
    static, nothing = json.loads(file.read_text())
    assert [(run["policy"], run["seed"]) for run in static["runs"]] == [
        ("uniform", 5),
        ("factored_thompson:draws=4", 5),
        ("uniform", 6),
        ("factored_thompson:draws=4", 6),
    ]
    uniform, learner = static["runs"][0], static["runs"][1]
    assert learner["peak_bytes"] > 10_000_000
    assert min(learner["decisions_per_s"], learner["updates_per_s"]) > 0
    shares = [[run["captured"] for run in static["runs"][place::2]] for place in (0, 1)]
    [pair] = static["paired"]
    differences = [one - two for one, two in zip(*shares, strict=True)]
    assert pair["captured"]["mean"] == pytest.approx(sum(differences) / 2)
    assert pair["captured"]["half_width"] > 0
    world = make_world("static60", seed=5)
    measures = yardsticks(world, days=4, customers=300)
    again = play(world, Uniform(world.space), measures, customers=300)
    assert uniform["by_day"]["value"] == again.value.tolist()
    assert f"{uniform['captured']:.3f}" in out
    assert "captured by uniform less factored_thompson:draws=4: " in out
    assert [run["captured"] for run in nothing["runs"]] == [None] * 4
    assert nothing["paired"] == []


@pytest.mark.parametrize(
    ("world", "policy", "code", "message"),
    [
        ("statc60", "uniform", 2, "bad_world: There is no world 'statc60'. Did you mean"),
        ("static60", "unifrm", 3, "unknown_plugin: No plugin 'unifrm'"),
        ("static60", "uniform:draws", 2, "bad_measurement: The policy 'uniform:draws' was asked"),
        ("static60", "uniform:draws=8", 2, "bad_policy_setting: The policy 'uniform' has no"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    command: Run, world: str, policy: str, code: int, message: str
) -> None:
    found, out, err = command("bench", "learn", "--world", world, "--policy", policy)
    assert (found, out) == (code, "")
    assert err.startswith(message)


def test_a_a_prints_false_alarms_with_their_interval(command: Run) -> None:
    asked = ("bench", "aa", "--use-cases", "20", "--days", "5")
    code, out, _ = command(*asked)
    assert code == 0
    assert "of 20 use cases without any effect showed one at one of 5 daily looks" in out
    told = json.loads(command(*asked, "--json")[1])
    assert (told["use_cases"], told["days"], told["people_a_day"]) == (20, 5, 2000)
    code, _, err = command("bench", "aa", "--people-a-day", "3")
    assert (code, err.startswith("bad_trial: 3 people a day")) == (2, True)
