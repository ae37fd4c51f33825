"""Seven ready use cases: each is taken without a change, and decides on its made-up history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from opportune import events, pipeline, project, worker
from opportune.events import history
from opportune.project import FolderNotEmpty, FolderUnusable, TemplateNotFound
from opportune.settings import Settings
from opportune.storage import SegmentLog, Stores, open_stores

NAMES = (
    "cross-sell",
    "lead-nurturing",
    "loyalty",
    "referral",
    "renewal",
    "repeat-purchase",
    "winback",
)
DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# What they are


def test_there_is_one_for_each_of_seven_use_cases_with_what_it_is_for() -> None:
    found = project.templates()
    assert tuple(each.name for each in found) == NAMES
    assert all(each.title and each.goal.endswith(".") for each in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_says_everything_that_a_use_case_needs(name: str, tmp_path: Path) -> None:
    project.write_template(tmp_path, name, day=DAY)
    written = project.load(tmp_path)
    use_case = written.use_case(name)
    assert [*written.use_cases] == [name]
    assert use_case.title == next(each.title for each in project.templates() if each.name == name)
    assert use_case.control_share == 0.1
    assert use_case.guard_rails
    assert len(use_case.features) >= 4
    assert len(use_case.dimensions) >= 5
    assert any(option.parameters for each in use_case.dimensions for option in each.options)
    assert any(where.startswith("dimensions.") for where, _ in use_case.conditions)
    assert use_case.constraints.cooldowns
    assert use_case.constraints.forbidden
    cadence = use_case.place_of("frequency")
    assert cadence is not None
    longest = max(option.days for option in use_case.dimensions[cadence].options)
    assert written.metric_of(use_case).window_days >= longest
    # Costs are weighed against the reward, or shared out by a budget in their own unit.
    assert use_case.costs is None or use_case.budget or written.metric_of(use_case).unit == "EUR"
    text = (tmp_path / "README.md").read_text()
    quoted = re.findall(r"`((?:[\w*-]+/)*[\w*-]+\.toml)`", text)
    assert [path for path in quoted if not list(tmp_path.glob(path))] == []
    assert f"opportune run-day {name}\n" in text


def test_only_who_gives_an_incentive_away_has_costs() -> None:
    files = {name: project.template_files(name, seed=1, day=DAY) for name in NAMES}
    costing = {name for name in NAMES if b"cost = " in files[name][f"use_cases/{name}.toml"]}
    assert costing == set(NAMES) - {"renewal", "repeat-purchase"}


def test_definitions_of_one_name_are_the_same_in_all_so_that_one_project_may_hold_them() -> None:
    seen: dict[str, bytes] = {}
    for name in NAMES:
        for path, body in project.template_files(name, seed=1, day=DAY).items():
            if not path.startswith(("demo/", "README")):
                assert seen.setdefault(path, body) == body, path


# Their history


def test_the_same_seed_and_day_give_the_same_bytes_and_others_do_not() -> None:
    made = project.template_files("loyalty", seed=1, day=DAY)
    assert project.template_files("loyalty", seed=1, day=DAY) == made
    for other in (
        project.template_files("loyalty", seed=2, day=DAY),
        project.template_files("loyalty", seed=1, day=date(2026, 3, 2)),
    ):
        changed = {path for path in made if other[path] != made[path]}
        assert changed == {"demo/made.toml", "demo/history.csv"}


@pytest.mark.parametrize("name", NAMES)
def test_history_is_small_lies_before_the_day_and_names_nobody(name: str) -> None:
    body = project.template_files(name, seed=1, day=DAY)["demo/history.csv"]
    rows = pacsv.read_csv(pa.BufferReader(body), convert_options=TEXTS)
    assert 700 <= rows.num_rows <= 4_000
    assert len(rows["customer"].unique()) == 400
    assert set(rows["customer"].unique().to_pylist()) == {
        f"{name}-customer-{number:04}" for number in range(1, 401)
    }
    moments = rows["at"].to_pylist()
    assert moments == sorted(moments)
    assert moments[-1] < "2026-03-01T00:00:00Z"
    assert not {"email", "first_name", "last_name", "phone"} & set(rows.column_names)


TEXTS = pacsv.ConvertOptions(column_types={"at": pa.string()})


# Into a project


@dataclass(frozen=True)
class Applied:
    """All seven in one State, their history taken in."""

    stores: Stores
    folder: Path
    imported: dict[str, history.Imported]


@pytest.fixture(scope="module")
def applied(
    fresh_database: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Applied]:
    folder = tmp_path_factory.mktemp("templates")
    with fresh_database() as url:
        chosen = Settings(data_folder=folder / "data", database_url=url)
        with closing(open_stores(chosen, now=NOW)) as stores:
            with closing(SegmentLog(chosen.log_folder)) as log:
                place = history.Place(
                    data_folder=chosen.data_folder,
                    log_folder=chosen.log_folder,
                    log=log,
                    engine=stores.engine,
                    pause=lambda: None,
                )
                imported = {name: begun(stores, place, folder / name, name) for name in NAMES}
            pipeline.take_in(stores, worker.decoders(stores), told=lambda *_: None)
            yield Applied(stores, folder, imported)


def begun(stores: Stores, place: history.Place, folder: Path, name: str) -> history.Imported:
    project.write_template(folder, name, day=DAY)
    project.apply(stores.state, folder, now=NOW)
    request = history.Request(
        path=folder / "demo" / "history.csv",
        source_id="demo",
        schema=history.read_schema(folder / "demo" / "history.toml"),
        live=False,
        again=False,
    )
    return history.enter(request, place, now=NOW, told=lambda *_: None)


def test_applied_again_nothing_changes(applied: Applied) -> None:
    again = [project.apply(applied.stores.state, applied.folder / name, now=NOW) for name in NAMES]
    assert again == [[]] * len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_history_fits_its_schema(applied: Applied, name: str) -> None:
    tally = applied.imported[name].tally
    assert tally.refused == {}
    assert tally.late == 0
    assert tally.equal_rows == 0
    assert tally.messages["identify"] == {"": 400}


def test_history_fits_the_tracking_plans(applied: Applied) -> None:
    seen = events.seen_events(applied.stores.state, now=NOW, source="demo")
    sent = sum(each.tally.sent for each in applied.imported.values())
    assert sum(each.events for each in seen) == sent
    assert {each.event: each.flagged for each in seen if each.flagged} == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_day_is_decided_with_every_option_and_once(applied: Applied, name: str) -> None:
    stores = applied.stores
    definitions = project.read(stores.state)
    use_case = definitions.use_case(name)
    done = pipeline.run_day(stores, definitions, name, DAY, now=NOW)
    assert done.decided
    assert done.audience[use_case.audience[0]] >= 150
    decided = stores.engine.query(
        "select action, variant from decisions where use_case = $name order by user_id",
        {"name": name},
        tables={"decisions": ("day", DAY, DAY)},
    )
    assert decided.num_rows >= 120
    assert set(decided["variant"].to_pylist()) == {"treatment", "control"}
    chosen = zip(*decided["action"].to_pylist(), strict=True)
    assert [set(options) for options in chosen] == [
        {option.name for option in dimension.options} for dimension in use_case.dimensions
    ]
    known = stores.engine.query(
        "select values from features where use_case = $name order by user_id",
        {"name": name},
        tables={"features": ("day", DAY, DAY)},
    )
    values = np.array(known["values"].to_pylist(), dtype=float)
    varied = [len(np.unique(column[~np.isnan(column)])) > 1 for column in values.T]
    assert dict(zip(use_case.feature_names, varied, strict=True)) == dict.fromkeys(
        use_case.feature_names, True
    )
    assert done.enqueued > 0
    again = pipeline.run_day(stores, definitions, name, DAY, now=NOW)
    assert (again.decided, again.enqueued) == (False, 0)


# Into a folder


def test_the_same_template_again_changes_nothing_on_another_day(tmp_path: Path) -> None:
    first = project.write_template(tmp_path / "new", "referral", day=DAY)
    before = contents(tmp_path / "new")
    assert set(first.new) == set(before)
    (tmp_path / "new" / ".git").mkdir()
    (tmp_path / "new" / "notes.md").write_text("ours")
    again = project.write_template(tmp_path / "new", "referral", day=date(2027, 1, 1))
    assert (again.total, again.new) == (first.total, ())
    assert contents(tmp_path / "new") == {**before, "notes.md": b"ours"}


def test_what_was_interrupted_is_finished_with_the_same_bytes(tmp_path: Path) -> None:
    project.write_template(tmp_path, "winback", day=DAY, seed=7)
    whole = contents(tmp_path)
    kept = list(project.template_files("winback", seed=7, day=DAY))[:3]
    for path in whole.keys() - set(kept):
        (tmp_path / path).unlink()
    (tmp_path / "demo" / ".history.csv.part").write_bytes(b"half")
    rest = project.write_template(tmp_path, "winback", day=date(2026, 3, 2))
    assert set(rest.new) == whole.keys() - set(kept)
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("in_the_way", ["notes.md", "README.md", "demo/made.toml", "own/a.toml"])
def test_a_folder_that_holds_something_else_is_left_alone(in_the_way: str, tmp_path: Path) -> None:
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("ours")
    named = in_the_way.removesuffix("/a.toml")
    with pytest.raises(FolderNotEmpty, match=re.escape(f"something else ({named}). Nothing was")):
        project.write_template(tmp_path, "winback", day=DAY)
    assert contents(tmp_path) == {in_the_way: b"ours"}


def test_a_changed_file_or_another_template_or_seed_is_no_repetition(tmp_path: Path) -> None:
    project.write_template(tmp_path, "winback", day=DAY)
    file = tmp_path / "use_cases" / "winback.toml"
    file.write_text(file.read_text().replace("127.0.0.1:8421", "rest.example.com"))
    before = contents(tmp_path)
    with pytest.raises(FolderNotEmpty, match=r"\(use_cases/winback.toml\)"):
        project.write_template(tmp_path, "winback", day=DAY)
    with pytest.raises(FolderNotEmpty, match=r"history.csv"):
        project.write_template(tmp_path, "winback", day=DAY, seed=2)
    with pytest.raises(FolderNotEmpty):
        project.write_template(tmp_path, "loyalty", day=DAY)
    assert contents(tmp_path) == before


def test_a_file_or_what_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("ours")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FolderUnusable, match=r"Not a directory\. Give a folder that can be"):
            project.write_template(folder, "winback", day=DAY)
    assert contents(tmp_path) == {"file": b"ours"}


def test_an_unknown_template_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(TemplateNotFound, match=r"No template 'winbak'. Did you mean 'winback'\?"):
        project.write_template(tmp_path / "new", "winbak", day=DAY)
    assert not (tmp_path / "new").exists()
