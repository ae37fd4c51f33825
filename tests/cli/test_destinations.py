"""`opportune destinations`: list, show, dead-letters, retry."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from opportune.storage import Stores

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def traffic(stores: Stores) -> None:
    """Two messages that were given up, one that waits and one that was sent."""
    body = {"title": "CRM", "connector": "file", "events": ["Order"], "kinds": ["segment"]}
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('destination', 'crm', 1, %(body)s, now())",
        {"body": json.dumps(body)},
    )
    for number, state in enumerate(("failed", "failed", "pending", "sent")):
        message = {"type": "track", "event": "Order", "messageId": f"m{number}"}
        stores.state.rows(
            "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
            " message, due_at, state, reason, attempts, attempted_at) values (%(key)s,"
            " 'destination/crm', '2026-03-01', 'file', 1, 'u', '{}', %(message)s, '2026-03-01',"
            " %(state)s, 'It said no.', 2, '2026-03-01')",
            {
                "key": f"destination/crm:m{number}",
                "message": json.dumps(message),
                "state": state,
            },
        )


def test_list_and_show_say_how_it_is_doing(run: Run) -> None:
    assert run("destinations", "list")[:2] == (0, "crm: 1 waiting, 1 sent, 2 given up\n")
    code, out, _ = run("destinations", "show", "crm")
    assert (code, out.splitlines()) == (
        0,
        [
            "CRM (file: outgoing/crm)",
            "  is sent segment, Order",
            "  1 waiting, 1 sent, 2 given up",
            "  the oldest waits since 2026-03-01T00:00:00+00:00",
            "  It said no.",
        ],
    )
    for command in (("list",), ("show", "crm")):
        answer = json.loads(run("destinations", *command, "--json")[1])
        (found,) = answer if isinstance(answer, list) else [answer]
        assert (found["name"], found["waiting"], found["dead"]) == ("crm", 1, 2)


def test_dead_letters_are_listed_page_by_page_and_sent_again(run: Run, stores: Stores) -> None:
    code, out, _ = run("destinations", "dead-letters", "crm", "--limit", "1")
    number = out.split(" ")[0]
    assert (code, out) == (0, f"{number} m0 Order, tries: 2. It said no.\n")
    letters = json.loads(run("destinations", "dead-letters", "crm", "--after", number, "--json")[1])
    assert [each["message_id"] for each in letters] == ["m1"]
    assert run("destinations", "retry", "crm", "--message", "m1")[:2] == (
        0,
        "1 will be sent again\n",
    )
    assert run("destinations", "retry", "crm", "--all")[:2] == (0, "1 will be sent again\n")
    rows = stores.state.rows("select state, attempts, reason from outbox where key like '%m0'")
    assert rows == [{"state": "pending", "attempts": 0, "reason": None}]


def test_what_is_not_there_is_told(run: Run) -> None:
    code, _, said = run("destinations", "show", "cmr")
    assert (code, said) == (
        3,
        "unknown_destination: No destination 'cmr'. Did you mean 'crm'? Allowed: crm.\n",
    )
    assert run("destinations", "retry", "crm")[0] == 2
    code, _, said = run("destinations", "retry", "crm", "--message", "m9")
    assert (code, said.partition(":")[0]) == (3, "unknown_dead_letter")


def test_audiences_are_listed_with_where_they_go(run: Run, stores: Stores) -> None:
    assert run("destinations", "audiences")[1].startswith("No audience is published.")
    stores.state.rows(
        "insert into audience_publication"
        " (audience, destination, segments, minus, channel, assumed, refused, filled, published_at)"
        " values ('reach', 'ads', '{vip}', '{}', '*', false, 'No health.', '{}',"
        " '2026-03-01T06:00Z'),"
        " ('reach', 'crm', '{vip}', '{}', '*', false, null, null, null)"
    )
    stores.state.rows(
        "insert into audience_published"
        " select publication_id, 1, 1, 'user_id', 'ada', now() from audience_publication"
        " where destination = 'ads'"
    )
    assert run("destinations", "audiences")[:2] == (
        0,
        "reach -> ads: 1 members, told last 2026-03-01 06:00:00 UTC; nobody is added: No health.\n"
        "reach -> crm: 0 members (its segments are being filled)\n",
    )
    found = json.loads(run("destinations", "audiences", "--json")[1])
    assert [(each["destination"], each["members"]) for each in found] == [("ads", 1), ("crm", 0)]
