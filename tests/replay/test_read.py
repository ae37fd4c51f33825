"""Rows become columns, and a file that cannot be used says why and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opportune.errors import NotFound
from opportune.replay import UnusableFile, read_campaign


def test_rows_become_columns(spring: Any) -> None:
    columns = spring.few(
        visits=[None, *range(9)],
        plan=["b", "a", None, *["c"] * 7],
        letter=["news", "none", *["sale"] * 8],
        bought=[1, *[0] * 9],
        spent=[-2.5, *[0.0] * 9],
    )
    found = read_campaign(spring.written(columns), spring.schema())
    assert found.rows == 10
    assert found.features[1].one_of == ("a", "b", "c")
    assert found.traits["visits"].to_pylist()[:3] == [None, 0.0, 1.0]
    assert found.actions[:3, 0].tolist() == [2, 0, 1]
    assert found.propensities.tolist() == [1 / 3] * 10
    assert found.dimension_propensities.tolist() == [[1 / 3]] * 10
    assert found.rewards["bought"].tolist() == [1.0, *[0.0] * 9]
    assert found.rewards["spent"].tolist() == [-2.5, *[0.0] * 9]
    assert found.planned_shares == {}


def test_csv_and_parquet_say_the_same(spring: Any) -> None:
    columns = spring.made(rows=50)
    one = read_campaign(spring.written(columns), spring.schema())
    other = read_campaign(spring.written(columns, name="spring.csv"), spring.schema())
    assert one.traits["visits"].to_pylist() == other.traits["visits"].to_pylist()
    assert one.actions.tolist() == other.actions.tolist()
    assert one.rewards["spent"].tolist() == other.rewards["spent"].tolist()
    assert one.fingerprint != other.fingerprint


def test_shares_of_two_dimensions_multiply(spring: Any) -> None:
    meaning = spring.schema(
        dimensions=[
            {"column": "letter", "options": {"none": "none", "sale": "sale", "news": "news"}},
            {"column": "plan", "options": {"basic": "basic", "plus": "plus"}},
        ],
        features=["visits"],
        categorical=[],
        control={"letter": "none", "plan": "basic"},
        propensity={
            "letter": {"none": 0.5, "sale": 0.25, "news": 0.25},
            "plan": {"basic": 0.8, "plus": 0.2},
        },
    )
    columns = spring.few(letter=["none", "sale", *["news"] * 8], plan=["plus", *["basic"] * 9])
    found = read_campaign(spring.written(columns), meaning)
    assert found.dimension_propensities[:2].tolist() == [[0.5, 0.2], [0.25, 0.8]]
    assert found.propensities[:2].tolist() == pytest.approx([0.1, 0.2])
    assert found.planned_shares[("sale", "plus")] == pytest.approx(0.05)
    assert sum(found.planned_shares.values()) == pytest.approx(1.0)


def test_a_joint_propensity_column_says_nothing_of_single_dimensions(spring: Any) -> None:
    meaning = spring.schema(
        dimensions=[
            {"column": "letter", "options": {"none": "none", "sale": "sale", "news": "news"}},
            {"column": "plan", "options": {"basic": "basic", "plus": "plus"}},
        ],
        features=["visits"],
        categorical=[],
        control={"letter": "none", "plan": "basic"},
    )
    found = read_campaign(spring.written(spring.few()), meaning)
    assert found.propensities.tolist() == [1 / 3] * 10
    assert np.isnan(found.dimension_propensities).all()


def test_a_missing_column_names_the_nearest(spring: Any) -> None:
    columns = spring.few()
    columns["visit"] = columns.pop("visits")
    columns["odds"] = columns.pop("chance")
    assert spring.refusal(columns) == [
        "spring.parquet: column 'visits': there is no such column. Did you mean 'visit'? Allowed: "
        "bought, letter, odds, plan, spent, visit.",
        "spring.parquet: column 'chance': there is no such column. Allowed: bought, letter, odds, "
        "plan, spent, visit.",
    ]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0.0"), (-0.2, "-0.2"), (1.5, "1.5"), (None, "missing")]
)
def test_a_propensity_that_cannot_be_is_counted_and_shown(
    value: float | None, shown: str, spring: Any
) -> None:
    columns = spring.few(chance=[0.3, 0.3, value, value, *[0.3] * 6])
    assert spring.refusal(columns) == [
        f"spring.parquet: column 'chance': 2 rows are wrong, the first is row 3 ({shown}): it must "
        "be above 0 and at most 1."
    ]


def test_a_propensity_must_be_a_number_and_a_column_must_be_one(
    tmp_path: Path, spring: Any
) -> None:
    assert spring.refusal(spring.few(chance=["a third"] * 10)) == [
        "spring.parquet: column 'chance': it holds string, not numbers above 0 and at most 1."
    ]
    text = "visits,plan,letter,chance,bought,spent,plan\n" + "1,a,none,0.5,0,0,b\n" * 10
    (tmp_path / "spring.csv").write_text(text)
    with pytest.raises(UnusableFile) as error:
        read_campaign(tmp_path / "spring.csv", spring.schema())
    assert error.value.problems == ("spring.csv: column 'plan': there are 2 columns of this name.",)


def test_an_action_that_is_no_option_is_counted_and_shown(spring: Any) -> None:
    columns = spring.few(letter=["none", "sail", None, *["sale"] * 7])
    assert spring.refusal(columns) == [
        "spring.parquet: column 'letter': 2 rows have a value that is no option, the first is row "
        "2 ('sail'). Did you mean 'sale'? Allowed: news, none, sale."
    ]


def test_outcomes_must_be_numbers_of_their_kind(spring: Any) -> None:
    columns = spring.few(bought=[2, *[0] * 9], spent=["3 EUR"] * 10)
    assert spring.refusal(columns) == [
        "spring.parquet: column 'bought': 1 rows are wrong, the first is row 1 (2.0): it must be 0 "
        "or 1.",
        "spring.parquet: column 'spent': it holds string; an outcome must be a number, or true or "
        "false.",
    ]
    columns = spring.few(spent=[1.0, None, float("inf"), *[0.0] * 7])
    assert spring.refusal(columns) == [
        "spring.parquet: column 'spent': 2 rows are wrong, the first is row 2 (missing): it must "
        "be a finite number."
    ]


def test_a_text_is_no_feature_unless_it_is_declared_a_category(spring: Any) -> None:
    assert spring.refusal(spring.few(), categorical=[]) == [
        "spring.parquet: column 'plan': it holds string, not numbers. List it under 'categorical', "
        "or give the categories with 'one_of'."
    ]


def test_a_category_has_at_most_fifty_levels(spring: Any) -> None:
    columns = {**spring.made(rows=51), "plan": pa.array([f"p{place}" for place in range(51)])}
    assert spring.refusal(columns) == [
        "spring.parquet: column 'plan': it has 51 categories, 1 to 50 are allowed. Name the ones "
        "that matter with 'one_of', or leave the column out."
    ]
    named = spring.schema(
        features=["visits", {"column": "plan", "one_of": ["p1", "p2"]}], categorical=[]
    )
    assert read_campaign(spring.written(columns), named).features[1].one_of == ("p1", "p2")


def test_an_empty_file_and_too_few_rows_are_refused(spring: Any) -> None:
    nothing = {name: column.slice(0, 0) for name, column in spring.made(rows=10).items()}
    assert spring.refusal(nothing) == ["spring.parquet: 0 rows; 1 to 5000000 are allowed."]
    assert spring.refusal(spring.few(), batches=6) == [
        "spring.parquet: 10 rows make 5 held-out and 5 training rows; at least 2 and 6 (one a "
        "batch) are needed. Give more rows, or set 'batches' and 'held_out_share' in s."
    ]


def test_a_file_that_is_missing_or_no_table_says_so(tmp_path: Path, spring: Any) -> None:
    with pytest.raises(NotFound, match="no file"):
        read_campaign(tmp_path / "spring.csv", spring.schema())
    (tmp_path / "spring.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UnusableFile, match="neither Parquet nor CSV"):
        read_campaign(tmp_path / "spring.parquet", spring.schema())


def test_times_order_the_rows_and_must_be_there(spring: Any) -> None:
    days = [f"2026-01-{10 - place:02}" for place in range(10)]
    found = read_campaign(spring.written(spring.few(sent=days)), spring.schema(time="sent"))
    assert found.rank.tolist() == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert spring.refusal(spring.few(sent=[None, *days[1:]]), time="sent") == [
        "spring.parquet: column 'sent': 1 rows are wrong, the first is row 1 (missing): it must be "
        "given."
    ]
    assert "Write times as" in spring.refusal(spring.few(sent=["May"] * 10), time="sent")[0]
