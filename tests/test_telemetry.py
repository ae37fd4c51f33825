"""A step leaves one line: what it was, what it counted, how it ended, and nobody's data."""

from __future__ import annotations

import json
import logging
import threading

import pytest

from opportune.errors import OpportuneError
from opportune.storage import QueryFailed
from opportune.telemetry import Troubles, step

PERSONAL = "joe@example.com"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(record.getMessage()) for record in caplog.records]


def test_a_step_that_ends_well_leaves_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, logger="opportune"),
        step("decide", {"use_case": "offer", "day": "2026-03-01"}) as running,
    ):
        running.count("profiles", 3)
        running.count("profiles", 4)
        running.count("refused", 0)
    ((line),) = lines(caplog)
    duration_ms = line.pop("duration_ms")
    assert isinstance(duration_ms, float)
    assert 0 <= duration_ms < 10_000
    assert list(line) == ["step", "use_case", "day", "profiles", "refused", "code"]
    assert line == {
        "step": "decide",
        "use_case": "offer",
        "day": "2026-03-01",
        "profiles": 7,
        "refused": 0,
        "code": "ok",
    }
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.INFO, "opportune")
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (QueryFailed(f"quoting {PERSONAL}"), "query_failed"),
        (OpportuneError(PERSONAL), "error"),
        (KeyError(PERSONAL), "defect"),
        (KeyboardInterrupt(PERSONAL), "defect"),
    ],
)
def test_a_step_that_fails_tells_the_code_and_no_value(
    caplog: pytest.LogCaptureFixture, error: BaseException, code: str
) -> None:
    def fail() -> None:
        with step("decide", {}) as running:
            running.count("profiles", 1)
            raise error

    with pytest.raises(type(error)) as raised:
        fail()
    assert raised.value is error
    (line,) = lines(caplog)
    assert line.pop("duration_ms") is not None
    assert line == {"step": "decide", "profiles": 1, "code": code}
    assert caplog.records[0].levelno == logging.ERROR
    assert PERSONAL not in caplog.text


def _fail() -> int:
    raise ZeroDivisionError(PERSONAL)


def test_two_threads_that_fail_at_once_are_one_failure_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    troubles = Troubles(passed_on=KeyError)
    together = threading.Barrier(8)

    def fail() -> int:
        together.wait(timeout=10)
        return _fail()

    threads = [threading.Thread(target=troubles.attempt, args=("send", fail, 0)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    told, where = caplog.records
    assert json.loads(told.getMessage()) == {
        "step": "send",
        "code": "defect",
        "message": "A defect: ZeroDivisionError.",
    }
    assert (where.getMessage(), where.exc_info is not None) == ("send", True)
    assert troubles.attempt("send", lambda: 1, 0) == 0, "it is not left alone"
    assert troubles.attempt("enquire", lambda: 1, 0) == 1, "another part is left alone too"


def test_a_part_is_left_alone_twice_as_long_each_time_until_it_has_worked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("opportune.telemetry.time.monotonic", lambda: now)
    troubles = Troubles(passed_on=KeyError)
    for pause in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        assert troubles.attempt("send", _fail, 0) == 0
        now += pause - 0.01
        assert troubles.attempt("send", lambda: 1, 0) == 0, f"tried before {pause} s were over"
        now += 0.02
    assert troubles.attempt("send", lambda: 1, 0) == 1
    troubles.attempt("send", _fail, 0)
    now += 1.01
    assert troubles.attempt("send", lambda: 1, 0) == 1, "what had worked is left alone for long"


def test_what_no_part_can_go_on_after_is_raised_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    troubles = Troubles(passed_on=ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        troubles.attempt("send", _fail, 0)
    assert caplog.records == []
    assert troubles.attempt("send", lambda: 1, 0) == 1
