from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.activation import Answer, Delivery, Request, Send
from opportune.activation.connectors.braze import CONNECTOR
from opportune.activation.connectors.braze_answers import wait_s

CONFIG = {"campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10", "base_url": "https://b.example"}
SINCE = datetime(2026, 1, 5, 18, 0, 0, 123_456, tzinfo=UTC)
SENDS = [
    Send(key="k1", decision_id="d1", user_id="u1", properties={"offer": "a"}),
    Send(key="k2", decision_id="d2", user_id="u2", properties={"offer": "b"}),
]
CALL = CONNECTOR.requests(SENDS, CONFIG)[0]
ENQUIRY = CONNECTOR.enquiries(SENDS, CONFIG)[0]
ACCEPTED = {"message": "success", "dispatch_id": "14497aa4b013bf150881547fb3076fd6"}
Row = tuple[str, str, str | None, float | None]


def answer(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers=headers or {}, body=raw, processed=True)


def rows(deliveries: list[Delivery]) -> list[Row]:
    assert [each.key for each in deliveries] == ["k1", "k2"]
    return [
        (each.outcome, each.reason, each.dispatch_id, each.retry_after_s) for each in deliveries
    ]


def same_row(given: Answer, call: Request = CALL) -> Row:
    """The row that both keys got."""
    first, second = rows(CONNECTOR.deliveries(call, given))
    assert first == second
    return first


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_accepted_call_is_sent_with_its_dispatch_id(status: int) -> None:
    assert same_row(answer(status, ACCEPTED)) == ("sent", "", ACCEPTED["dispatch_id"], None)


def test_an_answer_without_a_dispatch_id_is_accepted_all_the_same() -> None:
    assert same_row(answer(202, {"message": "queued"})) == ("sent", "", None, None)


@pytest.mark.parametrize(
    "body", [b"", b"<html>log in</html>", b"{}", b"[]", b'{"message":', b"\xff", b"[" * 99_999]
)
def test_a_success_that_does_not_read_like_brazes_is_unknown(body: bytes) -> None:
    reason = "The answer 200 cannot be read as Braze's; check base_url."
    assert same_row(answer(200, body)) == ("unknown", reason, None, None)


def test_a_refused_call_fails_with_brazes_words_and_is_not_repeated() -> None:
    words = {"message": "campaign_id must be a string of the campaign api identifier"}
    reason = f"Braze refused the call (400): {words['message']}"
    assert same_row(answer(400, words)) == ("failed", reason, None, None)


def test_words_of_braze_are_cut_and_shown_without_addresses() -> None:
    row = same_row(answer(400, {"message": "bad\n<ann@shop.example>  " + "x" * 999}))
    start = "Braze refused the call (400): bad <[address]> "
    assert row[1] == start + "x" * (300 - len("bad <[address]> "))


@pytest.mark.parametrize("body", [b"", b'{"message":""}'])
def test_a_refusal_without_words_says_so(body: bytes) -> None:
    expected = "no words came with it" if not body else '{"message":""}'
    assert same_row(answer(415, body))[1] == f"Braze refused the call (415): {expected}"


def test_a_wrong_key_waits_for_the_operator_and_is_never_quoted() -> None:
    row = same_row(answer(401, {"message": "Invalid API key: s3cret"}))
    assert row == (
        "retry",
        "Braze does not know the API key (401): set OPPORTUNE_BRAZE_API_KEY to a REST API key of"
        " this workspace, and base_url to its own instance.",
        None,
        300.0,
    )


def test_a_missing_permission_is_named() -> None:
    row = same_row(answer(403, {"message": "You do not have permission"}))
    assert row == (
        "retry",
        "The API key may not do this (403): give it the permission campaigns.trigger.send, and"
        " check its IP allowlist and the account's plan.",
        None,
        300.0,
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, "base_url sends us elsewhere (302): set it to the instance's REST host."),
        (
            407,
            "A proxy on the way asks for credentials (407): let this host through to Braze.",
        ),
    ],
)
def test_a_wrong_way_to_braze_waits_for_the_operator(status: int, reason: str) -> None:
    assert same_row(answer(status, b"")) == ("retry", reason, None, 300.0)


def test_an_unknown_campaign_or_path_fails() -> None:
    reason = (
        "Braze knows no such campaign or path (404): check campaign_id and base_url."
        " It says: Not Found"
    )
    assert same_row(answer(404, {"message": "Not Found"})) == ("failed", reason, None, None)


def test_a_call_too_large_fails_with_advice() -> None:
    reason = "Braze takes no more than 4 MB a call (413): shorten the options' texts."
    assert same_row(answer(413, b"Request Entity Too Large")) == ("failed", reason, None, None)


def test_a_full_rate_limit_is_retried_after_the_wait_braze_asks_for() -> None:
    row = same_row(answer(429, {"message": "slow down"}, {"X-Ratelimit-Retry-After": "3"}))
    assert row == ("retry", "Braze's rate limit is reached (429).", None, 3.0)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({}, None), ({"x-ratelimit-reset": "1800"}, None), ({"Retry-After": "20"}, 20.0)],
)
def test_an_outage_is_asked_about_and_not_held_to_the_rate_window(
    headers: dict[str, str], wait: float | None
) -> None:
    row = same_row(answer(503, b"", headers))
    assert row == ("unknown", "Braze is not available (503).", None, wait)


@pytest.mark.parametrize("status", [100, 408, 500, 502, 504, 520])
def test_a_failure_that_may_have_come_after_acceptance_is_unknown(status: int) -> None:
    reason = f"Braze failed while it had the call ({status})."
    assert same_row(answer(status, b"")) == ("unknown", reason, None, None)


def test_a_call_that_never_reached_braze_is_retried() -> None:
    given = Answer(status=None, headers={}, body=b"connection refused", processed=False)
    assert same_row(given) == ("retry", "No answer from Braze: connection refused", None, None)


def test_a_call_without_an_answer_is_unknown() -> None:
    given = Answer(status=None, headers={}, body=b"read timed out", processed=None)
    assert same_row(given) == ("unknown", "No answer from Braze: read timed out", None, None)


def error(index: object, array: str = "recipients") -> dict[str, object]:
    return {"type": "'external_id' is required", "input_array": array, "index": index}


REFUSED: Row = (
    "failed",
    "Braze refused this recipient: 'external_id' is required",
    None,
    None,
)
SENT: Row = ("sent", "", ACCEPTED["dispatch_id"], None)


def unclear(words: str) -> Row:
    reason = f"Braze named an error without saying whose it is: {words}"
    return ("unknown", reason, ACCEPTED["dispatch_id"], None)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (None, [SENT, SENT]),
        ([], [SENT, SENT]),
        ([error(1)], [SENT, REFUSED]),
        ([error(0), error(1)], [REFUSED, REFUSED]),
        (["bad one"], [unclear("bad one")] * 2),
        ("bad one", [unclear("bad one")] * 2),
        ([error(2)], [unclear("'external_id' is required")] * 2),
        ([error(-1)], [unclear("'external_id' is required")] * 2),
        ([error(True)], [unclear("'external_id' is required")] * 2),
        ([error(0, "attributes")], [unclear("'external_id' is required")] * 2),
        ([error(0), 7], [REFUSED, unclear("7")]),
        ([""], [unclear("no words came with it")] * 2),
    ],
)
def test_partial_refusals_fail_their_recipient_and_unclear_ones_make_the_rest_unknown(
    errors: object, expected: list[Row]
) -> None:
    given = answer(201, {**ACCEPTED, "errors": errors})
    assert rows(CONNECTOR.deliveries(CALL, given)) == expected


DATE = "Mon, 05 Jan 2026 18:00:00 GMT"
EPOCH = 1_767_636_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"X-Ratelimit-Retry-After": "5"}, 5.0),
        ({"x-ratelimit-retry-after": " 5 "}, 5.0),
        ({"Retry-After": "2.5"}, 2.5),
        ({"X-RateLimit-Retry-After": "5", "Retry-After": "9"}, 5.0),
        ({"X-RateLimit-Retry-After": "", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "0"}, 1.0),
        ({"Retry-After": "999999"}, 3600.0),
        ({"Retry-After": "Mon, 05 Jan 2026 18:00:09 GMT"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"X-RateLimit-Reset": ""}, None),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Reset": "30"}, 30.0),
        ({"X-RateLimit-Reset": "999999999"}, 3600.0),
        ({"X-RateLimit-Reset": str(EPOCH + 90), "Date": DATE}, 90.0),
        ({"x-ratelimit-reset": str(EPOCH + 90), "date": DATE.replace("GMT", "-0000")}, 90.0),
        ({"X-RateLimit-Reset": str(EPOCH - 90), "Date": DATE}, 1.0),
        ({"X-RateLimit-Reset": str(EPOCH + 90_000), "Date": DATE}, 3600.0),
        ({"X-RateLimit-Reset": str(EPOCH + 90)}, None),
        ({"X-RateLimit-Reset": str(EPOCH + 90), "Date": "today"}, None),
        ({"X-RateLimit-Reset": "30", "Retry-After": "4"}, 4.0),
    ],
)
def test_the_wait_is_read_from_whichever_header_has_one(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert wait_s(headers) == seconds


def user(external_id: object, *received: object) -> dict[str, object]:
    return {"external_id": external_id, "campaigns_received": list(received)}


def receipt(last_received: object, campaign_id: str = CONFIG["campaign_id"]) -> dict[str, object]:
    return {"name": "x", "api_campaign_id": campaign_id, "last_received": last_received}


def findings(body: object) -> list[Row]:
    return rows(CONNECTOR.findings(ENQUIRY, answer(201, body), since=SINCE, config=CONFIG))


RECEIVED: Row = ("sent", "Braze shows that the message was received.", None, None)
NOT_RECEIVED: Row = ("retry", "Braze shows no message since: safe to send again.", None, None)
UNDATED: Row = ("unknown", "Braze shows our campaign without a readable time.", None, None)
NO_USER: Row = (
    "failed",
    "Unknown user: Braze has no profile with this external_id.",
    None,
    None,
)


def test_a_user_who_received_the_campaign_since_was_sent_and_another_may_be_sent_again() -> None:
    body = {"users": [user("u2"), user("u1", receipt("2026-01-05T18:00:02.000Z"))]}
    assert findings(body) == [RECEIVED, NOT_RECEIVED]


def test_a_user_braze_does_not_know_is_failed() -> None:
    body = {"users": [user("u1")], "invalid_user_ids": ["u2"]}
    assert findings(body) == [NOT_RECEIVED, NO_USER]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (receipt("2026-01-05T18:00:00Z"), RECEIVED),
        (receipt("2026-01-05 18:00:00.000 UTC"), RECEIVED),
        (receipt("2026-01-05T18:00:01"), RECEIVED),
        (receipt("2026-01-05T19:00:00+01:00"), RECEIVED),
        (receipt("2026-01-05T18:00:00Z", CONFIG["campaign_id"].upper()), RECEIVED),
        (receipt("2026-01-05T17:59:59Z"), NOT_RECEIVED),
        (receipt("2026-01-05T18:00:02Z", "another"), NOT_RECEIVED),
        ("nonsense", NOT_RECEIVED),
        (receipt(None), UNDATED),
        (receipt("yesterday"), UNDATED),
    ],
)
def test_a_receipt_counts_for_our_campaign_from_the_second_of_the_call(
    entry: object, expected: Row
) -> None:
    assert findings({"users": [user("u1", entry), user("u2")]}) == [expected, NOT_RECEIVED]


def test_a_user_exported_without_a_list_received_nothing() -> None:
    body = {"users": [{"external_id": "u1"}, {"external_id": "u2", "campaigns_received": None}]}
    assert findings(body) == [NOT_RECEIVED, NOT_RECEIVED]


def test_an_export_entry_that_names_nobody_is_passed_over() -> None:
    assert findings({"users": [7, {"braze_id": "x"}, user("u2")]}) == [NO_USER, NOT_RECEIVED]


def test_an_id_sent_back_as_a_number_is_the_same_user() -> None:
    send = Send(key="k", decision_id="d", user_id="12345", properties={})
    enquiry = CONNECTOR.enquiries([send], CONFIG)[0]
    body = {"users": [user(12345, receipt("2026-01-05T18:00:02Z"))]}
    found = CONNECTOR.findings(enquiry, answer(201, body), since=SINCE, config=CONFIG)
    assert [each.outcome for each in found] == ["sent"]


@pytest.mark.parametrize(
    ("given", "reason", "wait"),
    [
        (answer(201, b"<html>"), "the answer 201 names no users; check base_url.", None),
        (
            answer(201, {"message": "success"}),
            "the answer 201 names no users; check base_url.",
            None,
        ),
        (answer(500, b""), "Braze failed while it had the call (500).", None),
        (
            answer(429, b"", {"Retry-After": "9"}),
            "Braze's rate limit is reached (429).",
            9.0,
        ),
        (
            answer(403, b""),
            "The API key may not do this (403): give it the permission users.export.ids, and check"
            " its IP allowlist and the account's plan.",
            300.0,
        ),
        (
            Answer(status=None, headers={}, body=b"refused", processed=False),
            "No answer from Braze: refused",
            None,
        ),
    ],
)
def test_an_enquiry_that_fails_settles_nothing(
    given: Answer, reason: str, wait: float | None
) -> None:
    found = rows(CONNECTOR.findings(ENQUIRY, given, since=SINCE, config=CONFIG))
    assert found == [("unknown", f"Enquiry: {reason}", None, wait)] * 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
near_bodies = st.fixed_dictionaries(
    {},
    optional={
        "message": json_values,
        "dispatch_id": json_values,
        "errors": json_values
        | st.lists(
            st.fixed_dictionaries({"input_array": st.just("recipients"), "index": json_values})
        ),
        "users": json_values
        | st.lists(
            st.fixed_dictionaries(
                {
                    "external_id": st.sampled_from(["u1", "u2"]) | json_values,
                    "campaigns_received": json_values
                    | st.lists(
                        st.fixed_dictionaries(
                            {
                                "api_campaign_id": st.just(CONFIG["campaign_id"]),
                                "last_received": json_values,
                            }
                        )
                    ),
                }
            )
        ),
    },
)
bodies = st.binary(max_size=30) | (json_values | near_bodies).map(
    lambda value: json.dumps(value).encode()
)
header_names = st.sampled_from(
    ["Retry-After", "X-RateLimit-Reset", "x-ratelimit-retry-after", "Date"]
)
answers = st.builds(
    Answer,
    status=st.integers(min_value=100, max_value=599),
    headers=st.dictionaries(header_names, st.text(max_size=12) | st.integers().map(str)),
    body=bodies,
    processed=st.just(True),
) | st.builds(
    Answer,
    status=st.none(),
    headers=st.just({}),
    body=st.binary(max_size=30),
    processed=st.sampled_from([False, None]),
)


@given(answers)
def test_any_answer_gives_every_key_exactly_one_delivery(given_answer: Answer) -> None:
    deliveries = CONNECTOR.deliveries(CALL, given_answer)
    found = CONNECTOR.findings(ENQUIRY, given_answer, since=SINCE, config=CONFIG)
    for each in (*rows(deliveries), *rows(found)):
        assert each[0] in ("sent", "failed", "retry", "unknown")
        assert each[3] is None or 1.0 <= each[3] <= 3600.0
    accepted = given_answer.status is not None and 200 <= given_answer.status < 300
    assert accepted or all(each.outcome != "sent" for each in deliveries)
    assert accepted or all(each.outcome == "unknown" for each in found)


@given(st.integers(min_value=1, max_value=120), answers)
def test_the_deliveries_of_all_calls_together_cover_all_sends_once(
    count: int, given_answer: Answer
) -> None:
    sends = [
        Send(key=f"k{index}", decision_id="d", user_id=f"u{index % 40}", properties={})
        for index in range(count)
    ]
    keys = [
        delivery.key
        for request in CONNECTOR.requests(sends, CONFIG)
        for delivery in CONNECTOR.deliveries(request, given_answer)
    ]
    assert sorted(keys) == sorted(send.key for send in sends)


def test_since_is_compared_by_whole_seconds(make_sends: Callable[..., list[Send]]) -> None:
    body = {"users": [user("u1", receipt("2026-01-05T18:00:00.001Z")), user("u2")]}
    later = SINCE + timedelta(seconds=1)
    found = CONNECTOR.findings(ENQUIRY, answer(201, body), since=later, config=CONFIG)
    assert rows(found) == [NOT_RECEIVED, NOT_RECEIVED]
