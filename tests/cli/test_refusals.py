"""What a command says when it cannot do what was typed, and that it has changed nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from opportune import settings as machine
from opportune.keys import keys_file
from opportune.storage import Stores

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's own project folder, as a copy that a test may spoil."""
    target = tmp_path / "project"
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
        shutil.copytree(shipped, target)
    return target


def words(text: str) -> str:
    """The words of an error in a frame, as one line."""
    return " ".join(text.translate(str.maketrans("│╭╮╰╯─", "      ")).split())


def test_a_command_that_is_not_there_is_named(command: Run) -> None:
    code, out, err = command("frobnicate")
    assert (code, out) == (2, "")
    assert "No such command 'frobnicate'." in words(err)


def test_alone_it_lists_its_commands(command: Run) -> None:
    code, out, err = command()
    assert code == 2
    told = words(out + err)
    assert [name for name in ("demo", "serve", "keys", "sandbox") if f" {name} " not in told] == []


def test_apply_of_a_folder_with_a_mistake_defines_nothing(run: Run, folder: Path) -> None:
    file = folder / "metrics" / "orders.toml"
    file.write_text(file.read_text().replace("window_days = 2", "window_days = 0"))
    code, out, err = run("apply", str(folder))
    assert (code, out) == (2, "")
    assert err == (
        "invalid_definition: metrics/orders.toml: window_days: 0 given, must be a number from 1 to "
        "365.\n"
    )
    code, _, err = run("report", "next-best-offer")
    assert code == 3
    assert err.endswith("No use case 'next-best-offer'. Allowed: nothing.\n")


def test_a_source_that_cannot_be_one_gets_no_key(command: Run) -> None:
    code, out, err = command("keys", "My Shop")
    assert (code, out) == (2, "")
    assert err == (
        "invalid_source: 'My Shop' cannot be a source's name. Allowed: small letters, digits, _ "
        "and -, 63 at most, the first a letter or digit.\n"
    )
    assert not keys_file(machine.load()).exists()


def test_a_day_is_written_year_first(run: Run) -> None:
    code, out, err = run("run-day", "next-best-offer", "--day", "1.3.2026")
    assert (code, out) == (2, "")
    assert "Invalid value for '--day'" in words(err)
    assert "%Y-%m-%d" in words(err)


def test_an_error_that_is_nobodys_fault_but_ours_ends_with_one(run: Run, stores: Stores) -> None:
    stores.state.rows("alter table definition rename to misplaced")
    code, out, err = run("report", "next-best-offer")
    assert (code, out) == (1, "")
    assert err.startswith("query_failed: A statement failed: UndefinedTable")


def test_a_market_that_nobody_made_up_is_answered_with_those_there_are(command: Run) -> None:
    given = ("sandbox", "braze", "--api-key", "k", "--port", "0")
    code, out, err = command(*given, "--market", "car-dealer")
    assert (code, out) == (3, "")
    assert err == "unknown_market: There is no market 'car-dealer'. Allowed: internet-provider.\n"


def test_a_sandbox_without_a_key_says_both_ways_to_give_one(
    command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SANDBOX_API_KEY", raising=False)
    code, out, err = command("sandbox", "braze")
    assert (code, out) == (2, "")
    assert "Missing option '--api-key' (env var: 'SANDBOX_API_KEY')." in words(err)
