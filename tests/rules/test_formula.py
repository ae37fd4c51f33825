"""Formulas: what can be read, what it comes to in which unit, and where a mistake stands."""

from __future__ import annotations

import math

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.errors import nearest
from opportune.rules import (
    FUNCTIONS,
    Called,
    Combined,
    Formula,
    InvalidFormula,
    Match,
    Measure,
    Named,
    Negative,
    Number,
    check_formula,
    evaluate,
    formula_text,
    measured,
    names_in,
    parse_formula,
    replaced,
    unit_of,
    unit_text,
    without_tables,
)
from opportune.rules.formula import COMPARISONS

UNITS = {
    **{name: unit_of("EUR") for name in ("fee", "revenue")},
    **{name: unit_of("orders") for name in ("orders", "returns")},
    "months": unit_of("months"),
    "area": (("m", 2),),
    "ratio": (),
}
COLUMNS = {
    "a": np.array([1.0, -2.0, 0.0, np.nan, 7.5]),
    "b": np.array([2.0, 0.0, -3.0, 4.0, np.nan]),
    "c": np.array([10.0, 0.5, np.nan, -1.0, 2.0]),
}


def number(text: str, **given: float) -> float:
    columns = {name: np.array([value]) for name, value in given.items()}
    return float(evaluate(parse_formula(text), columns, rows=1)[0])


def unit(text: str) -> str:
    return unit_text(check_formula(parse_formula(text), UNITS).unit)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("8 - 2 - 1", 5.0),
        ("8 / 4 / 2", 1.0),
        ("-2 - -3", 1.0),
        ("2.5e1 + .5", 25.5),
        ("if(1 < 2, 10, 20)", 10.0),
        ("if(2 <= 1, 10, 20)", 20.0),
        ("if(2 > 1, 1, 0) + if(2 >= 2, 1, 0) + if(2 == 2, 1, 0) + if(2 != 2, 1, 0)", 3.0),
        ("abs(-3) + floor(2.7) + floor(-0.5)", 4.0),
        ("min(3, 1, 2) + max(3, 1, 2)", 4.0),
        ("round(2.5) + round(-2.5) + round(1.236, 2)", 2.24),
        ("log(exp(2))", 2.0),
        ("sqrt(9) + power(2, 10)", 1027.0),
        ("coalesce(sqrt(-1), 5)", 5.0),
        ("npv(100, 12, 0)", 1200.0),
        # Published: 1 a period for 10 periods at 5 % is worth 7.7217 now.
        ("round(npv(1, 10, 0.05), 4)", 7.7217),
        ("round(npv(30, 24, 0.08 / 12), 2)", 663.32),
    ],
)
def test_a_formula_comes_to_what_it_says(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "0 / 0",
        "log(0)",
        "sqrt(-1)",
        "exp(1000)",
        "power(0, -1)",
        "power(-8, 0.5)",
        "npv(1, -1, 0.1)",
        "npv(1, 2, -1)",
        "if(1 / 0 > 1, 1, 2)",
        "power(1 / 0, 0)",
        "min(1 / 0, log(0))",
        "1 + 1 / 0",
    ],
)
def test_what_cannot_be_calculated_has_no_value(text: str) -> None:
    assert math.isnan(number(text))


def test_functions_over_all_rows_look_at_those_that_have_a_value() -> None:
    def ask(text: str) -> list[float]:
        return evaluate(parse_formula(text), COLUMNS, rows=5).tolist()

    assert ask("sum(a)") == [6.5] * 5
    assert ask("total(a)") == ask("sum(a)")
    assert ask("mean(a)") == [1.625] * 5
    assert ask("sum(b) / sum(a)") == pytest.approx([3 / 6.5] * 5)
    assert ask("share(a)")[:3] == pytest.approx([1 / 6.5, -2 / 6.5, 0.0])
    assert math.isnan(ask("share(a)")[3])
    nothing = evaluate(parse_formula("mean(x)"), {"x": np.array([np.nan])}, rows=1)
    assert math.isnan(nothing[0])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("revenue / orders", "EUR per orders"),
        ("revenue - 5", "EUR"),
        ("sum(revenue) / sum(orders)", "EUR per orders"),
        ("share(revenue)", ""),
        ("revenue / fee", ""),
        ("revenue * fee", "EUR^2"),
        ("power(revenue, 2) * 3", "EUR^2"),
        ("power(ratio, orders / returns)", ""),
        ("sqrt(area) + sqrt(area)", "m"),
        ("sqrt(4)", ""),
        ("1 / months", "1 per months"),
        ("fee * months", "EUR x months"),
        ("npv(fee, months, 0.08 / 12)", "EUR"),
        ("round(fee, 2) + abs(-fee) + floor(fee) + mean(fee) + coalesce(fee, 0)", "EUR"),
        ("if(orders > 0, revenue, 0)", "EUR"),
        ("exp(revenue / fee) + log(2)", ""),
        ("2 * 3", ""),
    ],
)
def test_units_follow_from_the_formula(text: str, found: str) -> None:
    assert unit(text) == found


def test_a_unit_reads_back_as_it_is_said() -> None:
    assert unit_of("EUR per orders") == check_formula(parse_formula("fee / orders"), UNITS).unit


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("", 1, "found the end. Allowed: a number, a name, a function, '-' or '('."),
        ("1 +", 4, "found the end. Allowed: a number, a name, a function, '-' or '('."),
        ("(1", 3, "found the end. Allowed: an operator or ')'."),
        ("abs(1", 6, "found the end. Allowed: an operator, ',' or ')'."),
        ("1 2", 3, "found '2'. Allowed: an operator (+ - * / < <= > >= == !=) or the end."),
        ("1 + * 2", 5, "found '*'. Allowed: a number, a name, a function, '-' or '('."),
        ("1e999", 1, "found '1e999'. Allowed: a number up to 1.7e308."),
        (
            "a & b",
            3,
            "found '&'. Allowed: a number, a name, a function, '-' or '(', or an operator; "
            "other names stand between backticks.",
        ),
        ("sqr(4)", 1, f"no function 'sqr'. {nearest('sqr', FUNCTIONS)}"),
        ("1 + npv(1)", 5, "'npv' is given 1 values. It is used as npv(amount, periods, rate)."),
        ("-" * 40 + "1", 31, "nested too deep. Allowed: 30 levels."),
        ("1" + " + 1" * 101, 401, "too long. Allowed: 200 words and signs. Split it."),
        ("1" * 2001, 2001, "2001 characters given, at most 2000 allowed."),
    ],
)
def test_a_mistake_is_shown_where_it_stands(text: str, at: int, problem: str) -> None:
    with pytest.raises(InvalidFormula) as raised:
        parse_formula(text)
    assert raised.value.message == f"at character {at}: {problem}"


@pytest.mark.parametrize("text", ["`order value`", "1 + `order value`"])
def test_only_known_names_may_be_there(text: str) -> None:
    assert names_in(parse_formula(text, known=["order value"])) == ("order value",)
    with pytest.raises(InvalidFormula, match=r"no metric 'order value'. Did you mean 'order val'"):
        parse_formula(text, known=["order val"], noun="metric")


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("revenue + orders", 9, "'+' of 'EUR' and 'orders'. Allowed: values in one unit."),
        ("revenue + ratio", 9, "'+' of 'EUR' and 'no unit'. Allowed: values in one unit."),
        ("revenue < orders", 9, "'<' of 'EUR' and 'orders'. Allowed: values in one unit."),
        ("max(revenue, orders)", 1, "'max' of 'EUR' and 'orders'. Allowed: values in one unit."),
        ("if(orders > 0, fee, orders)", 1, "'if' of 'EUR' and 'orders'."
         " Allowed: values in one unit."),
        ("if(orders, fee, 0)", 4, "found a number. Allowed: a comparison such as orders > 0."),
        ("orders > 0", 8, "found a comparison. Allowed: a number; write if(condition, 1, 0)."),
        ("-(orders > 0)", 10, "found a comparison. Allowed: a number; write if(condition, 1, 0)."),
        ("1 + (orders > 0)", 13, "found a comparison."
         " Allowed: a number; write if(condition, 1, 0)."),
        ("abs(orders > 0)", 12, "found a comparison."
         " Allowed: a number; write if(condition, 1, 0)."),
        ("log(fee)", 5, "'log' takes a number without unit, and not 'EUR'."),
        ("power(2, fee)", 10, "'power' takes a number without unit, and not 'EUR'."),
        ("npv(fee, months, fee)", 18, "'npv' takes a number without unit, and not 'EUR'."),
        ("power(fee, 0.5)", 12, "'EUR' can only be raised to a whole number from 1 to 9."),
        ("power(fee, ratio)", 12, "'EUR' can only be raised to a whole number from 1 to 9."),
        ("sqrt(fee)", 6, "'EUR' has no square root as a unit."),
        ("round(fee, 2.5)", 12, "'round' takes 0 to 6 digits."),
        ("round(fee, ratio)", 12, "'round' takes 0 to 6 digits."),
        ("sum(share(fee))", 1, "'sum' of what is already over all rows."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(text: str, at: int, problem: str) -> None:
    with pytest.raises(InvalidFormula) as raised:
        check_formula(parse_formula(text), UNITS)
    assert raised.value.message == f"at character {at}: {problem}"


def test_where_there_is_one_row_nothing_looks_at_all_of_them() -> None:
    with pytest.raises(InvalidFormula, match=r"has nothing to look at here"):
        check_formula(parse_formula("fee / sum(fee)"), UNITS, over_rows=False)
    assert not check_formula(parse_formula("fee * 2"), UNITS, over_rows=False).is_over_rows


def test_whether_a_value_differs_from_row_to_row_is_known() -> None:
    ratio = check_formula(parse_formula("sum(fee) / sum(orders)"), UNITS)
    assert (ratio.is_over_rows, ratio.is_per_row) == (True, False)
    share = check_formula(parse_formula("share(fee)"), UNITS)
    assert (share.is_over_rows, share.is_per_row) == (True, True)


def test_names_are_replaced_by_their_formulas() -> None:
    formula = parse_formula("-net + abs(net, ) * 2".replace(", )", ")"))
    whole = replaced(formula, {"net": parse_formula("revenue - fee")})
    assert formula_text(whole) == "(-(revenue - fee)) + (abs(revenue - fee) * 2)"


ROW_FUNCTIONS = [name for name, each in FUNCTIONS.items() if not each.is_over_rows]
leaves: st.SearchStrategy[Formula] = st.one_of(
    st.builds(Number, value=st.sampled_from([0.0, 1.0, 2.0, 0.5, 3.25, 1e20])),
    st.builds(Named, name=st.sampled_from(["a", "b", "c"])),
)


@st.composite
def called(draw: st.DrawFn, inner: st.SearchStrategy[Formula]) -> Formula:
    name = draw(st.sampled_from(ROW_FUNCTIONS))
    function = FUNCTIONS[name]
    count = draw(st.integers(function.least, min(function.most, 3)))
    parts = [draw(inner) for _ in range(count)]
    if name == "if":
        sign = draw(st.sampled_from(COMPARISONS))
        parts[0] = Combined(sign=sign, left=parts[0], right=draw(inner))
    if name == "round" and count == 2:
        parts[1] = Number(value=float(draw(st.integers(0, 6))))
    return Called(function=name, parts=tuple(parts))


formulas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Negative, part=inner),
        st.builds(Combined, sign=st.sampled_from("+-*/"), left=inner, right=inner),
        called(inner),
    ),
    max_leaves=6,
)


@given(formulas)
def test_a_formula_is_written_as_it_reads_back(formula: Formula) -> None:
    assert parse_formula(formula_text(formula)) == formula


@given(formulas)
def test_columns_come_to_what_each_row_comes_to(formula: Formula) -> None:
    check_formula(formula, dict.fromkeys(names_in(formula)))
    together = evaluate(formula, COLUMNS, rows=5)
    for row in range(5):
        alone = {name: values[row : row + 1] for name, values in COLUMNS.items()}
        np.testing.assert_array_equal(evaluate(formula, alone, rows=1), together[row : row + 1])


def amounts(formula: Formula, engine: duckdb.DuckDBPyConnection) -> list[float | None]:
    asked = measured(
        Measure(match=Match(events=("Ordered",), where=None), amount=formula),
        "with found as (select * from measured) select amount from found order by message_id",
        {},
    )
    return [row[0] for row in engine.execute(asked.text, asked.parameters).fetchall()]


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    """Five events with the properties of `COLUMNS`; what has no value is a text, or not there."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(
        """create table events as select 'm' || n as message_id, 's' as source_id, 'track' as type,
        'Ordered' as event, n as occurred_at_us, n as received_at_us, null as user_id,
        null as anonymous_id, null as context, properties from (values
        (0, '{"a": 1, "b": 2, "c": "10"}'), (1, '{"a": -2, "b": 0, "c": 0.5}'),
        (2, '{"a": 0, "b": -3, "c": "nan"}'), (3, '{"b": 4, "c": -1}'),
        (4, '{"a": 7.5, "b": "?", "c": 2}')) as told (n, properties)"""
    )
    return connection


@settings(max_examples=60, deadline=None)
@given(formula=formulas)
def test_the_engine_comes_to_the_same(engine: duckdb.DuckDBPyConnection, formula: Formula) -> None:
    expected = evaluate(formula, COLUMNS, rows=5)
    for found, value in zip(amounts(formula, engine), expected.tolist(), strict=True):
        is_there = found is not None and abs(found) < 1e15
        if math.isnan(value) or abs(value) >= 1e15:
            # Beyond any amount of money the engine may have what is no double any more.
            assert not is_there or np.isnan(value)
        else:
            assert found == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "round(c)",
        "round(a / 3, 2)",
        "log(abs(a) + 1)",
        "exp(b)",
        "sqrt(abs(b))",
        "power(b, 2)",
        "npv(a, abs(b), 0.01)",
        "if(a < b, min(a, b), max(a, c))",
        "coalesce(a, floor(c)) - -b / 2",
    ],
)
def test_the_engine_knows_the_function(engine: duckdb.DuckDBPyConnection, text: str) -> None:
    formula = parse_formula(text)
    expected = evaluate(formula, COLUMNS, rows=5).tolist()
    found = [math.nan if each is None else each for each in amounts(formula, engine)]
    assert found == pytest.approx(expected, nan_ok=True)


def test_what_is_nested_too_often_is_asked_of_no_engine() -> None:
    formula: Formula = Named(name="a")
    for _ in range(12):
        formula = Called(function="npv", parts=(Number(value=1.0), Number(value=2.0), formula))
    with pytest.raises(InvalidFormula, match="too much is nested for one question"):
        measured(
            Measure(match=Match(events=("Ordered",), where=None), amount=formula), "with a", {}
        )


def test_functions_over_all_rows_get_names() -> None:
    outer, inner = without_tables(parse_formula("-sum(a) / max(2, mean(b * c)) + 1"))
    assert formula_text(outer) == "((-`all rows 1`) / max(2, `all rows 2`)) + 1"
    assert {name: formula_text(each) for name, each in inner.items()} == {
        "all rows 1": "sum(a)",
        "all rows 2": "mean(b * c)",
    }
    plain = parse_formula("a + 1")
    assert without_tables(plain) == (plain, {})
