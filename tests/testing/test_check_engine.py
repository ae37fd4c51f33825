from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from opportune.storage import DuckDB, Lake, QueryFailed
from opportune.testing import Compared, check_engine


class Broken(DuckDB):
    """DuckDB, for a test to break in one place."""

    wrong = ""

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        tables: Mapping[str, Any] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        try:
            rows = super().query(sql, parameters, tables=tables, relations=relations)
        except QueryFailed as failure:
            if self.wrong == "answers anything":
                return pa.table({})
            if self.wrong == "quotes values":
                raise QueryFailed(f"{failure.message} {parameters}") from failure
            raise
        match self.wrong:
            case "loses a row":
                return rows.slice(1)
            case "widens numbers" if "small" in rows.column_names:
                small = rows["small"].cast(pa.int64())
                return rows.set_column(rows.column_names.index("small"), "small", small)
            case "takes null for NaN" if "share" in rows.column_names:
                share = pc.fill_null(rows["share"], float("nan"))
                return rows.set_column(rows.column_names.index("share"), "share", share)
            case "turns lists around" if "items" in rows.column_names:
                items = [each and each[::-1] for each in rows["items"].to_pylist()]
                column = pa.array(items, rows["items"].type)
                return rows.set_column(rows.column_names.index("items"), "items", column)
            case "refuses":
                raise QueryFailed("No.")
        return rows


def test_the_engine_of_this_process_passes(tmp_path: Path) -> None:
    check_engine(DuckDB(Lake(tmp_path)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("loses a row", "rows were found, 7 were expected"),
        ("widens numbers", "Columns differ"),
        ("takes null for NaN", "column share: nan was found, None was expected"),
        ("turns lists around", "column items"),
        ("refuses", "DuckDB answers, and it says: No."),
        ("quotes values", "Its error quotes a value"),
        ("answers anything", "It answers what cannot be answered"),
    ],
)
def test_a_broken_promise_is_named(tmp_path: Path, wrong: str, said: str) -> None:
    engine = Broken(Lake(tmp_path))
    engine.wrong = wrong
    with pytest.raises(AssertionError, match=said):
        check_engine(engine)


def test_what_is_no_engine_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"lacks a part of storage\.Engine"):
        check_engine(Lake(tmp_path))  # type: ignore[arg-type]  # that is the mistake


def test_doubles_may_differ_in_their_last_digits(tmp_path: Path) -> None:
    class Close(DuckDB):
        def query(self, *given: Any, **named: Any) -> pa.Table:
            rows = super().query(*given, **named)
            return pa.table({"a": pc.add(rows["a"], 1e-13), "b": rows["b"]})

    both = Compared(Close(Lake(tmp_path)))
    assert both.query("select 0.5::double as a, 1 as b").to_pylist() == [{"a": 0.5, "b": 1}]
    assert both.asked == {"select 0.5::double as a, 1 as b"}
    both.close()
