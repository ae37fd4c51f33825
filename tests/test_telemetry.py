"""A step leaves one line: what it was, what it counted, how it ended, and nobody's data."""

from __future__ import annotations

import json
import logging

import pytest

from opportune.errors import OpportuneError
from opportune.storage import QueryFailed
from opportune.telemetry import step

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
