"""`opportune replay`: the same to the last digit twice, and nothing made of a bad file."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from opportune.events import FieldForbidden, FieldPolicies
from opportune.plugins import UnknownPlugin
from opportune.replay import UnusableFile, check_columns, read_campaign, read_schema


@pytest.fixture
def command() -> typer.Typer:
    from opportune.cli.replay import replay_command

    app = typer.Typer()
    app.command()(replay_command)
    return app


@pytest.fixture
def kept() -> Iterator[Path]:
    """A folder to keep. Not below pytest's own, which it closes to the database's user."""
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place:
        yield Path(place) / "kept"


def test_the_command_prints_the_same_to_the_last_digit_twice(
    kept: Path, command: typer.Typer, spring: Any
) -> None:
    file = spring.written(spring.made(rows=1_500))
    given = [str(file), "--schema", str(spring.schema_file()), "--seed", "5"]
    first = CliRunner().invoke(command, [*given, "--json"])
    second = CliRunner().invoke(command, [*given, "--json", "--data", str(kept)])
    assert first.exit_code == 0
    assert first.stdout == second.stdout
    assert "bought: days played: 4 of 4" in first.stderr
    found = json.loads(first.stdout)
    assert [each["outcome"] for each in found] == ["bought", "spent"]
    assert found[0]["best_single_action"] in ("sale", "news")
    page = CliRunner().invoke(command, [*given, "--outcome", "bought", "--data", str(kept)])
    lines = page.stdout.splitlines()
    assert lines[0].startswith("Spring: bought a row, learned from 750 rows in 4 days")
    assert [line.split("  ")[0] for line in lines[4:9]] == [
        "learned policy",
        "always nothing (control)",
        "always sale",
        "always news",
        "as it was run",
    ]
    assert f"{found[0]['learned']['dr']['value']:.4f} ±" in lines[4]
    assert found[0]["policies"] == []


def test_further_policies_stand_beside_the_learner(
    kept: Path, command: typer.Typer, spring: Any
) -> None:
    file = spring.written(spring.made(rows=1_500))
    given = [str(file), "--schema", str(spring.schema_file()), "--outcome", "bought"]
    given += ["--data", str(kept), "--policy", "factored_thompson, uniform,epsilon_greedy"]
    page = CliRunner().invoke(command, given)
    assert page.exit_code == 0
    lines = page.stdout.splitlines()
    assert lines[2].endswith("supported    DR minus the best single")
    names = ["learned policy", "uniform", "epsilon_greedy", "always nothing (control)"]
    assert [line.split("  ")[0] for line in lines[4:8]] == names
    assert all("]" in line for line in lines[4:7])
    assert "]" not in lines[7]
    (found,) = json.loads(CliRunner().invoke(command, [*given, "--json"]).stdout)
    assert [each["name"] for each in found["policies"]] == ["uniform", "epsilon_greedy"]
    uniform, greedy = found["policies"]
    best = max(each["dr"]["value"] for each in found["single_actions"])
    # Every action a third of the time earns what the three earn on average.
    average = sum(each["dr"]["value"] for each in found["single_actions"]) / 3
    assert uniform["dr"]["value"] == pytest.approx(average, rel=1e-9)
    assert uniform["minus_best"]["value"] == pytest.approx(average - best, rel=1e-6)
    assert uniform["minus_best"]["high"] < 0
    assert greedy["dr"]["value"] > uniform["dr"]["value"]
    assert greedy["effective_sample_size"] > 100


def test_a_policy_that_cannot_be_started_is_refused_before_anything_is_played(
    tmp_path: Path, command: typer.Typer, spring: Any
) -> None:
    file = spring.written(spring.made(rows=100))
    given = [str(file), "--schema", str(spring.schema_file()), "--policy", "uniforn"]
    answer = CliRunner().invoke(command, [*given, "--data", str(tmp_path / "kept")])
    assert isinstance(answer.exception, UnknownPlugin)
    assert "Did you mean 'uniform'?" in answer.exception.message
    assert not (tmp_path / "kept").exists()


def test_the_command_refuses_a_file_before_it_makes_anything(
    tmp_path: Path, command: typer.Typer, spring: Any
) -> None:
    file = spring.written(spring.few(chance=[0.0] * 10))
    given = [str(file), "--schema", str(spring.schema_file())]
    answer = CliRunner().invoke(command, [*given, "--data", str(tmp_path / "kept")])
    assert isinstance(answer.exception, UnusableFile)
    assert not (tmp_path / "kept").exists()


def test_the_command_refuses_columns_that_a_policy_forbids(
    tmp_path: Path, command: typer.Typer, spring: Any
) -> None:
    folder = tmp_path / "project"
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
        shutil.copytree(shipped, folder)
    (folder / "privacy.toml").write_text(
        '[fields.traits]\nvisits = ["money"]\n[fields.properties]\nspent = ["money"]\n'
        '[policies.no-money]\nforbids = ["money"]\napplies_to = ["features"]\n'
    )
    file = spring.written(spring.made(rows=100))
    given = [str(file), "--schema", str(spring.schema_file()), "--project", str(folder)]
    answer = CliRunner().invoke(command, [*given, "--data", str(tmp_path / "kept")])
    assert isinstance(answer.exception, FieldForbidden)
    forbids = "is money (as labelled), and policy 'no-money' forbids money fields for features."
    assert answer.exception.message.splitlines() == [
        f"s.toml, features: trait 'visits' {forbids} Use another field.",
        f"s.toml, outcome 'spent': property 'spent' {forbids} Use another field.",
    ]
    assert not (tmp_path / "kept").exists()


def test_texts_that_look_like_a_persons_are_no_features(spring: Any) -> None:
    rows = spring.made(rows=100)
    rows["plan"] = [f"ana{number % 9}@shop.example" for number in range(100)]
    schema = read_schema(spring.schema_file())
    campaign = read_campaign(spring.written(rows), schema)
    with pytest.raises(FieldForbidden, match=r"trait 'plan' is personal \(by values that came\)"):
        check_columns(campaign, schema.outcomes, FieldPolicies())


TWO_DIMENSIONS = """
title = "Two at a time"
features = ["visits", "plan"]
categorical = ["plan"]
control = { letter = "none", hour = "9" }
propensity = { letter = { none = 0.3, sale = 0.3, news = 0.4 }, hour = { 9 = 0.995, 18 = 0.005 } }
batches = 2
held_out_share = 0.9

[[dimensions]]
name = "mail"
column = "letter"
options = { none = "nothing", sale = "sale", news = "news" }

[[dimensions]]
name = "hour"
column = "hour"
options = { 9 = "09", 18 = "18" }

[[outcomes]]
name = "bought"
column = "bought"
kind = "binary"
"""


def test_columns_come_where_they_tell_more_and_what_cannot_be_told_is_refused(
    kept: Path, tmp_path: Path, command: typer.Typer, spring: Any
) -> None:
    rows, random = 3_000, np.random.default_rng(2)
    columns = spring.made(rows=rows)
    columns["letter"] = pa.array(random.choice(["none", "sale", "news"], rows, p=[0.3, 0.3, 0.4]))
    columns["hour"] = pa.array(np.where(random.random(rows) < 0.005, 18, 9))
    schema = tmp_path / "two.toml"
    schema.write_text(TWO_DIMENSIONS)
    given = [str(spring.written(columns)), "--schema", str(schema), "--data", str(kept)]
    page = CliRunner().invoke(command, given)
    assert page.exit_code == 0, page.exception
    lines = page.stdout.splitlines()
    heads = ["IPS", "SNIPS", "DR", "Switch-DR", "PI-DR", "effective rows", "supported"]
    assert re.split(r"  +", lines[2].strip()) == heads
    (found,) = json.loads(CliRunner().invoke(command, [*given, "--json"]).stdout)
    rows_of = {each["name"]: each for each in found["single_actions"]}
    early, late = rows_of["sale + 09"], rows_of["sale + 18"]
    assert early["dr"]["low"] < early["dr"]["value"] < early["dr"]["high"]
    assert early["pi_dr"]["reason"] == ""
    assert early["pi"]["effective_sample_size"] > 100
    assert (late["dr"]["low"], late["dr"]["high"]) == (None, None)
    assert "rows of the target policy's own play" in late["dr"]["reason"]
    (shown,) = [line for line in lines if line.startswith("always sale + 18")]
    assert "refused" in shown
    # However well a handful of rows went, what cannot be trusted is not the best.
    assert found["best_single_action"].endswith("09")
