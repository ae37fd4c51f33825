"""What arrives, over HTTP: the catalogue, rejects and their replay, the newest events."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from opportune import events, pipeline, project
from opportune.storage import Frame, SegmentLog, Stores

# 2026-01-11T05:00:00Z, an hour before the interface's clock.
AT_US = 1_768_107_600_000_000
PLAN = """
unplanned_events = "block"
[[events]]
name = "Order Completed"
properties = { revenue = { type = "number" } }
"""
Send = Callable[..., None]
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ingest(stores: Stores) -> Iterator[pipeline.Ingest]:
    taken = pipeline.Ingest(stores, dict.fromkeys(events.KINDS, events.decode_segment))
    yield taken
    taken.close()


@pytest.fixture
def send(stores: Stores, ingest: pipeline.Ingest, history: Any) -> Iterator[Send]:
    """Send a batch of source "shop" and take it in."""
    log = SegmentLog(stores.settings.log_folder)

    def sent(*messages: dict[str, object], at_us: int = AT_US) -> None:
        body = json.dumps({"batch": messages}).encode()
        frame = Frame(received_at_us=at_us, source_id="shop", kind="batch", body=body)
        log.append(frame).result(10)
        ingest.tick()

    yield sent
    log.close()


@pytest.fixture
def planned(
    apply: Callable[..., None], stores: Stores, tmp_path: Path, history: Any
) -> Callable[[str], None]:
    """Apply a project with a tracking plan."""

    def written(plan: str) -> None:
        apply({"next_offer": "Next offer"})
        file = tmp_path / "project" / "tracking_plans" / "shop.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(plan)
        project.apply(stores.state, file.parents[1], now=history.NOW)

    return written


def order(message_id: str, **fields: object) -> dict[str, object]:
    return {
        **{"type": "track", "event": "Order Completed", "userId": "customer-1"},
        **{"messageId": message_id, "properties": {"revenue": 1}},
        **fields,
    }


def get(site: Any, path: str) -> Any:
    answer = site.get(path)
    assert answer.status == 200, answer.text
    return json.loads(answer.text)


def test_the_catalogue_lists_events_with_who_uses_them(
    site: Any, send: Send, planned: Callable[[str], None]
) -> None:
    planned(PLAN)
    traits = {"tenure_months": 3, "email": "ana@shop.example"}
    identify = {"type": "identify", "userId": "c", "messageId": "i", "traits": traits}
    send(
        order("a"),
        order("b", properties={"revenue": "x"}),
        order("c", event="Viewed/All"),
        identify,
    )
    catalogue = get(site, "/api/catalogue")
    told = {each["event"]: each for each in catalogue["events"]}
    assert sorted(told) == ["Order Completed", "Viewed/All", "identify"]
    completed = told["Order Completed"]
    assert (completed["events"], completed["events_24h"], completed["flagged"]) == (2, 2, 1)
    assert (told["Viewed/All"]["events"], told["Viewed/All"]["blocked"]) == (0, 1)
    assert completed["used_by"] == [
        *("metric/orders", "tracking_plan/shop", "use_case/next_offer"),
    ]
    assert (catalogue["full_sources"], catalogue["nearest"]) == ([], None)
    assert catalogue["as_of"] == "2026-01-11T06:00:00Z"
    fields = {each["name"]: each for each in get(site, "/api/catalogue/identify")["fields"]}
    assert fields["tenure_months"]["used_by"] == ["segment/everybody", "use_case/next_offer"]
    assert (fields["email"]["field_class"], fields["email"]["class_because"]) == (
        "personal",
        "name",
    )
    assert fields["email"]["sample"] == "xxx@xxxx.xxxxxxx"
    revenue = get(site, f"/api/catalogue/{quote('Order Completed')}")["fields"][0]
    assert revenue["types"] == {"string": 1, "integer": 1}
    assert revenue["used_by"] == ["tracking_plan/shop"]
    assert (revenue["fill_share"], revenue["violations"]) == (1.0, {"wrong_type": 1})
    assert get(site, "/api/catalogue/Viewed/All")["fields"] == []


def test_a_name_that_was_never_seen_is_answered_with_the_nearest_one(site: Any, send: Send) -> None:
    send(order("a"))
    answer = site.get(f"/api/catalogue/{quote('Order Complete')}")
    assert (answer.status, json.loads(answer.text)) == (
        404,
        {
            "code": "unknown_event",
            "message": "No event 'Order Complete' was ever seen. Did you mean 'Order Completed'? "
            "It was last seen 2026-01-11 05:00 UTC.",
        },
    )
    asked = get(site, f"/api/catalogue?event={quote('Order Complete')}")
    assert (asked["events"], asked["nearest"]["event"]) == ([], "Order Completed")
    assert asked["nearest"]["last_seen_at"] == "2026-01-11T05:00:00Z"
    assert get(site, "/api/catalogue?event=zzz")["nearest"] is None
    assert site.get("/api/catalogue?event=a%00").status == 400
    assert site.get("/api/catalogue/a%00").status == 404


def test_rejects_are_paged_and_sent_again(
    ask: Ask, site: Any, send: Send, planned: Callable[[str], None], ingest: pipeline.Ingest
) -> None:
    planned(PLAN)
    send(*[order(f"m{n}", event=f"E{n % 2}") for n in range(5)])
    first = get(site, "/api/rejects?limit=3")
    second = get(site, f"/api/rejects?limit=3&before={quote(first['next'])}")
    assert [each["message_id"] for each in first["rejects"] + second["rejects"]] == [
        *("m0", "m1", "m2", "m3", "m4"),
    ]
    assert (len(second["rejects"]), second["next"]) == (2, None)
    reject = first["rejects"][1]
    assert reject["code"] == "unplanned"
    assert reject["reason"].startswith("Tracking plan 'shop': event 'E1' is not planned.")
    assert json.loads(reject["payload"])["messageId"] == "m1"
    since = get(site, "/api/rejects?since=2026-01-11T05:00:01&code=unplanned&source=shop")
    assert since["rejects"] == []
    planned(PLAN + '[[events]]\nname = "E1"\n')
    assert ask("/api/rejects/replay", {"ids": [reject["id"]]}) == (
        200,
        {"sent": [reject["id"]], "done": [], "waiting": [], "unusable": {}},
    )
    status, again = ask("/api/rejects/replay", {"event": "E1"})
    assert (status, len(again["sent"]), again["waiting"]) == (200, 1, [reject["id"]])
    ingest.tick()
    states = [each["state"] for each in get(site, "/api/rejects?event=E1")["rejects"]]
    assert states == ["replayed", "replayed"]
    assert get(site, "/api/rejects?event=E1&open=true")["rejects"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "nothing_chosen"),
        ({"ids": []}, 400, "nothing_chosen"),
        ({"ids": ["shop:1:0:unplanned"], "event": "E"}, 400, "nothing_chosen"),
        ({"ids": ["x"]}, 400, "invalid_reject_id"),
        ({"ids": ["shop:1:0:unplanned"]}, 404, "no_such_reject"),
        ({"id": ["shop:1:0:unplanned"]}, 400, "invalid_input"),
        ({"event": "\ud800"}, 400, "invalid_input"),
    ],
)
def test_a_replay_of_nothing_says_what_to_give(
    ask: Ask, body: dict[str, object], status: int, code: str
) -> None:
    answered, problem = ask("/api/rejects/replay", body)
    assert (answered, problem["code"], sorted(problem)) == (status, code, ["code", "message"])


def test_the_tail_can_be_polled(site: Any, send: Send) -> None:
    send(order("a"), order("b", userId="customer-2"))
    page = get(site, "/api/events/tail")
    assert [(each["message_id"], each["user"], each["outcome"]) for each in page["events"]] == [
        ("a", "cu…1", "accepted"),
        ("b", "cu…2", "accepted"),
    ]
    assert get(site, f"/api/events/tail?after={page['next']}") == {**page, "events": []}
    asked = get(site, "/api/events/tail?user=customer-2&source=shop")
    assert [each["message_id"] for each in asked["events"]] == ["b"]
    assert site.get("/api/events/tail?after=-1").status == 400


class Follower:
    """A reader of server-sent events."""

    def __init__(self, site: Any, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(
            site.address.removeprefix("http://"), timeout=30
        )
        self._connection.request(
            "GET", "/api/events/tail", headers={"Accept": "text/event-stream", **headers}
        )
        self.answer = self._connection.getresponse()

    def next(self) -> tuple[str, Any]:
        """Wait for an event and return its id and data."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode():
            name, colon, value = line.rstrip("\n").partition(": ")
            if colon:
                fields[name] = value
            elif "data" in fields:
                return fields["id"], json.loads(fields["data"])
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self._connection.close()


def test_the_tail_can_be_followed_and_taken_up_where_it_was_left(site: Any, send: Send) -> None:
    send(order("a"))
    follower = Follower(site)
    assert follower.answer.getheader("content-type", "").startswith("text/event-stream")
    place, first = follower.next()
    send(order("b"))
    assert [first["message_id"], follower.next()[1]["message_id"]] == ["a", "b"]
    follower.close()
    again = Follower(site, **{"Last-Event-ID": place})
    assert again.next()[1]["message_id"] == "b"
    again.close()


def test_only_so_many_may_follow_at_once(site: Any, send: Send) -> None:
    send(order("a"))
    followers = [Follower(site) for _ in range(20)]
    assert [each.next()[1]["message_id"] for each in followers] == ["a"] * 20
    late = Follower(site)
    assert (late.answer.status, json.loads(late.answer.read())["code"]) == (503, "too_many_streams")
    for each in (*followers, late):
        each.close()


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/catalogue", "/catalogue"),
        ("/catalogue/Order%20Completed", "/catalogue/{event}"),
        ("/rejects", "/rejects"),
        ("/events/tail", "/events/tail"),
    ],
)
def test_answers_are_as_their_schema_says(site: Any, send: Send, path: str, shape: str) -> None:
    send(order("a"), {"type": "bad"})
    document = get(site, f"/api{path}")
    schema = get(site, "/api/openapi.json")
    answers = schema["paths"][shape]["get"]["responses"]["200"]["content"]["application/json"]
    jsonschema.validate(document, {**answers["schema"], "components": schema["components"]})
