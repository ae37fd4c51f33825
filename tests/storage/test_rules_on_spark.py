"""Random rules over random histories: one answer in Python, on DuckDB and on Spark."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import drawn
from opportune import rules
from opportune.storage import Lake, open_engine
from opportune.testing import Compared

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("spark")]

RULES = 100
HISTORIES = 150
# A query costs Spark most of a second whatever it asks, so it is asked several rules at once.
RULES_AT_ONCE = 10
LEAST_CASES = 10_000
ONE = "select {number} as rule, held{number}.profile_id\nfrom (\n{text}\n) as held{number}"


def draw(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """So many values of ``strategy``, others in each run unless --hypothesis-seed says which."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def take(value: object) -> None:
        found.append(value)

    take()
    return found


@pytest.fixture
def facts() -> list[rules.Facts]:
    return draw(drawn.facts(), HISTORIES)


@pytest.fixture
def both(spark_address: str, tmp_path: Path, facts: list[rules.Facts]) -> Iterator[Compared]:
    """DuckDB and Spark over a lake of these histories; each query must have the same rows."""
    lake = Lake(tmp_path)
    for name, rows in drawn.relations(facts).items():
        lake.create(name, rows.schema)
        lake.append(name, rows)
    with closing(Compared(open_engine(spark_address, lake))) as compared:
        yield compared


def ask(both: Compared, asked: Sequence[rules.Rule]) -> list[set[int]]:
    """Whom each rule holds for, all of them in one query."""
    found = [rules.to_sql(r, now=drawn.NOW, prefix=f"rule{n}") for n, r in enumerate(asked)]
    parts = [ONE.format(number=number, text=sql.text) for number, sql in enumerate(found)]
    parameters = {name: value for sql in found for name, value in sql.parameters.items()}
    tables = sorted({name for sql in found for name in sql.relations})
    text = "\nunion all\n".join(parts) + "\norder by rule, profile_id"
    held: list[set[int]] = [set() for _ in asked]
    for row in both.query(text, parameters, tables=dict.fromkeys(tables)).to_pylist():
        held[row["rule"]].add(row["profile_id"])
    return held


def test_any_rule_has_the_same_answer_in_python_on_duckdb_and_on_spark(
    both: Compared, facts: list[rules.Facts], capsys: pytest.CaptureFixture[str]
) -> None:
    documents = draw(drawn.documents | drawn.sequences | drawn.sessions, RULES)
    cases = holding = 0
    for first in range(0, len(documents), RULES_AT_ONCE):
        some = documents[first : first + RULES_AT_ONCE]
        asked = [rules.parse(document, where="rule") for document in some]
        for document, rule, found in zip(some, asked, ask(both, asked), strict=True):
            expected = {place for place, each in enumerate(facts) if rules.holds(rule, each)}
            wrong = sorted(found ^ expected)
            assert not wrong, f"{document} of {facts[wrong[0]]}: {wrong[0] in found} in SQL"
            cases += len(facts)
            holding += len(expected)
    said = f"{cases} cases of {len(documents)} rules on Spark, {holding} of them hold"
    with capsys.disabled():
        sys.stdout.write(f"\n{said}\n")
    assert cases >= LEAST_CASES
    # What never holds would prove nothing.
    assert 0.1 < holding / cases < 0.9
