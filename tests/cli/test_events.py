"""``catalogue`` and ``rejects`` as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opportune import events, pipeline
from opportune.storage import Frame, SegmentLog, Stores

Run = Callable[..., tuple[int, str, str]]
Send = Callable[..., None]
# 2020-01-01T06:00:00Z, long before anybody runs this.
AT_US = 1_577_858_400_000_000
STRICT = 'unplanned_events = "block"\n[[events]]\nname = "Order Completed"\n'


@pytest.fixture
def send(stores: Stores) -> Iterator[Send]:
    log = SegmentLog(stores.settings.log_folder)
    ingest = pipeline.Ingest(stores, {"batch": events.decode_segment})

    def sent(*messages: dict[str, object]) -> None:
        if messages:
            body = json.dumps({"batch": messages}).encode()
            frame = Frame(received_at_us=AT_US, source_id="shop", kind="batch", body=body)
            log.append(frame).result(10)
        ingest.tick()

    yield sent
    ingest.close()
    log.close()


@pytest.fixture
def plan(run: Run, tmp_path: Path) -> Callable[[str], None]:
    """Apply the shop of the examples with this tracking plan."""

    def applied(text: str) -> None:
        shop = Path(__file__).parents[2] / "examples" / "shop"
        folder = tmp_path / "shop"
        for file in shop.rglob("*.toml"):
            copy = folder / file.relative_to(shop)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text())
        (folder / "tracking_plans" / "shop.toml").write_text(text)
        assert run("apply", str(folder))[0] == 0

    return applied


def order(
    message_id: str, event: str = "Order Completed", **properties: object
) -> dict[str, object]:
    return {
        **{"type": "track", "event": event, "userId": "c", "messageId": message_id},
        "properties": properties,
    }


def test_the_catalogue_shows_events_and_their_fields(
    run: Run, send: Send, plan: Callable[[str], None]
) -> None:
    assert run("catalogue") == (0, "No events yet.\n", "")
    plan(STRICT)
    send(order("a", revenue=1, email="ana@shop.example"), order("b", revenue=2))
    code, out, _ = run("catalogue")
    assert code == 0
    assert out.splitlines()[1].split() == [
        *("shop", "Order", "Completed", "track", "0", "0", "2", "2", "0", "2020-01-01", "06:00"),
    ]
    code, out, _ = run("catalogue", "Order Completed")
    assert [" ".join(line.split()) for line in out.splitlines()[1:]] == [
        "shop email property string 50% personal xxx@xxxx.xxxxxxx unplanned 1",
        "shop revenue property integer 100% free 2 unplanned 2",
    ]
    _, out, _ = run("catalogue", "--json")
    (entry,) = json.loads(out)
    assert (entry["events"], entry["used_by"]) == (
        2,
        ["metric/revenue", "tracking_plan/shop", "use_case/second-order"],
    )
    _, out, _ = run("catalogue", "Order Completed", "--source", "till", "--json")
    assert json.loads(out) == []


def test_an_event_that_was_never_seen_is_answered_with_the_nearest(run: Run, send: Send) -> None:
    send(order("a"))
    code, out, err = run("catalogue", "Order Complete")
    assert (code, out) == (3, "")
    assert err == (
        "unknown_event: No event 'Order Complete' was ever seen. Did you mean 'Order Completed'? "
        "It was last seen 2020-01-01 06:00 UTC.\n"
    )


def test_rejects_are_listed_and_sent_again_after_a_fix(
    run: Run, send: Send, plan: Callable[[str], None], stores: Stores
) -> None:
    assert run("rejects", "list") == (0, "No rejects.\n", "")
    plan(STRICT)
    send(order("a", "Viewed"), order("b", "Viewed"), {"type": "bad"})
    code, out, _ = run("rejects", "list", "--code", "unplanned", "--since", "2020-01-01")
    first = f"shop:{AT_US}:0:unplanned"
    assert (code, out.splitlines()[:2]) == (
        0,
        [
            f"{first}  open",
            "  Tracking plan 'shop': event 'Viewed' is not planned. Add it to the plan, or do not "
            "send it.",
        ],
    )
    assert out.splitlines()[-1] == "2 rejects."
    plan(STRICT + '[[events]]\nname = "Viewed"\n')
    told = "sent again, {} were replayed before, {} are on their way, 0 cannot be sent again.\n"
    assert run("rejects", "replay", first) == (0, "1 " + told.format(0, 0), "")
    assert run("rejects", "replay", "--event", "Viewed") == (0, "1 " + told.format(0, 1), "")
    send()
    assert run("rejects", "replay", first) == (0, "0 " + told.format(1, 0), "")
    _, out, _ = run("rejects", "list", "--json")
    states = {each["reject_id"]: each["state"] for each in json.loads(out)}
    assert sorted(states.values()) == ["open", "replayed", "replayed"]
    code, out, _ = run("rejects", "list", "--open", "--limit", "1")
    assert out.splitlines() == [
        f"shop:{AT_US}:2:unknown_type  open",
        "  type must be one of alias, group, identify, page, screen, track.",
        "1 rejects.",
    ]
    assert stores.lake.read("events").num_rows == 2


def test_a_replay_says_what_cannot_be_sent_and_what_to_give(run: Run, send: Send) -> None:
    send({"type": "track", "event": "x" * 40_000})
    (listed,) = json.loads(run("rejects", "list", "--json")[1])
    code, out, err = run("rejects", "replay", listed["reject_id"])
    assert (code, out.endswith("1 cannot be sent again.\n")) == (0, True)
    assert err.startswith(f"{listed['reject_id']}: What was kept of it is no whole message")
    for arguments in ([], [listed["reject_id"], "--event", "E"]):
        code, _, err = run("rejects", "replay", *arguments)
        assert (code, err.split(":")[0]) == (2, "nothing_chosen")
