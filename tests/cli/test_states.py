"""Use cases are started, put into shadow and paused at the console."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> None:
    for name, text in {
        "metrics/orders.toml": 'event = "Ordered"\nunit = "orders"\nwindow_days = 1\n',
        "segments/known.toml": 'rule = { trait = "email", exists = true }\n',
        "use_cases/next.toml": (
            'success_metric = "orders"\nstate = "draft"\naudience = { segments = ["known"] }\n'
            'activation = { connector = "braze", base_url = "http://127.0.0.1:1",'
            ' campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10" }\n'
            '[[dimensions]]\nname = "offer"\noptions = [{ name = "tv" }, { name = "sim" }]\n'
        ),
    }.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(text)
    code, said, _ = run("apply", str(tmp_path / "project"))
    assert (code, "use_case/next is draft" in said) == (0, True)


@pytest.mark.usefixtures("shop")
def test_states_follow_each_other_and_say_what_they_mean(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "next" in run("run-day", "next")[1]
    assert "a draft, nothing is decided" in run("run-day", "next")[1]
    assert run("shadow", "next") == (
        0,
        "next is in shadow: it decides every day, and nothing is sent.\n",
        "",
    )
    assert "It was before." in run("shadow", "next")[1]
    assert "in shadow, nothing is sent" in run("run-day", "next")[1]
    assert "The use case is in shadow" in run("report", "next")[1]
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, said, _ = run("start", "next")
    assert (code, "up to 0 people. Start it?" in said) == (1, True)
    code, said, _ = run("start", "next", "--yes", "--by", "ann")
    assert (code, said) == (0, "next is live: it decides for 0 people, and sends.\n")
    assert "paused" in run("pause", "next")[1]
    assert "paused, nothing is decided" in run("run-day", "next")[1]
    assert run("pause", "nex")[0] == 3
