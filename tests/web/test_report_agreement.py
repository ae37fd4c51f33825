"""Page, interface and files of a report say the same; behind a number are as many as it says."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html import unescape
from types import ModuleType
from typing import Any, Protocol

import pyarrow as pa
import pytest
from pyarrow import parquet

from opportune import project, reports, web
from opportune.reports import Results
from opportune.storage import Stores
from opportune.web.words import amount, count, percent, signed_percent

NOTHING = "\N{EN DASH}"
HERE = "/use-cases/next_offer"


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    def get(self, path: str, *, method: str = "GET") -> Answer: ...


def rows_of(page: str, table: str) -> list[list[str]]:
    body = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert body is not None, table
    cell = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
    rows = [cell.findall(row) for row in body[1].split("<tr>")[1:]]
    return [[unescape(re.sub("<[^>]*>", "", each)).strip() for each in row] for row in rows]


def text_of(page: str, element: str) -> str:
    found = re.search(rf'id="{element}"[^>]*>\s*([^<]+?)\s*<', page)
    assert found is not None, element
    return found[1]


def listed(site: Site, address: str) -> int:
    """How many a list says that it has."""
    return int(text_of(site.get(address.replace("&amp;", "&")).text, "total").replace(",", ""))


@pytest.fixture
def found(
    stores: Stores,
    history: ModuleType,
    apply: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Results:
    apply({"next_offer": "Next offer"}, reported=True)
    history.write(stores, history.past())
    stores.state.rows(
        "insert into use_case_state (use_case, state, changed_at, changed_by, by_definition)"
        " values ('next_offer', 'paused', '2026-01-03', 'ann', false),"
        " ('next_offer', 'live', '2026-01-04', 'ann', false)"
    )
    defined = project.read(stores.state)
    case = defined.use_case("next_offer")
    # What somebody brought before anything was decided of them, made up.
    monkeypatch.setattr(
        "opportune.reports.earlier._brought",
        lambda _stores, _base, first, **_: first["profile_id"].to_numpy() % 7.0,
    )
    monkeypatch.setattr(
        "opportune.reports.other_metrics._brought",
        lambda _stores, bases, people, **_: {
            each.name: people["profile_id"].to_numpy() % 3.0 for each in bases
        },
    )
    reports.summarise(stores, case, defined.metric_of(case))
    return reports.results(
        stores,
        case,
        defined.metric_of(case),
        now=history.NOW,
        rolling=7,
        metrics=defined.metrics,
    )


def test_all_files_and_pages_of_a_report_agree(site: Site, found: Results) -> None:
    table = reports.figures(found)
    document = json.loads(reports.report_file(found, "json"))
    assert parquet.read_table(pa.BufferReader(reports.report_file(found, "parquet"))) == table
    text = reports.report_file(found, "csv").decode()
    for row, written in zip(table.to_pylist(), csv.DictReader(io.StringIO(text)), strict=True):
        for name in ("value", "low", "high"):
            assert (float(written[name]) if written[name] else None) == row[name]
        assert (written["day"], written["part"]) == (str(row["day"] or ""), row["part"])
    _check_document(document, table)
    page = site.get(f"{HERE}?rolling=7").text
    html = web.report_page(found).decode()
    for shown in (page, html):
        _check_page(shown, found)
    assert "<script" not in html
    assert "http" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    for form, body in (("csv", text), ("html", html)):
        assert site.get(f"/api{HERE}/report?format={form}&rolling=7").text == body
        download = site.get(f"{HERE}/report.{form}?rolling=7")
        assert download.text == body
        assert download.headers["content-disposition"].endswith(f'2026-01-11.{form}"')
    assert json.loads(site.get(f"/api{HERE}/report?rolling=7").text) == document


def _check_document(document: dict[str, Any], table: pa.Table) -> None:
    """Every number of the long table is in the document, at the place that it names."""
    for row in table.to_pylist():
        if row["part"] == "cards":
            of = document[row["group"]] if row["group"] else document
            adjusted = document["adjusted"]
            if row["measure"] == "adjusted_lift":
                of = adjusted
                assert (row["low"], row["high"]) == (of["lift"]["low"], of["lift"]["high"])
            is_lift = row["measure"].endswith("lift")
            share = adjusted.get(row["measure"])
            value = of["lift"]["relative"] if is_lift else of.get(row["measure"], share)
        elif row["part"] == "drivers":
            tree = document["drivers"]
            factor = next((f for f in tree["factors"] if f["name"] == row["measure"]), tree)
            value = factor[row["group"] or row["measure"]]
        elif row["part"] == "report_metrics":
            each = next(
                e
                for e in document["report_metrics"]
                if row["measure"].startswith(e["metric"]["name"])
            )
            of = next((g for g in each["groups"] if g["group"] == row["group"]), each["lift"])
            _, _, kind = row["measure"].partition("_")
            value = {"lift": of.get("relative"), "adjusted_p_value": each["adjusted"]}.get(
                kind, of.get(kind or "value")
            )
            if kind in ("", "lift"):
                assert (row["low"], row["high"]) == (of["low"], of["high"])
        elif row["part"] == "uplift":
            each = next(e for e in document["uplift"] if e["day"] == row["day"].isoformat())
            value = each["lift"]["relative"]
            assert (row["low"], row["high"]) == (each["lift"]["low"], each["lift"]["high"])
        else:
            each = next(e for e in document["trend"] if e["day"] == row["day"].isoformat())
            name = "reward_mean" if row["measure"].startswith("reward") else row["measure"]
            value = each[name] if name == "exploration_share" else each[row["group"]][name]
        assert row["value"] == value, row


def _check_page(page: str, found: Results) -> None:
    performance = found.performance
    for result in (performance.treatment, performance.control):
        assert text_of(page, f"{result.variant}-profiles") == count(result.profiles)
        assert text_of(page, f"{result.variant}-mean") == amount(result.reward_mean)
    lift = [performance.lift.relative, performance.lift.low, performance.lift.high]
    said = [signed_percent(each) for each in lift if each is not None]
    assert [text_of(page, each) for each in ("lift", "lift-low", "lift-high")] == said
    assert performance.adjusted is not None
    assert performance.adjusted.lift is not None
    assert f"</abbr>. {performance.adjusted.answer}</p>" in unescape(page)
    # The newest row of the chart's table is the card.
    assert rows_of(page, "uplift")[-1] == ["2026-01-07", *said, "1,600", "400"]
    assert len(rows_of(page, "uplift")) == performance.mature_days
    assert [row[0] for row in rows_of(page, "days")] == [str(each.day) for each in found.trend]
    for row, each in zip(rows_of(page, "days"), found.trend, strict=True):
        means = [each.treatment.reward_mean, each.control.reward_mean]
        assert [row[3], row[5]] == [NOTHING if m is None else amount(m) for m in means]
        decisions = [each.treatment.decisions, each.control.decisions]
        assert [row[2], row[4]] == [count(number) for number in decisions]
    factors = [(each.title, each.treatment, each.control) for each in found.drivers.factors]
    expected = [[title, amount(a), amount(b)] for title, a, b in factors]
    assert [row[:3] for row in rows_of(page, "drivers")[:-1]] == expected
    assert rows_of(page, "drivers")[-1][1:3] == [
        amount(performance.treatment.reward_mean),
        amount(performance.control.reward_mean),
    ]
    for row, own in zip(rows_of(page, "metrics"), found.report_metrics[0].groups, strict=True):
        assert own.value is not None
        assert [row[0], row[1], row[2]] == ["Orders of all", own.group, amount(own.value)]
        assert row[5] == count(own.profiles)
    states = [
        ["1", "2026-01-03", "State: paused", "ann"],
        ["2", "2026-01-04", "State: live", "ann"],
    ]
    assert rows_of(page, "marks") == states


def test_behind_each_number_are_as_many_people_as_it_says(
    site: Site, found: Results, stores: Stores, history: ModuleType
) -> None:
    page = site.get(HERE).text
    links = re.findall(rf'<a href="({HERE}/decisions\?[^"]*)">([0-9,]+)</a>', page)
    assert len(links) == 20
    for address, number in (links[0], links[1], links[-1]):
        assert listed(site, address) == int(number.replace(",", ""))
    case = project.read(stores.state).use_case("next_offer")
    for result in (found.performance.treatment, found.performance.control):
        address = f"{HERE}/people?variant={result.variant}"
        assert f'href="{address}"' in page
        assert listed(site, address) == result.profiles
        last = site.get(f"{address}&page={result.profiles // 50}").text
        assert len(rows_of(last, "earners")) == 50
        brought = [
            each.reward
            for first in range(0, result.profiles, 200)
            for each in reports.earners(
                stores, case, result.variant, now=history.NOW, first=first, limit=200
            ).earners
        ]
        assert len(brought) == result.profiles
        assert brought == sorted(brought, reverse=True)
        assert sum(brought) == result.reward_sum
        assert sum(each > 0 for each in brought) == result.rewarded


def test_what_a_report_is_not_is_refused(site: Site, apply: Callable[..., None]) -> None:
    apply({"next_offer": "Next offer"})
    for address in (
        f"{HERE}/report.pdf",
        f"{HERE}?rolling=3",
        f"{HERE}/people?variant=nobody",
        f"/api{HERE}/report?format=pdf",
        f"/api{HERE}/report?rolling=2",
    ):
        assert site.get(address).status in (400, 422), address
    # Before anything is decided a report is as empty everywhere.
    assert (
        "Nobody of control has a mature day yet." in site.get(f"{HERE}/people?variant=control").text
    )
    document = json.loads(site.get(f"/api{HERE}/report").text)
    assert (document["trend"], document["uplift"], document["lift"]["low"]) == ([], [], None)


@pytest.mark.parametrize("tab", ["insights", "health", "timeline"])
def test_files_and_page_of_each_other_tab_agree(
    site: Site, found: Results, stores: Stores, history: ModuleType, tab: reports.Tab
) -> None:
    defined = project.read(stores.state)
    case = defined.use_case("next_offer")
    told = reports.tab_report(stores, case, defined.metric_of(case), tab, now=history.NOW)
    document = json.loads(reports.tab_file(told, "json"))
    assert document == reports.to_document(told.found)
    assert parquet.read_table(pa.BufferReader(reports.tab_file(told, "parquet"))) == told.table
    text = reports.tab_file(told, "csv").decode()
    written = list(csv.DictReader(io.StringIO(text)))
    html = web.report_page(told).decode()
    assert "<script" not in html
    assert "href" not in html
    page = site.get(f"{HERE}/{tab}").text
    for form, body in (("csv", text), ("html", html)):
        assert site.get(f"/api{HERE}/report?format={form}&tab={tab}").text == body
        download = site.get(f"{HERE}/report.{form}?tab={tab}")
        assert download.text == body
        assert download.headers["content-disposition"].endswith(
            f'{tab}-next_offer-2026-01-11.{form}"'
        )
        assert f"{HERE}/report.{form}?tab={tab}" in page
    assert json.loads(site.get(f"/api{HERE}/report?tab={tab}").text) == document
    assert json.loads(site.get(f"/api{HERE}/{tab}").text) == document
    rows = told.table.to_pylist()
    assert len(written) == len(rows) > 1
    for each, line in zip(rows, written, strict=True):
        assert tab == "timeline" or float(line["value"]) == each["value"]
    for shown in (page, html):
        CHECKS[tab](shown, rows, document)


def _insights_agree(page: str, rows: list[Any], document: dict[str, Any]) -> None:
    explored = {
        (str(row["day"]), row["measure"]): row["value"] for row in rows if row["part"] == "explored"
    }
    shown = rows_of(page, "explored-days")
    assert len(shown) == len(document["days"]) == 10
    for day, decisions, share in shown:
        assert decisions == count(explored[day, "decisions"])
        assert share == percent(explored[day, "exploration_share"])
    overall = [row for row in rows if row["part"] == "choices" and row["day"] is None]
    said = [each["share"] for choice in document["choices"] for each in choice["overall"]]
    assert [row["value"] for row in overall] == said
    contrasts = [row["value"] for row in rows if row["part"] == "contrasts"]
    pairs = [(each["group_share"], each["others_share"]) for each in document["contrasts"]]
    assert contrasts == [share for pair in pairs for share in pair]


def _health_agrees(page: str, rows: list[Any], document: dict[str, Any]) -> None:
    steps = {row[0]: row[2] for row in rows_of(page, "funnel-steps")}
    funnel = {row["measure"]: row["value"] for row in rows if row["part"] == "funnel"}
    assert steps["decided"] == count(funnel["decided"]) == count(document["funnel"]["decided"])
    assert steps["control"] == count(funnel["control"])
    drift = [(row["group"], f"{row['value']:.3f}") for row in rows if row["part"] == "drift"]
    assert [(row[0], row[1]) for row in rows_of(page, "drift")] == drift
    points = [row for row in rows if row["part"] == "delays"]
    assert [row["value"] for row in points] == [
        each["share"] for each in document["delays"]["points"]
    ]
    assert [row[1] for row in rows_of(page, "delays")] == [percent(row["value"]) for row in points]


def _timeline_agrees(page: str, rows: list[Any], document: dict[str, Any]) -> None:
    titles = [row["title"] for row in rows]
    assert [row[1] for row in rows_of(page, "history")] == titles
    assert [each["title"] for each in document["incidents"]] == titles


CHECKS = {"insights": _insights_agree, "health": _health_agrees, "timeline": _timeline_agrees}
