"""Every query is a file of its own that says why it exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NOT_SQL = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$", re.DOTALL)


@pytest.fixture
def queries(source: Path) -> dict[str, str]:
    return {str(path.relative_to(source)): path.read_text() for path in source.rglob("*.sql")}


def statements(text: str) -> int:
    return sum(1 for part in NOT_SQL.sub("x", _uncommented(text)).split(";") if part.strip())


def _uncommented(text: str) -> str:
    return re.sub(r"^\s*--[^\n]*$", "", text, flags=re.MULTILINE)


def test_every_query_says_why_it_exists(queries: dict[str, str]) -> None:
    assert [name for name, text in queries.items() if not re.match(r"-- \S", text)] == []


def test_every_query_is_one_statement(queries: dict[str, str]) -> None:
    """A migration is one step of several statements, run in one transaction."""
    counted = {
        name: statements(text) for name, text in queries.items() if "migrations/" not in name
    }
    assert {name: count for name, count in counted.items() if count != 1} == {}


def test_semicolons_in_texts_and_comments_are_not_statements() -> None:
    assert statements("-- why; and how\nselect ';' as a -- b;c\n") == 1
    assert statements("select 1;\nselect 2;\n") == 2
    assert statements("-- nothing\n") == 0
