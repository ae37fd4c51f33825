"""Schemas of tables: every mistake, with the key where it is and what is allowed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from opportune.documents import InvalidDefinition
from opportune.errors import NotFound
from opportune.events import history

ROOT = Path(__file__).resolve().parents[3]
GOOD = """
[[messages]]
type = "track"
event = { constant = "Order" }
user_id = "customer"
timestamp = "at"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidDefinition) as refusal:
        history.parse_schema(tomllib.loads(text), where="s")
    return list(refusal.value.problems)


def test_mistakes_of_a_whole_schema_are_listed_at_once() -> None:
    assert problems(
        """
        delimiter = "::"
        decimal = ";"
        encoding = "utf-99"
        equal_rows = "both"
        colour = "red"

        [types]
        amount = "money"
        born = { format = "%d.%m.%Y %z", zone = "Mars" }

        [[messages]]
        type = "trak"
        user_id = "customer"
        timestamp = { column = "at", format = "days" }

        [[messages]]
        type = "track"
        user_id = 17
        timestamp = { constant = "noon" }
        properties = ["a", "a"]
        only = { state = 1.5 }
        """
    ) == [
        "s: messages[0].type: 'trak' given. Did you mean 'track'? Allowed: alias, group, identify, "
        "page, screen, track.",
        "s: messages[0].timestamp.format: 'days' given. Allowed: iso, s, ms, us, or a pattern such "
        "as %d.%m.%Y %H:%M.",
        "s: messages[1].user_id: 17 given, must be the name of a column, { column = ..., prefix = "
        "... } or { constant = ... }.",
        "s: messages[1].event: missing, must be the name of a column or { constant = ... }.",
        "s: messages[1].timestamp.constant: 'noon' given, must be a time such as "
        "2026-01-31T09:30:00Z.",
        "s: messages[1].properties: 'a' stands there twice, names must differ.",
        "s: messages[1].only.state: 1.5 given, must be a text or a list of texts.",
        "s: types.amount: 'money' given. Allowed: boolean, integer, json, number, text, time.",
        "s: types.born.format: a pattern cannot have %z; times with an offset are read as 'iso'.",
        "s: types.born.zone: 'Mars' given, must be an IANA name such as 'Europe/Vienna'.",
        "s: equal_rows: 'both' given. Allowed: each, one.",
        "s: decimal: ';' given. Allowed: ,, ..",
        "s: encoding: 'utf-99' given, must be one such as 'utf-8' or 'latin-1'.",
        "s: delimiter: '::' given, must be one character.",
        "s: colour: unknown key. Allowed: decimal, delimiter, encoding, equal_rows, messages, "
        "types.",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('user_id = "customer"', ""), "s: messages[0].user_id: missing, must be the name of a "),
        (('timestamp = "at"', ""), "s: messages[0].timestamp: missing, must be the name of a "),
        (("event =", "events ="), "s: messages[0].event: missing, must be the name of a column"),
        (("[[messages]]", "[messages]"), "s: messages: {"),
        (
            ('timestamp = "at"', 'timestamp = "at"\nmessage_id = { constant = "m" }'),
            "s: messages: a message_id cannot be constant, every message needs its own.",
        ),
        (
            ('timestamp = "at"', 'timestamp = "at"\nproperties = { a = { constant = [1] } }'),
            "s: messages[0].properties.a: {'constant': [1]} given, must be the name of a column or",
        ),
        (
            ('timestamp = "at"', 'timestamp = "at"\nmessage_id = { column = "a", prefix = 1 }'),
            "s: messages[0].message_id.prefix: 1 given, must be a text.",
        ),
    ],
)
def test_a_mistake_is_told(change: tuple[str, str], problem: str) -> None:
    assert [line for line in problems(GOOD.replace(*change)) if line.startswith(problem)] != []


def test_there_is_an_end_to_messages_and_fields() -> None:
    assert problems(GOOD * 21) == ["s: messages: 21 given, at most 20 allowed."]
    many = ", ".join(f'"c{place}"' for place in range(301))
    assert problems(GOOD + f"properties = [{many}]\n") == [
        "s: messages[0].properties: 301 given, at most 300 allowed."
    ]


def test_two_messages_of_a_row_must_not_have_the_same_id() -> None:
    with_id = GOOD + 'message_id = "order"\n'
    assert problems(with_id * 2) == [
        "s: messages: 2 of them take their message_id from 'order'; ids must differ. Give one of "
        "them a prefix: { column = ..., prefix = ... }."
    ]
    prefixed = GOOD + 'message_id = { column = "order", prefix = "paid-" }\n'
    assert len(history.parse_schema(tomllib.loads(with_id + prefixed), where="s").messages) == 2


def test_a_file_that_is_missing_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="the page 'Import history' shows how"):
        history.read_schema(tmp_path / "orders.toml")
    (tmp_path / "orders.toml").write_text("a = ")
    with pytest.raises(InvalidDefinition, match="this is not TOML"):
        history.read_schema(tmp_path / "orders.toml")


@pytest.mark.parametrize("name", ["cdnow", "clickstream"])
def test_the_example_schemas_are_valid(name: str) -> None:
    schema = history.read_schema(ROOT / "examples" / "history" / f"{name}.toml")
    assert [each.type for each in schema.messages][-1] == "track"


def test_the_schema_that_the_page_shows_is_valid() -> None:
    page = (ROOT / "docs" / "how-to" / "import-history.md").read_text()
    (text,) = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    schema = history.parse_schema(tomllib.loads(text), where="page")
    assert [each.type for each in schema.messages] == ["identify", "track"]
