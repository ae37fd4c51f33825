"""Commands as people type them: what they print, and the exit code of each family of errors."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from opportune.cli.app import EXIT_CODES
from opportune.errors import OpportuneError
from opportune.settings import Settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's own project folder, as a copy that a test may spoil."""
    target = tmp_path / "project"
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
        shutil.copytree(shipped, target)
    return target


def test_check_counts_what_a_folder_defines(run: Run, folder: Path) -> None:
    assert run("check", str(folder)) == (
        0,
        f"{folder}: 1 use cases, 1 segments, 1 metrics; no mistakes.\n",
        "",
    )


def test_check_lists_every_mistake_with_file_key_and_nearest_name(run: Run, folder: Path) -> None:
    file = folder / "use_cases" / "next-best-offer.toml"
    text = file.read_text().replace('success_metric = "orders"', 'success_metric = "order"')
    file.write_text(text.replace("control_share = 0.1", "control_shares = 0.1"))
    metric = folder / "metrics" / "orders.toml"
    metric.write_text(metric.read_text().replace("window_days = 2", 'window_days = "two"'))
    code, out, err = run("check", str(folder))
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "invalid_definition: metrics/orders.toml: window_days: 'two' given, must be a number from "
        "1 to 365.",
        "use_cases/next-best-offer.toml: groups.control_shares: unknown key. Did you mean "
        "'control_share'? Allowed: aa, champion, champion_learns, champion_policy, champion_share, "
        "control_share, exploration_min, random_share.",
        "use_cases/next-best-offer.toml: success_metric: no metric 'order'. Did you mean 'orders'? "
        "Allowed: orders.",
    ]


def test_check_of_a_folder_that_is_not_there_ends_with_the_code_of_not_found(
    run: Run, tmp_path: Path
) -> None:
    code, out, err = run("check", str(tmp_path / "nowhere"))
    assert (code, out) == (3, "")
    assert err.startswith("project_not_found: ")


def test_apply_writes_versions_once(run: Run, folder: Path) -> None:
    code, out, _ = run("apply", str(folder))
    assert (code, sorted(out.splitlines())) == (
        0,
        [
            "metric/orders version 1",
            "segment/customers version 1",
            "settings/traits version 1",
            "use_case/next-best-offer version 1",
        ],
    )
    assert run("apply", str(folder)) == (0, "Nothing changed.\n", "")


def test_keys_prints_a_key_once_and_keeps_only_its_digest(run: Run, settings: Settings) -> None:
    code, out, err = run("keys", "shop")
    assert (code, err) == (0, "")
    kept = (settings.data_folder / "keys.json").read_text()
    assert out.strip() not in kept
    assert [entry["source_id"] for entry in json.loads(kept).values()] == ["shop"]


def test_a_key_may_allow_larger_batches(run: Run, settings: Settings) -> None:
    assert run("keys", "app", "--max-batch-bytes", "4000000")[0] == 0
    (kept,) = json.loads((settings.data_folder / "keys.json").read_text()).values()
    assert kept["max_batch_bytes"] == 4_000_000
    code, _, err = run("keys", "app", "--max-batch-bytes", "16000001")
    assert code == 2
    assert err.startswith("invalid_source: A body of 16000001 bytes cannot be allowed.")


def test_run_day_twice_decides_once(run: Run, folder: Path) -> None:
    run("apply", str(folder))
    first = run("run-day", "next-best-offer", "--day", "2026-03-01")
    second = run("run-day", "next-best-offer", "--day", "2026-03-01")
    sends = "0 sends added, 0 days rewarded.\n"
    assert first == (0, f"next-best-offer 2026-03-01: decided, {sends}", "")
    assert second == (0, f"next-best-offer 2026-03-01: was decided before, {sends}", "")


def test_report_is_readable_and_has_a_form_for_programs(run: Run, folder: Path) -> None:
    run("apply", str(folder))
    run("run-day", "next-best-offer", "--day", "2026-03-01")
    code, out, _ = run("report", "next-best-offer")
    assert code == 0
    assert "Next best offer" in out
    assert "How long rewards take is not known yet: 0 decisions" in out
    code, out, _ = run("report", "next-best-offer", "--json")
    document = json.loads(out)
    assert (code, document["verdict"]) == (0, "too_early")
    assert (document["delays"]["rewarded"], document["delays"]["points"]) == (0, [])
    code, out, _ = run("report", "next-best-offer", "--format", "csv", "--rolling", "7")
    rows = {row["measure"]: row["value"] for row in csv.DictReader(io.StringIO(out))}
    assert (code, rows["mature_days"], rows["profiles"], rows["lift"]) == (0, "0", "0", "")
    code, out, _ = run("report", "next-best-offer", "--format", "html")
    assert (code, out.startswith("<!doctype html>")) == (0, True)
    assert run("report", "next-best-offer", "--format", "csv", "--rolling", "2")[0] == 2


def test_an_unknown_use_case_is_answered_with_the_nearest_name(run: Run, folder: Path) -> None:
    run("apply", str(folder))
    assert run("report", "next-best-ofer") == (
        3,
        "",
        "project_not_found: No use case 'next-best-ofer'. Did you mean 'next-best-offer'? "
        "Allowed: next-best-offer.\n",
    )


def test_an_unknown_setting_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_PORTS", "1")
    code, _, err = run("keys", "shop")
    assert code == 2
    assert "Unknown setting OPPORTUNE_PORTS. Did you mean 'OPPORTUNE_PORT'?" in err


def test_demo_refuses_a_folder_that_holds_something_else(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    code, _, err = run("demo", "--data", str(tmp_path), "--port", "0", "--sandbox-port", "0")
    assert code == 4
    assert "holds no demo" in err
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_every_family_of_errors_has_an_exit_code_of_its_own() -> None:
    families = {
        each for each in OpportuneError.__subclasses__() if each.__module__ == "opportune.errors"
    }
    assert set(EXIT_CODES) == families
    assert len(set(EXIT_CODES.values())) == len(families)
