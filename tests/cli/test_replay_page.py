"""What `opportune replay` prints: its progress, its page and its document for programs."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from rich.console import Console

from opportune import stats
from opportune.cli import replay

Run = Callable[..., tuple[int, str, str]]

SCHEMA = """
title = "Spring"
features = ["visits"]
control = { letter = "none" }
propensity = "chance"
batches = 2
held_out_share = 0.5

[[dimensions]]
name = "mail"
column = "letter"
options = { none = "nothing", sale = "sale", news = "news" }

[[outcomes]]
name = "spent"
column = "spent"
kind = "amount"

[[outcomes]]
name = "bought"
column = "bought"
kind = "binary"
"""


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """A folder whose database serves all of these. Not below pytest's own, which it closes."""
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        yield Path(place) / "kept"


def spring(folder: Path, letters: list[str], schema: str = SCHEMA) -> tuple[str, ...]:
    """A campaign of 400 rows that sent these letters in turn; returns how to replay it."""
    rows = 400
    chance = np.random.default_rng(3)
    sent = np.array(letters)[np.arange(rows) % len(letters)]
    bought = chance.random(rows) < np.where(sent == "sale", 0.6, 0.2)
    table = pa.table(
        {
            "visits": chance.poisson(3, rows),
            "letter": sent,
            "chance": np.full(rows, 1 / len(letters)),
            "bought": bought.astype(np.int64),
            "spent": np.where(bought, 250.0, 0.0),
        }
    )
    csv.write_csv(table, folder / "spring.csv")
    (folder / "schema.toml").write_text(schema)
    return str(folder / "spring.csv"), "--schema", str(folder / "schema.toml")


def test_a_control_that_was_never_sent_stands_first_and_is_unknown(
    command: Run, tmp_path: Path, kept: Path
) -> None:
    given = spring(tmp_path, ["sale", "news"])
    code, out, err = command("replay", *given, "--outcome", "spent", "--data", str(kept))
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == (
        "Spring: spent a row, learned from 200 rows in 2 days, evaluated on 200 rows held out "
        "(seed 1)"
    )
    assert [line.split("  ")[0] for line in lines[4:9]] == [
        "learned policy",
        "always nothing (control)",
        "always sale",
        "always news",
        "as it was run",
    ]
    assert lines[5].split()[-5:] == ["unknown", "unknown", "unknown", "0", "0.0%"]
    assert len({len(line) for line in lines[2:9]}) == 1
    assert "Too little of the log speaks of news, nothing: fewer than 100 effective" in lines[-1]
    assert "spent: days played: 2 of 2" in err.splitlines()


def test_for_programs_it_writes_json_with_every_outcome_and_nothing_else(
    command: Run, tmp_path: Path, kept: Path
) -> None:
    schema = SCHEMA.replace('propensity = "chance"', "propensity = 0.33333333")
    given = spring(tmp_path, ["none", "sale", "news"], schema)
    code, out, _ = command("replay", *given, "--json", "--data", str(kept))
    assert code == 0
    spent, bought = json.loads(out, parse_constant=pytest.fail)
    assert [(each["outcome"], each["kind"]) for each in (spent, bought)] == [
        ("spent", "amount"),
        ("bought", "binary"),
    ]
    assert (spent["training_rows"], spent["held_out_rows"], spent["days"]) == (200, 200, 2)
    assert [row["name"] for row in spent["single_actions"]] == ["nothing", "sale", "news"]
    assert (spent["control"]["name"], spent["best_single_action"]) == ("nothing", "sale")
    # As often as planned, one in three each: nothing is suspicious.
    assert spent["sample_ratio_p_value"] == pytest.approx(1.0, abs=0.01)
    run, spent_run = bought["as_it_was_run"]["ips"], spent["as_it_was_run"]["ips"]
    assert spent_run["value"] == pytest.approx(250 * run["value"])
    edge = spent["learned_minus_best"]
    # Of some 67 rows of each action the log cannot tell how far to trust a difference.
    assert (edge["low"], edge["high"]) == (None, None)
    assert spent["learned"]["dr"]["effective_sample_size"] < 100
    assert edge["confidence"] == pytest.approx(1 - 0.05 / 3)
    assert spent["verdict"].endswith(".")


def test_an_outcome_that_is_not_in_the_schema_is_answered_with_the_nearest(
    command: Run, tmp_path: Path
) -> None:
    given = spring(tmp_path, ["sale", "news"])
    code, out, err = command("replay", *given, "--outcome", "spend")
    assert (code, out) == (3, "")
    assert err.startswith("unknown_outcome: ")
    assert err.endswith("has no outcome 'spend'. Did you mean 'spent'? Allowed: bought, spent.\n")


def test_a_schema_that_is_not_there_says_where_one_is_explained(
    command: Run, tmp_path: Path
) -> None:
    code, out, err = command("replay", "spring.csv", "--schema", str(tmp_path / "none.toml"))
    assert (code, out) == (3, "")
    assert err.startswith(f"schema_not_found: There is no schema file {tmp_path / 'none.toml'}.")


def test_on_a_terminal_progress_is_a_bar_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with replay.progress(console) as told:
        told("customers recorded", 1, 4)
        told("spent: days played", 2, 2)
        told("customers recorded", 4, 4)
    text = screen.getvalue()
    assert "customers recorded" in text
    assert "4/4" in text
    assert "2/2" in text
    assert capsys.readouterr() == ("", "")


def test_elsewhere_progress_is_a_few_lines_beside_the_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with replay.progress(Console(file=io.StringIO())) as told:
        for done in range(11):
            told("days played", done, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"days played: {done} of 10" for done in (0, 2, 4, 6, 8, 10)]


def test_progress_of_few_is_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(3):
        replay._plain("days played", done, 2)
    assert capsys.readouterr().err.splitlines() == [
        f"days played: {done} of 2" for done in range(3)
    ]


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (None, None, None, "unknown"),
        (12.3456789, None, None, "refused"),
        (1.5, 1.25, 1.75, "1.5000 ± 0.2500"),
        (-10.0, -12.0, -8.0, "-10.00 ± 2.00"),
    ],
)
def test_an_estimate_says_no_more_than_is_known(
    value: float | None, low: float | None, high: float | None, expected: str
) -> None:
    estimate = stats.Estimate(
        value=value,
        low=low,
        high=high,
        effective_sample_size=10.0,
        mean_weight=1.0,
        count=10,
        trustworthy=False,
        reason="Too few.",
    )
    assert replay._estimate(estimate) == expected
