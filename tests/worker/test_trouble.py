"""Trouble of one is not the others': it is said once, and everything else goes on."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from opportune import activation, pipeline, project
from opportune.storage import Stores

SIX, LATE = (datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (6, 21))
PROVIDER = "next-best-offer"
Until = Callable[..., None]
Said = Callable[[str], list[dict[str, str]]]


def test_without_a_key_nothing_is_reserved_and_it_is_said_once(
    stores: Stores,
    sandbox: Any,
    caplog: pytest.LogCaptureFixture,
    until: Until,
    said: Said,
    market: Any,
) -> None:
    keyless = replace(market, stores=stores)
    keyless.apply({PROVIDER: sandbox.url})
    keyless.register(20)
    with keyless.working():
        until(lambda: keyless.count("outbox") > 0)
        until(lambda: len(said(f"channel:{PROVIDER}")) > 0)
        time.sleep(1.5)
    assert keyless.outbox().keys() == {"pending"}
    assert keyless.count("outbox", "attempts > 0") == 0
    (line,) = said(f"channel:{PROVIDER}")
    assert line["code"] == "invalid_api_key"
    assert "OPPORTUNE_BRAZE_API_KEY" in line["message"]
    assert {record.levelno for record in caplog.records if record.name == "opportune"} <= {
        logging.INFO,
        logging.WARNING,
    }


def test_a_receiver_that_does_not_answer_stops_neither_the_others_nor_the_ingest(
    market: Any, sandbox: Any, until: Until, said: Said
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        market.apply({"a-down": down, PROVIDER: sandbox.url}, at_once=True)
        market.register(60)
        with market.working():
            until(market.all_sent)
            market.register(3, prefix="later-")
            until(lambda: market.count("profile") == 63)
    assert market.outbox("a-down").keys() == {"pending"}
    (line,) = said("send:a-down")
    assert line["code"] == "unanswered"
    sent = market.count("outbox", "state = 'sent'")
    assert sandbox.sends() == (sent, sent, 1)


def test_a_repaired_address_is_used_without_a_restart(
    market: Any, sandbox: Any, until: Until
) -> None:
    market.apply({PROVIDER: "http://127.0.0.1:1"}, at_once=True)
    market.register(20)
    with market.working():
        until(lambda: market.count("outbox", "attempts > 0") > 0)
        market.apply({PROVIDER: sandbox.url}, at_once=True)
        until(market.all_sent)
    sent = market.count("outbox")
    assert sandbox.sends() == (sent, sent, 1)


@pytest.mark.parametrize("defect", [False, True])
def test_a_day_that_cannot_be_decided_is_kept_with_its_reason_and_tried_again(
    market: Any,
    sandbox: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
    said: Said,
    *,
    defect: bool,
) -> None:
    market.apply({"a-broken": sandbox.url, PROVIDER: sandbox.url}, at_once=True)
    market.register(20)
    run_day, repaired = pipeline.run_day, threading.Event()

    def broken(stores: Stores, known: project.Project, name: str, day: date, **given: Any) -> Any:
        if name == "a-broken" and not repaired.is_set():
            raise ZeroDivisionError if defect else project.ProjectNotFound("no such thing")
        return run_day(stores, known, name, day, **given)

    monkeypatch.setattr(pipeline, "run_day", broken)
    with market.working():
        until(market.all_sent)
        until(lambda: market.count("job", "error is not null and attempts > 1") == 1)
        (job,) = market.stores.state.rows("select error from job where error is not null")
        repaired.set()
        until(lambda: market.all_sent("a-broken"))
    assert market.count("job", "done_at is not null and error is null") == 2
    (line,) = said("decide:a-broken")
    told = [record for record in caplog.records if record.exc_info]
    if defect:
        assert (line["code"], job["error"]) == ("defect", "A defect: ZeroDivisionError.")
        assert [record.levelno for record in told] == [logging.ERROR]
    else:
        assert (line["code"], job["error"]) == ("project_not_found", "no such thing")
        assert told == []


def test_a_defect_in_one_part_is_told_once_and_the_others_go_on(
    market: Any,
    sandbox: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
    said: Said,
) -> None:
    market.apply({PROVIDER: sandbox.url}, at_once=True)
    market.register(20)
    enquire, calls = activation.enquire, 0

    def defective(*given: Any, **named: Any) -> Counter[str]:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise ZeroDivisionError("a customer's address")
        return enquire(*given, **named)

    monkeypatch.setattr(activation, "enquire", defective)
    sandbox.faults("500_after")
    with market.working():
        until(market.all_sent)
    (line,) = said(f"enquire:{PROVIDER}")
    assert line == {
        "step": f"enquire:{PROVIDER}",
        "code": "defect",
        "message": "A defect: ZeroDivisionError.",
    }
    assert len([record for record in caplog.records if record.exc_info]) == 1
    sent = market.count("outbox")
    assert sandbox.sends() == (sent, sent, 1)


def test_trouble_of_the_ingest_does_not_hold_up_what_is_due(
    market: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch, until: Until, said: Said
) -> None:
    market.apply({PROVIDER: sandbox.url}, at_once=True)
    market.register(20)
    times = [SIX]
    with market.working(lambda: times[-1]):
        until(lambda: market.count("job", "done_at is not null") == 1)
        monkeypatch.setattr(pipeline.Ingest, "tick", _break)
        times.append(LATE)
        until(market.all_sent)
        until(lambda: len(said("ingest")) == 1)


def _break(_: object) -> int:
    raise RuntimeError


def test_a_definition_that_cannot_be_read_leaves_the_last_good_ones(
    market: Any, sandbox: Any, until: Until, said: Said
) -> None:
    market.apply({PROVIDER: sandbox.url}, at_once=True)
    market.register(20)
    times = [SIX]
    with market.working(lambda: times[-1]):
        until(lambda: market.count("job", "done_at is not null") == 1)
        market.stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values ('use_case', 'bad', 1, '{}', now())"
        )
        until(lambda: len(said("definitions")) == 1)
        times.append(LATE)
        until(market.all_sent)


def test_a_defect_outside_of_all_parts_ends_in_another_round(
    market: Any, sandbox: Any, until: Until, said: Said
) -> None:
    market.apply({PROVIDER: sandbox.url}, at_once=True)
    market.register(20)

    def clock() -> datetime:
        # Parts that read the clock keep their trouble to themselves.
        if not said("worker"):
            raise ZeroDivisionError
        return LATE

    with market.working(clock):
        until(market.all_sent)
    assert [line["code"] for line in said("worker")] == ["defect"]


def test_a_lake_that_cannot_be_made_is_waited_for(
    market: Any, sandbox: Any, until: Until, said: Said
) -> None:
    market.apply({PROVIDER: sandbox.url}, at_once=True)
    market.register(20)
    lake = market.stores.settings.lake_folder
    lake.touch()
    with market.working():
        until(lambda: len(said("worker")) == 1)
        lake.unlink()
        until(market.all_sent)
