"""Any rule has the same answer for one profile in Python and for all of them in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import drawn
from opportune.rules import Facts, Rule, holds, parse

Ask = Callable[[Rule, Sequence[Facts]], list[bool]]

COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}
profiles = st.lists(drawn.facts(), min_size=1, max_size=5)


def same(ask: Ask, document: dict[str, object], facts: list[Facts]) -> None:
    rule = parse(document, where="rule")
    assert ask(rule, facts) == [holds(rule, each) for each in facts]


@settings(max_examples=60, **COMMON)
@given(document=drawn.documents, facts=profiles)
def test_any_rule_has_the_same_answer_in_both(
    ask: Ask, document: dict[str, object], facts: list[Facts]
) -> None:
    same(ask, document, facts)


@settings(max_examples=60, **COMMON)
@given(document=drawn.sequences, facts=profiles)
def test_any_sequence_has_the_same_answer_in_both(
    ask: Ask, document: dict[str, object], facts: list[Facts]
) -> None:
    same(ask, document, facts)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=10_000, phases=[Phase.generate, Phase.shrink], **COMMON)
@given(document=drawn.documents | drawn.sequences | drawn.sessions, facts=profiles)
def test_ten_thousand_rules_have_the_same_answer_in_both(
    ask: Ask, document: dict[str, object], facts: list[Facts]
) -> None:
    same(ask, document, facts)
