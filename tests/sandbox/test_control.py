"""The control side: the clock, counting sends, and starting."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox import create_app
from opportune.sandbox.model import UnknownMarket

from .conftest import config


def test_the_clock_stands_at_the_start_until_it_is_moved(client: Any) -> None:
    assert client.get("/_sandbox/clock").json == {"now": "2026-01-01T00:00:00.000Z"}
    moved = client.post("/_sandbox/clock", {"now": "2026-02-01T08:00:00+02:00"})
    assert moved.json == {"now": "2026-02-01T06:00:00.000Z"}
    assert client.get("/_sandbox/clock").json == {"now": "2026-02-01T06:00:00.000Z"}
    naive = client.post("/_sandbox/clock", {"now": "2026-02-02T06:00:00"})
    assert naive.json == {"now": "2026-02-02T06:00:00.000Z"}


def test_sends_are_counted_in_all_and_by_day(client: Any) -> None:
    client.send({"external_user_id": "c000001"}, {"external_user_id": "c000002"})
    client.post("/_sandbox/clock", {"now": "2026-01-02T06:00:00Z"})
    for _ in range(3):
        client.send({"external_user_id": "c000001"})
    assert client.get("/_sandbox/sends").json == {
        "sends": 5,
        "customers": 2,
        "most_per_customer_and_day": 3,
        "by_day": {"2026-01-01": 2, "2026-01-02": 3},
    }
    assert client.get("/_sandbox/sends?day=2026-01-01").json == {
        "sends": 2,
        "customers": 2,
        "most_per_customer_and_day": 1,
        "by_day": {"2026-01-01": 2},
    }
    assert client.get("/_sandbox/sends?day=2026-01-09").json["sends"] == 0


def test_the_control_side_asks_for_no_key(client: Any) -> None:
    client.key = None
    assert client.get("/_sandbox/sends").status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_sandbox/clock", {"now": "soon"}),
        ("/_sandbox/clock", {}),
        ("/_sandbox/react", {"day": "2026-13-01"}),
        ("/_sandbox/faults", {"faults": "503"}),
    ],
)
def test_a_wrong_request_is_400_with_a_code(client: Any, path: str, body: Any) -> None:
    answer = client.post(path, body)
    assert answer.status == 400
    assert answer.json["code"] == "refused"


def test_a_day_that_is_no_date_is_400(client: Any) -> None:
    answer = client.get("/_sandbox/sends?day=monday")
    assert answer.status == 400
    assert answer.json["message"] == "day is 'monday'; give a date like 2026-01-31"


def test_an_unknown_market_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownMarket, match="Did you mean 'internet-provider'"):
        create_app(config(market="internet-providers"))


def test_no_key_shows_when_the_configuration_is_printed() -> None:
    shown = repr(config(restricted_keys={"secret-reader": frozenset()}))
    assert "test-key" not in shown
    assert "shop-key" not in shown
    assert "currents-key" not in shown
    assert "secret-reader" not in shown
