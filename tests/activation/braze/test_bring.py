from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from braze_sandbox import Sandbox
from opportune.activation import Answer, Request, braze
from opportune.activation.braze import export as export_file
from opportune.events import decode_segment, history
from opportune.sandbox.catalogue import SEGMENT_ID
from opportune.storage import Lake, SegmentLog, end_offsets, read_frames
from opportune.storage.engine import open_engine

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
SEGMENT = braze.BrazeSegment(
    name="fibre",
    base_url="http://127.0.0.1",
    segment_id=SEGMENT_ID,
    fields=("time_zone",),
    custom_attributes=("plan",),
)
EXPORT = "/users/export/segment"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Desk:
    """Where a segment is brought in, and what of it is in the log."""

    sandbox: Sandbox
    folder: Path
    log: SegmentLog
    told: Callable[[str, int, float], object] = lambda *_: None
    file: bytes | None = None
    fetched: list[str] = field(default_factory=list)

    def download(self, url: str, file: Path) -> Answer:
        self.fetched.append(url)
        path = url.removeprefix("http://127.0.0.1")
        answer = self.sandbox.call(Request(method="GET", path=path, body=b"", keys=()))
        if answer.status == 200:
            file.write_bytes(answer.body if self.file is None else self.file)
        return answer

    def bring(self, *, after: timedelta = timedelta(0), patience_s: float = 60.0) -> braze.Brought:
        exporting = braze.Exporting(
            workspace=self.sandbox.workspace(),
            folder=braze.exports_folder(self.folder, "fibre"),
            download=self.download,
            sleep=self.sandbox.sleep,
            waited=list[float]().append,
            patience_s=patience_s,
        )
        place = history.Place(
            data_folder=self.folder,
            log_folder=self.folder / "log",
            log=self.log,
            engine=open_engine("duckdb:", Lake(self.folder / "lake")),
            pause=list,
        )
        return braze.bring_segment(SEGMENT, place, exporting, now=NOW + after, told=self.told)

    @property
    def exports(self) -> int:
        return self.sandbox.asked.count(EXPORT)

    def traits(self) -> dict[str, list[dict[str, Any]]]:
        """What each customer's messages tell, each id once, the oldest first."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        folder = self.folder / "log"
        starts = dict.fromkeys(end_offsets(folder), 0)
        for frame in read_frames(folder, starts, limit_bytes=1 << 30)[0]:
            for event in decode_segment(frame).events:
                assert event.type == "identify"
                assert event.user_id is not None
                found[event.message_id] = (event.user_id, msgspec.json.decode(event.traits or "{}"))
        by_user: dict[str, list[dict[str, Any]]] = {}
        for user, traits in found.values():
            by_user.setdefault(user, []).append(traits)
        return by_user

    def left_over(self) -> list[str]:
        return sorted(each.name for each in braze.exports_folder(self.folder, "fibre").iterdir())


@pytest.fixture
def desk(sandbox: Sandbox, tmp_path: Path) -> Iterator[Desk]:
    log = SegmentLog(tmp_path / "log")
    yield Desk(sandbox=sandbox, folder=tmp_path, log=log)
    log.close()


def test_a_segment_comes_in_as_traits_of_its_customers_and_nothing_else_of_them(desk: Desk) -> None:
    found = desk.bring()
    assert (found.members, found.left, found.asked_at) == (120, 0, NOW)
    told = desk.traits()
    assert len(told) == 120
    (first,) = told["c000001"]
    assert set(first) <= {"braze_fibre", "time_zone", "plan"}
    assert first["braze_fibre"] is True
    assert all(each[0]["plan"] for each in told.values())
    # Files about customers do not stay; who was in it does.
    assert desk.left_over() == ["lock", "members.parquet"]


def test_profiles_of_test_sends_are_no_customers(desk: Desk) -> None:
    made = [{"external_id": "opportune-test-1", "email": "tester@example.com"}]
    desk.sandbox.post("/users/track", {"attributes": made})
    assert desk.bring().members == 120
    assert "opportune-test-1" not in desk.traits()


def test_who_left_the_segment_since_is_told_so(desk: Desk) -> None:
    ids = [f"c{number:06d}" for number in range(1, 101)]
    desk.sandbox.post("/_sandbox/segments", {"id": SEGMENT_ID, "name": "Some", "external_ids": ids})
    assert desk.bring().members == 100
    desk.sandbox.post(
        "/_sandbox/segments", {"id": SEGMENT_ID, "name": "Some", "external_ids": ids[1:]}
    )
    found = desk.bring(after=timedelta(days=1))
    assert (found.members, found.left) == (99, 1)
    told = desk.traits()
    assert [each["braze_fibre"] for each in told["c000001"]] == [True, False]
    assert [each["braze_fibre"] for each in told["c000002"]] == [True, True]


def test_a_segment_that_is_empty_now_is_left_by_all(desk: Desk) -> None:
    desk.bring()
    desk.sandbox.post("/_sandbox/segments", {"id": SEGMENT_ID, "name": "None", "external_ids": []})
    found = desk.bring(after=timedelta(days=1))
    assert (found.members, found.left, found.came) == (0, 120, None)
    assert {each[-1]["braze_fibre"] for each in desk.traits().values()} == {False}


def test_killed_while_waiting_it_goes_on_with_the_same_export(desk: Desk) -> None:
    with pytest.raises(braze.ExportNotReady, match="goes on waiting for this export"):
        desk.bring(patience_s=0)
    assert desk.traits() == {}
    assert desk.bring(after=timedelta(hours=1)).asked_at == NOW
    assert desk.exports == 1
    assert len(desk.traits()) == 120


def test_killed_while_its_rows_enter_each_of_them_enters_once(desk: Desk) -> None:
    def kill(*_: object) -> None:
        raise Killed

    desk.told = kill
    with pytest.raises(Killed):
        desk.bring()
    fetched = len(desk.fetched)
    desk.told = list
    # Even long after the address has died: the file is here.
    assert desk.bring(after=timedelta(days=2)).members == 120
    assert (desk.exports, len(desk.fetched)) == (1, fetched)
    assert [len(each) for each in desk.traits().values()] == [1] * 120


def test_what_braze_refuses_or_breaks_is_told_and_asked_for_anew(desk: Desk) -> None:
    for broken in (b"no zip", zipped(b"{\n")):
        desk.file = broken
        with pytest.raises(braze.BrokenExport, match="Run the command again"):
            desk.bring()
        assert desk.left_over() == ["lock"]
    desk.file = None
    assert desk.bring().members == 120
    assert desk.exports == 3
    assert len(desk.traits()) == 120


def test_an_address_that_has_died_is_given_up(desk: Desk) -> None:
    with pytest.raises(braze.ExportNotReady):
        desk.bring(patience_s=0)
    desk.file = b""
    (note,) = braze.exports_folder(desk.folder, "fibre").glob("export.json")
    said = msgspec.json.decode(note.read_bytes())
    note.write_bytes(msgspec.json.encode(said | {"url": "http://127.0.0.1/nowhere/x.zip"}))
    with pytest.raises(braze.BrokenExport, match="cannot be had"):
        desk.bring(patience_s=export_file.LIVES_S + 100)
    assert desk.left_over() == ["lock"]


def test_a_workspace_with_a_storage_of_its_own_is_said_so(desk: Desk) -> None:
    answer = Answer(status=201, headers={}, body=b'{"object_prefix":"p"}', processed=True)
    desk.sandbox.call = lambda _request: answer  # type: ignore[method-assign]  # another workspace
    with pytest.raises(braze.StorageConnected, match="storage of its own"):
        desk.bring()


def test_an_export_that_somebody_else_runs_is_waited_for_and_then_told(desk: Desk) -> None:
    answer = Answer(status=429, headers={}, body=b"{}", processed=True)
    desk.sandbox.call = lambda _request: answer  # type: ignore[method-assign]  # busy
    with pytest.raises(braze.BrazeUnavailable, match="one export of a segment at a time"):
        desk.bring()


def test_two_at_once_are_one_too_many(desk: Desk) -> None:
    def again(*_: object) -> None:
        with pytest.raises(braze.BringingRunning):
            desk.bring()

    desk.told = again
    assert desk.bring().members == 120


def zipped(lines: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("1.txt", lines)
    return packed.getvalue()
