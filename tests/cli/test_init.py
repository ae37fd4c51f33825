"""`opportune init` as it is typed: what it writes, what it says, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opportune import project

Run = Callable[..., tuple[int, str, str]]


def test_the_list_says_what_each_template_is_for(command: Run) -> None:
    code, out, _ = command("init", "--list")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines] == [each.name for each in project.templates()]
    assert lines[-1] == (
        "winback         Winback: More former subscribers who come back, at a price that pays."
    )


def test_a_folder_is_written_once_and_what_to_type_next_is_said(
    command: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "my project"
    code, out, err = command("init", str(folder), "--template", "winback")
    assert (code, err) == (0, "")
    said = out.splitlines()
    assert said[0] == f"{folder}: 12 of 12 files of 'winback' written."
    assert said[2:] == [
        f"  opportune check '{folder}'",
        f"  opportune apply '{folder}'",
        f"  opportune import '{folder}/demo'/history.csv --source demo "
        f"--schema '{folder}/demo'/history.toml --wait",
        "  opportune run-day winback",
    ]
    assert command("check", str(folder))[1].endswith("no mistakes.\n")
    again = command("init", str(folder), "--template", "winback")
    assert again == (0, f"{folder}: all 12 files of 'winback' are there. Nothing changed.\n", "")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [((), "FOLDER"), (("new",), "--template"), (("--template", "winback"), "FOLDER")],
)
def test_what_is_missing_is_said_with_an_example(
    command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: str, missing: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = command("init", *arguments)
    assert (code, out) == (2, "")
    assert f"{missing} is missing. Such as: opportune init" in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("winbak", 3, "template_not_found: No template 'winbak'."),
        ("winback", 4, "folder_not_empty"),
    ],
)
def test_a_refusal_has_its_code_and_writes_nothing(
    command: Run, tmp_path: Path, name: str, code: int, said: str
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "notes.md").write_text("ours")
    found, out, err = command("init", str(folder), "--template", name)
    assert (found, out) == (code, "")
    assert err.startswith(said)
    assert [path.name for path in folder.iterdir()] == ["notes.md"]
