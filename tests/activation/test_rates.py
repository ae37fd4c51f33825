"""What a receiver's answers say of its limit is what may be called next."""

from __future__ import annotations

from dataclasses import replace

from opportune.activation.connectors.braze import CONNECTOR
from opportune.activation.connectors.braze_answers import read_window
from opportune.activation.model import Answer, Window, Windowed
from opportune.activation.rates import newest_window

HEADERS = {
    "X-RateLimit-Limit": "250000",
    "x-ratelimit-remaining": " 12 ",
    "X-RateLimit-Reset": "1772359200",
    "Date": "Sun, 01 Mar 2026 09:59:30 GMT",
}


def answer(status: int = 201, **changed: str) -> Answer:
    headers = HEADERS | {name.replace("_", "-"): text for name, text in changed.items()}
    return Answer(status=status, headers=headers, body=b"", processed=True)


def test_a_window_is_read_against_the_answer_s_own_time() -> None:
    found = read_window(answer())
    assert found == Window(calls=250_000, remaining=12, resets_at_s=1772359200, resets_in_s=30)
    assert read_window(answer(**{"X_RateLimit_Reset": "7"})) == replace(
        found, resets_at_s=1772359177, resets_in_s=7
    )


def test_headers_that_do_not_say_all_of_it_say_nothing() -> None:
    assert read_window(answer(**{"X_RateLimit_Limit": ""})) is None
    assert read_window(answer(Date="yesterday")) is None
    assert read_window(Answer(status=None, headers={}, body=b"", processed=None)) is None


def test_a_batch_says_the_least_that_is_left_of_the_last_window() -> None:
    assert isinstance(CONNECTOR, Windowed)

    def left(*answers: Answer) -> int | None:
        found = newest_window(CONNECTOR, answers)  # type: ignore[arg-type]  # checked above
        return None if found is None else found.remaining

    later = answer(**{"X_RateLimit_Reset": "1772362800", "X_RateLimit_Remaining": "99"})
    alone = answer(429, **{"X_RateLimit_Remaining": "0"})
    fewer = answer(**{"x_ratelimit_remaining": "5"})
    assert left(fewer, answer()) == 5
    assert left(fewer, later, answer()) == 99
    assert left(alone, answer()) == 12, "a refusal beside calls that were taken"
    assert left(alone) == 0
    assert left(answer(Date="")) is None
