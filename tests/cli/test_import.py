"""`opportune import` as it is typed: what it says, and what it leaves behind."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from opportune import pipeline, worker
from opportune.cli import import_
from opportune.events import history
from opportune.settings import Settings
from opportune.storage import Frame, SegmentLog, Stores, load_sql

Run = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ROOT.parent / "shared" / "datasets"
SCHEMA = """
[types]
amount = "number"

[[messages]]
type = "identify"
user_id = "customer"
timestamp = "at"
traits = ["plan"]

[[messages]]
type = "track"
event = { constant = "Order Completed" }
user_id = "customer"
timestamp = "at"
properties = ["amount"]
"""
ROWS = """
customer,at,plan,amount
c1,2024-03-01T10:00:00Z,basic,12.50
c2,2024-03-02,plus,7
c1,2024-03-03,plus,many
,2024-03-04,plus,1
""".lstrip()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A table of orders and its schema."""
    (tmp_path / "orders.csv").write_text(ROWS)
    (tmp_path / "orders.toml").write_text(SCHEMA)
    return tmp_path / "orders.csv", tmp_path / "orders.toml"


@pytest.fixture
def imported(command: Run, files: tuple[Path, Path]) -> Callable[..., tuple[int, str, str]]:
    """Import the orders without a database."""
    orders, schema = map(str, files)
    return lambda *more: command("import", orders, "--source", "shop", "--schema", schema, *more)


SAID = """\
orders.csv: 4 rows, 5 messages
  identify: 3
  track Order Completed: 2
  from 2024-03-01 10:00:00 UTC to 2024-03-03 00:00:00 UTC
  1 refused: no_user_anon_id
  1 refused: wrong_type
    row 3: column 'amount' must be a number.
    row 4: nothing stands in 'customer' to say whose it is.
"""


def test_without_a_database_all_is_in_the_log(imported: Run, tmp_path: Path) -> None:
    code, out, err = imported()
    assert (code, out) == (0, SAID + "  All is in the log; a worker takes it in.\n")
    assert err == "orders.csv: 4 (100%)\n"
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["imports", "log"]


def test_a_second_time_nothing_is_done(imported: Run, tmp_path: Path) -> None:
    imported()
    log = {path: path.read_bytes() for path in (tmp_path / "data" / "log").iterdir()}
    code, out, _ = imported()
    assert code == 0
    assert out.splitlines()[-1].startswith("  Imported before, at 2")
    assert {path: path.read_bytes() for path in (tmp_path / "data" / "log").iterdir()} == log


def test_a_dry_run_tells_and_writes_nothing(imported: Run, tmp_path: Path) -> None:
    assert imported("--dry-run")[:2] == (0, SAID + "  A dry run: nothing was written.\n")
    assert not (tmp_path / "data").exists()


def test_the_answer_for_programs(imported: Run) -> None:
    code, out, _ = imported("--json")
    (document,) = json.loads(out)
    assert len(document.pop("import_id")) == 16
    assert (code, document) == (
        0,
        {
            "file": "orders.csv",
            "imported_before": False,
            "rows": 4,
            "messages": {"identify": {"": 3}, "track": {"Order Completed": 2}},
            "first_at": "2024-03-01T10:00:00+00:00",
            "last_at": "2024-03-03T00:00:00+00:00",
            "in_the_future": 0,
            "equal_rows": 0,
            "refused": {"no_user_anon_id": 1, "wrong_type": 1},
            "examples": [
                {
                    "row": 3,
                    "code": "wrong_type",
                    "reason": "column 'amount' must be a number.",
                },
                {
                    "row": 4,
                    "code": "no_user_anon_id",
                    "reason": "nothing stands in 'customer' to say whose it is.",
                },
            ],
            "hints": [],
            "added": None,
            "there_already": None,
            "new_profiles": None,
        },
    )


def test_a_hint_equal_rows_and_times_to_come_are_told(
    command: Run, files: tuple[Path, Path]
) -> None:
    orders, schema = files
    orders.write_text("customer,at,plan,amount\n" + "c1,9999-01-01,basic,12\n" * 2)
    schema.write_text(SCHEMA.replace('amount = "number"', ""))
    given = ["import", str(orders), "--source", "shop", "--schema", str(schema), "--dry-run"]
    _, out, _ = command(*given)
    assert "  2 in the future: they get the time of the import\n" in out
    assert (
        '  1 rows left out, the same came before (equal_rows = "each" keeps them)\n'
        "  hint: column 'amount' holds numbers and stays text; types.amount = \"number\" makes "
        "them numbers\n"
    ) in out


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"--source": "My Shop"}, 2, "invalid_source: 'My Shop' cannot be a source's name."),
        ({"--schema": "nowhere.toml"}, 3, "schema_not_found: There is no schema file"),
        ({"file": "nowhere.csv"}, 3, "file_not_found: There is no file nowhere.csv."),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    command: Run,
    files: tuple[Path, Path],
    tmp_path: Path,
    change: dict[str, str],
    code: int,
    said: str,
) -> None:
    given = {"file": str(files[0]), "--source": "shop", "--schema": str(files[1]), **change}
    file = given.pop("file")
    answer = command("import", file, *(text for option in given.items() for text in option))
    assert (answer[0], answer[1]) == (code, "")
    assert answer[2].startswith(said)
    assert not (tmp_path / "data").exists()


def test_a_terminal_shows_a_bar_and_the_result_stands_by_itself() -> None:
    screen = io.StringIO()
    with import_.progress(Console(file=screen, force_terminal=True, width=80)) as told:
        told("orders.csv", 50_000, 0.4)
        told("orders.csv", 100_000, 1.0)
    assert "orders.csv: 100,000" in screen.getvalue()
    assert "100%" in screen.getvalue()


# Taken in


@pytest.fixture
def waiting(run: Run, files: tuple[Path, Path]) -> Run:
    """Import the orders and wait until they are taken in."""
    orders, schema = map(str, files)
    return lambda *more: run(
        "import", orders, "--source", "shop", "--schema", schema, "--wait", *more
    )


def test_without_a_worker_waiting_takes_it_in(waiting: Run, stores: Stores) -> None:
    code, out, _ = waiting()
    assert code == 0
    assert out.endswith("  5 events were new, 0 were there already; 2 new profiles.\n")
    events = stores.lake.read("events").to_pylist()
    assert sorted((each["type"], each["user_id"]) for each in events) == [
        ("identify", "c1"),
        ("identify", "c1"),
        ("identify", "c2"),
        ("track", "c1"),
        ("track", "c2"),
    ]
    assert sorted(each["occurred_at"] for each in events)[-1] == datetime(2024, 3, 3, tzinfo=UTC)
    rejects = stores.lake.read("rejects").to_pylist()
    assert sorted((each["source_id"], each["index"], each["code"]) for each in rejects) == [
        ("shop", 3, "wrong_type"),
        ("shop", 4, "no_user_anon_id"),
    ]


def test_again_everything_was_there_already(waiting: Run, stores: Stores) -> None:
    waiting()
    assert json.loads(waiting("--json")[1])[0]["added"] == 0
    _, out, _ = waiting("--again")
    assert out.endswith("  0 events were new, 5 were there already; 0 new profiles.\n")
    assert stores.lake.read("events").num_rows == 5


def test_a_worker_that_is_alive_takes_it_in(waiting: Run, stores: Stores) -> None:
    stop = threading.Event()
    clock = lambda: datetime.now(UTC)  # noqa: E731 - a clock in one line
    thread = threading.Thread(
        target=worker.run, args=(stores,), kwargs={"clock": clock, "stop": stop, "tick_s": 0.05}
    )
    thread.start()
    try:
        code, out, _ = waiting()
    finally:
        stop.set()
        thread.join()
    assert code == 0
    assert out.endswith("  5 events were new, 0 were there already; 2 new profiles.\n")


def test_imported_events_are_known_in_bulk_as_history(waiting: Run, stores: Stores) -> None:
    waiting()
    waiting("--live", "--again")
    log = SegmentLog(stores.settings.log_folder)
    body = b'{"userId": "c9", "event": "Order Completed", "context": {"import": 17}}'
    log.append(Frame(received_at_us=1, source_id="web", kind="track", body=body)).result()
    log.close()
    pipeline.take_in(stores, worker.decoders(stores), told=lambda *_: None)
    fragment = load_sql("opportune.events.history", "is_history")
    found = stores.engine.query(
        f"select user_id, ({fragment}) as imported from events order by user_id",  # noqa: S608
        tables={"events": None},
    )
    flags = dict(zip(found["user_id"].to_pylist(), found["imported"].to_pylist(), strict=True))
    assert flags == {"c1": True, "c2": True, "c9": False}


# Beside live events


def test_it_is_known_how_much_of_the_log_waits_and_whether_somebody_takes_it_in(
    imported: Run, stores: Stores, settings: Settings
) -> None:
    log = SegmentLog(settings.log_folder)
    log.append(Frame(received_at_us=1, source_id="web", kind="track", body=b"{}")).result()
    log.close()
    assert not pipeline.somebody_ingests(settings)
    assert pipeline.waiting_bytes(stores.lake, settings.log_folder) > 50
    ingest = pipeline.Ingest(stores, {})
    assert pipeline.somebody_ingests(settings)
    ingest.catch_up()
    ingest.close()
    assert not pipeline.somebody_ingests(settings)
    assert pipeline.waiting_bytes(stores.lake, settings.log_folder) == 0


@pytest.mark.parametrize("taken_in", [True, False])
def test_an_import_waits_for_who_takes_in_the_log_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, taken_in: bool
) -> None:
    waiting: Iterator[int] = iter([100, 60, 60, 40, 5] if taken_in else [100] * 50)
    asked: list[int] = []

    def waiting_bytes(*_: Any) -> int:
        asked.append(next(waiting))
        return asked[-1]

    monkeypatch.setattr(import_, "MOST_WAITING_BYTES", 10)
    monkeypatch.setattr(import_, "PAUSE_S", 0.01)
    monkeypatch.setattr(import_, "PATIENCE_S", 60.0 if taken_in else 0.05)
    monkeypatch.setattr(pipeline, "somebody_ingests", lambda _: True)
    monkeypatch.setattr(pipeline, "waiting_bytes", waiting_bytes)
    import_.let_live_events_pass(settings, None)  # type: ignore[arg-type]
    if taken_in:
        assert asked == [100, 60, 60, 40, 5]
    else:
        assert 1 < len(asked) < 50


# Files that people really have


def real(name: str) -> Path:
    path = DATASETS / name
    if not path.exists():
        pytest.skip(
            f"the data are not part of the repository; put them at ../shared/datasets/{name}"
        )
    return path


@pytest.mark.parametrize(
    ("name", "schema", "rows", "sent"),
    [
        ("cdnow/cdnow_master.parquet", "cdnow", 69_659, {"track": 69_659}),
        (
            "ecom_clickstream/ecom_clickstream.parquet",
            "clickstream",
            31_106,
            {"identify": 31_076, "track": 31_076},
        ),
    ],
)
def test_public_files_can_be_imported(
    command: Run, name: str, schema: str, rows: int, sent: dict[str, int]
) -> None:
    path, meaning = real(name), ROOT / "examples" / "history" / f"{schema}.toml"
    code, out, _ = command(
        "import", str(path), "--source", "shop", "--schema", str(meaning), "--json"
    )
    (document,) = json.loads(out)
    assert (code, document["rows"], document["refused"]) == (0, rows, {})
    found = {kind: sum(names.values()) for kind, names in document["messages"].items()}
    assert found == sent
    assert history.read_schema(meaning).types == {}
