"""Reading a definition lists every mistake in it, each with its place and what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from opportune.documents import Document, InvalidDefinition

FILE = "use_cases/offer.toml"


def document(text: str) -> Document:
    return Document(tomllib.loads(text), FILE, [])


GOOD = """
name = "offer"
share = 0.25
many = 3
on = true
words = ["a", "b"]
mixed = [1, "two", { three = 3 }]
[inner]
[inner.deep]
key = "x"
[[rows]]
name = "one"
[[rows]]
name = "two"
"""


def test_what_is_right_is_read_as_it_is() -> None:
    given = document(GOOD)
    assert given.text("name") == "offer"
    assert given.number("share", low=0, high=1) == 0.25
    assert given.number("many", low=3, high=3) == 3.0
    assert given.flag("on", default=False)
    assert given.texts("words") == ("a", "b")
    assert given.items("mixed") == (1, "two", {"three": 3})
    inner = given.table("inner")
    assert inner.table("deep").text("key") == "x"
    inner.close()
    assert [row.text("name") for row in given.tables("rows")] == ["one", "two"]
    assert given.optional("name") == "offer"
    given.close()
    assert given.problems == []


def test_what_is_left_out_has_its_default() -> None:
    given = document("")
    assert given.text("a", "x") == "x"
    assert given.text("empty", "") == ""
    assert given.number("b", 2, low=0, high=9) == 2.0
    assert given.flag("c", default=True)
    assert given.texts("d", ()) == ()
    assert given.items("e", [1]) == (1,)
    assert given.table("f", required=False).body == {}
    assert given.optional("g") is None
    given.close()
    assert given.problems == []


Reader = Callable[[Document], Any]


@pytest.mark.parametrize(
    ("text", "read", "stand_in", "problem"),
    [
        ("", lambda d: d.text("a"), "", "missing, must be a non-empty text."),
        ('a = ""', lambda d: d.text("a"), "", "'' given, must be a non-empty text."),
        ("a = 1", lambda d: d.text("a", "x"), "", "1 given, must be a non-empty text."),
        ("", lambda d: d.number("a", low=1, high=2), 1, "missing, must be a number from 1 to 2."),
        (
            "a = 3",
            lambda d: d.number("a", low=0.5, high=2),
            0.5,
            "3 given, must be a number from 0.5 to 2.",
        ),
        (
            "a = true",
            lambda d: d.number("a", low=0, high=2),
            0,
            "True given, must be a number from 0 to 2.",
        ),
        (
            "a = nan",
            lambda d: d.number("a", low=0, high=2),
            0,
            "nan given, must be a number from 0 to 2.",
        ),
        (
            'a = "1"',
            lambda d: d.number("a", low=0, high=2),
            0,
            "'1' given, must be a number from 0 to 2.",
        ),
        ("a = 1", lambda d: d.flag("a", default=True), False, "1 given, must be true or false."),
        ("", lambda d: d.texts("a"), (), "missing, must be a list of texts."),
        ('a = "b"', lambda d: d.texts("a"), (), "'b' given, must be a list of texts."),
        ('a = ["b", ""]', lambda d: d.texts("a"), (), "['b', ''] given, must be a list of texts."),
        ("a = [1]", lambda d: d.texts("a"), (), "[1] given, must be a list of texts."),
        ("", lambda d: d.items("a"), (), "missing, must be a list."),
        ('a = "b"', lambda d: d.items("a"), (), "'b' given, must be a list."),
        ("", lambda d: d.table("a").body, {}, "missing, must be a table."),
        ("a = 1", lambda d: d.table("a", required=False).body, {}, "1 given, must be a table."),
        ("", lambda d: d.tables("a"), [], "missing, must be a list of one or more tables."),
        ("a = []", lambda d: d.tables("a"), [], "[] given, must be a list of one or more tables."),
        ("a = 1", lambda d: d.tables("a"), [], "1 given, must be a list of one or more tables."),
        (
            "a = [{ b = 1 }, 2]",
            lambda d: d.tables("a"),
            [],
            "[{'b': 1}, 2] given, must be a list of one or more tables.",
        ),
    ],
)
def test_what_is_wrong_is_noted_and_reading_goes_on(
    text: str, read: Reader, stand_in: object, problem: str
) -> None:
    given = document(text)
    assert read(given) == stand_in
    given.close()
    assert given.problems == [f"{FILE}: a: {problem}"]


def test_all_mistakes_are_listed_at_once_with_their_places() -> None:
    given = document(
        """
        nmae = "offer"
        share = 7
        [inner]
        chanel = "email"
        [[rows]]
        name = 1
        [[rows]]
        other = 2
        """
    )
    given.text("name")
    given.number("share", low=0, high=1)
    inner = given.table("inner")
    inner.text("channel", "push")
    inner.texts("options", ())
    inner.close()
    for row in given.tables("rows"):
        row.text("name")
        row.close()
    given.wrong("share", "and it is of no use.")
    given.close()
    assert given.problems == [
        f"{FILE}: name: missing, must be a non-empty text.",
        f"{FILE}: share: 7 given, must be a number from 0 to 1.",
        f"{FILE}: inner.chanel: unknown key. Did you mean 'channel'? Allowed: channel, options.",
        f"{FILE}: rows[0].name: 1 given, must be a non-empty text.",
        f"{FILE}: rows[1].name: missing, must be a non-empty text.",
        f"{FILE}: rows[1].other: unknown key. Allowed: name.",
        f"{FILE}: share: and it is of no use.",
        f"{FILE}: nmae: unknown key. Did you mean 'name'? Allowed: inner, name, rows, share.",
    ]


def test_an_invalid_definition_has_a_line_for_each_mistake() -> None:
    error = InvalidDefinition(["a: wrong.", "b: wrong."])
    assert error.problems == ("a: wrong.", "b: wrong.")
    assert (error.message, error.code) == ("a: wrong.\nb: wrong.", "invalid_definition")
