"""What `check_engine` asks: rows and statements on which engines are known to differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import pyarrow as pa

__all__ = ["CASES", "MISTAKES", "NAMED", "PERSONAL", "TABLES"]

Parameters = Mapping[str, object]

PERSONAL = "joe@example.com"
NAN, INFINITY = float("nan"), float("inf")
CHECKED = pa.schema(
    [
        ("number", pa.int64()),
        ("small", pa.int32()),
        ("share", pa.float64()),
        ("word", pa.string()),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us", "UTC")),
        ("items", pa.list_(pa.string())),
        ("shares", pa.list_(pa.float64())),
        ("body", pa.string()),
    ]
)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
AT = datetime(2026, 3, 29, 1, 30, 0, 123_456, tzinfo=UTC)
BODY = (
    '{"plan": "gold", "age": 41, "score": 1.0, "vip": true, "gone": null, "a/b": {"c": [1, 2.5]}}'
)
ROWS: Sequence[tuple[object, ...]] = (
    (1, 0, 0.5, "b", True, date(1, 1, 1), FIRST, ["x", None], [1.0, None], BODY),
    (2, 3, -0.0, "a", False, date(9999, 12, 31), LAST, [], [], '{"age": -7, "plan": "5d"}'),
    (3, -7, NAN, "é", None, date(2026, 3, 29), AT, None, None, '{"age": 12345678901234567890}'),
    (4, None, INFINITY, None, True, None, None, ["y", "x"], [NAN], "no JSON"),
    (-(2**62), 5, None, "A", False, date(1582, 10, 10), AT, ["y"], [2.5, -1.0], None),
    (None, 3, 2.5, "", True, date(2026, 3, 29), AT, ["x"], [0.1], '{"plan": " 1_000 ", "b": []}'),
    (7, 3, 0.1, PERSONAL, None, date(1969, 12, 31), AT, ["x"], [0.2], '{"plan": "0x1p3"}'),
)
TABLES: Mapping[str, pa.Table] = {
    "checked": pa.Table.from_pylist(
        [dict(zip(CHECKED.names, row, strict=True)) for row in ROWS], schema=CHECKED
    ),
    "nothing": CHECKED.empty_table(),
}
NAMED = pa.table(
    {
        "place": pa.array([1, 2, 3], pa.int64()),
        "label": pa.array(["one", "two", None]),
        "kind": pa.array(["k", "l", "k"]).dictionary_encode(),
        "size": pa.array([1, 2, 3], pa.uint8()),
    }
)

# Calculated for each row of `checked`.
EACH_ROW: Sequence[str] = (
    *("share / small", "small / 0", "1 / 3", "number / 2", "small // 2", "small % 2", "-small"),
    *("abs(small)", "greatest(small, 3)", "least(share, 1.0)", "sqrt(small * small)"),
    *(
        "isnan(share)",
        "isfinite(share)",
        "isinf(share)",
        "share = 'nan'::double",
        "true = isnan(share)",
    ),
    *("nullif(share, 'nan'::double)", "coalesce(share, 0.0)", "(flag = true)::double"),
    "cast(case when abs(share) < 9 then share * 5 end as bigint)",
    "case when abs(share) < 9 then floor(share * 100 + 0.5) end",
    *("cast(moment as date)", "epoch_us(moment)", "moment >= $moment", "day - 0"),
    *("date_trunc('hour', moment)", "date_trunc('month', moment)", "strftime(day, '%Y%m%d')"),
    *("day < cast($day as date)", "try_cast($iso as timestamptz)", "try_cast(word as timestamptz)"),
    *("items[1]", "items[2]", "items[9]", "items[$two]", "items[small]", "shares[2]"),
    *("list_contains(items, 'x')", "list_contains(items, word)", "list_contains($words, word)"),
    *("list_contains($numbers, share)", "list_contains($nothing, word)"),
    *("word in ('a', 'b')", "small in (3, $two)", "word is not distinct from 'a'"),
    *("word || '-' || word", "lower(word)", "starts_with(word, 'a')", "word like '%o%'"),
    *("$none is null", "word is null", "ends_with(word, 'a')", "contains(word, 'e')"),
    *("try_cast(word as double)", "regexp_extract(word, '[a-z]{2}|e')"),
)
# Asked of every JSON text, at each of these places.
PLACES = ("/plan", "/age", "/score", "/vip", "/gone", "/b", "/a~1b", "/a~1b/c", "/*")
GIVEN: Parameters = {
    "moment": AT,
    "day": "2026-03-29",
    "iso": "2026-03-29T01:30:00.123456789+05:30",
    "two": 2,
    "words": ["a", None],
    "numbers": [1, 2.5],
    "nothing": [],
    "none": None,
}
STATEMENTS: Sequence[tuple[str, Parameters]] = (
    ("select * from checked order by number", {}),
    ("select * from nothing order by number", {}),
    ("select place, label, kind, size from named order by place", {}),
    # Nulls come last both ways, NaN is above all numbers, texts go by their code points.
    ("select number, share from checked order by share, number", {}),
    ("select number, share from checked order by share desc, number desc", {}),
    ("select word, row_number() over (order by word desc) as n from checked order by n", {}),
    # Of nothing, of nulls, of what looks like a decimal.
    ("select count(*) as a, count(share) as b, sum(small) as c, avg(small) as d from checked", {}),
    ("select min(word) as a, max(moment) as b, max(share) as c, min(share) as d from checked", {}),
    ("select count(*) as a, sum(share) as b, avg(share) as c, min(day) as d from nothing", {}),
    ("select avg(case when flag then 1.0 else 0.0 end) as a from checked", {}),
    ("select sum(small) filter (where flag) as a, count(distinct day) as b from checked", {}),
    ("select median(small) as a, var_pop(small) as b, var_samp(small) as c from checked", {}),
    ("select arg_max(word, small) as a, arg_min(word, share) as b from checked", {}),
    ("select bool_or(flag) as a, bool_and(flag) as b from checked", {}),
    (
        "select flag, count(*) as a, sum(small)::bigint as b from checked group by flag"
        " having count(*) > 1 order by flag",
        {},
    ),
    (
        "select string_agg(to_json({'n': number, 's': word})::varchar, ',' order by number) as a"
        " from checked",
        {},
    ),
    ("select printf('%016x', number) as a from checked where number <> 0 order by number", {}),
    ("select distinct day from checked where day is not null order by day", {}),
    ("select number from checked union all select 2 except select 1 order by number", {}),
    (
        "select checked.number, named.label from checked"
        " left join named on named.place = checked.number order by checked.number",
        {},
    ),
    (
        "select checked.number, named.place, checked.items[named.place] as item from checked"
        " cross join named order by checked.number, named.place",
        {},
    ),
    ("select place from named semi join checked on checked.number = place order by place", {}),
    (
        "select number from checked where not exists ("
        "select 1 from named where named.place <= checked.number) order by number",
        {},
    ),
    # The latest row before another: what others write as an asof join.
    (
        "select checked.number, named.place from checked join named on named.place <= number"
        " qualify row_number() over (partition by number order by named.place desc) = 1"
        " order by checked.number",
        {},
    ),
    (
        "select number, lag(word) over (order by number) as a, sum(small) over ("
        "order by number rows between 1 preceding and current row) as b from checked"
        " order by number",
        {},
    ),
    (
        "select number, max(small) over (order by number nulls first"
        " range between unbounded preceding and $least preceding) as a from checked"
        " order by number",
        {"least": 2},
    ),
    # What is given is data, whatever it says.
    ("select $a as a, $b as b, $c as c", {"a": "' -- $b :b {b} \\", "b": 2**62, "c": 0.1}),
    ("select $a as a, $b as b, $c as c", {"a": FIRST, "b": FIRST.date(), "c": True}),
    ("select make_timestamptz($us) as a", {"us": -62_135_596_800_000_000}),
    (
        "select number from checked where word = $word or number = $number order by number"
        " limit $most",
        {"word": PERSONAL, "number": 2, "most": 1},
    ),
)


def _of_each_row(expressions: Sequence[str]) -> str:
    columns = ", ".join(f"{text} as c{place}" for place, text in enumerate(expressions))
    return f"select number, {columns} from checked order by number"  # noqa: S608  # all written above


def _at_place(place: str) -> tuple[str, Parameters]:
    text = "try(json_extract_string(body, $place))"
    literal = f"try(json_extract_string(body, '{place}'))"
    kind = "try(json_type(body, $place))"
    return _of_each_row((text, literal, kind, f"try_cast({text} as double)")), {"place": place}


_AT_PLACES = (
    "select number, "  # noqa: S608  # all written above
    + ", ".join(f"told[{1 + place}] as c{place}" for place in range(len(PLACES)))
    + " from (select number, try(json_extract_string(body, $places)) as told from checked) as asked"
    + " order by number"
)

CASES: Sequence[tuple[str, Parameters]] = (
    (_of_each_row(EACH_ROW), GIVEN),
    *(_at_place(place) for place in PLACES),
    (_AT_PLACES, {"places": list(PLACES)}),
    *STATEMENTS,
)
MISTAKES: Sequence[tuple[str, Parameters]] = (
    ("selec 1 from checked", {}),
    ("select nmber from checked", {}),
    ("select * from checkd", {}),
    ("select cast(word as date) as a from checked", {}),
    ("select cast($text as date) as a from checked", {"text": PERSONAL}),
    ("select number * number as a from checked", {}),
    ("select small // (small - small) as a from checked", {}),
)
