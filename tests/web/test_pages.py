"""The pages, through a real server: what they say in each state, and that their numbers agree."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, Protocol

import pytest

from opportune import project
from opportune.settings import Settings
from opportune.storage import Stores, attach

NOTHING = "\N{EN DASH}"
TABS = {
    "Performance": "",
    "Insights": "/insights",
    "Decisions": "/decisions",
    "Health": "/health",
    "Timeline": "/timeline",
}


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    def get(self, path: str, *, method: str = "GET") -> Answer: ...


def text_of(page: str, element: str) -> str:
    found = re.search(rf'id="{element}"[^>]*>\s*([^<]+?)\s*<', page)
    assert found is not None, element
    return found[1]


def rows_of(page: str, table: str) -> list[list[str]]:
    body = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert body is not None
    cells = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
    rows = [cells.findall(row) for row in body[1].split("<tr>")[1:]]
    return [[re.sub("<[^>]*>", "", cell) for cell in row] for row in rows]


def test_without_a_use_case_the_page_says_what_to_run(site: Site) -> None:
    page = site.get("/use-cases")
    assert page.status == 200
    assert "<h1>No use case is applied yet</h1>" in page.text
    assert "<code>opportune apply FOLDER</code>" in page.text
    shown = re.findall(r"<code>opportune init FOLDER --template ([a-z-]+)</code>", page.text)
    assert shown == [template.name for template in project.templates()]
    assert "Demo data." not in page.text


def test_an_applied_use_case_without_decisions_is_too_early(
    site: Site, apply: Callable[..., None]
) -> None:
    apply({"next_offer": "Next offer"})
    page = site.get("/use-cases/next_offer")
    assert page.status == 200
    assert "Too early to say: nothing was decided yet." in page.text
    assert "Nothing was handed to a connector yet." in site.get("/use-cases/next_offer/health").text
    assert "Nothing was decided yet." in site.get("/use-cases/next_offer/insights").text
    assert "Too early to say: nothing was decided yet." in site.get("/").text


def test_card_table_and_interface_agree(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past())
    page = site.get("/use-cases/next_offer").text
    document: dict[str, Any] = json.loads(site.get("/api/use-cases/next_offer/performance").text)
    assert f"{document['answer']}</p>" in page
    for variant in ("treatment", "control"):
        result = document[variant]
        assert text_of(page, f"{variant}-profiles") == f"{result['profiles']:,}"
        assert text_of(page, f"{variant}-mean") == f"{result['reward_mean']:.3f}"
    for element, key in (("lift", "relative"), ("lift-low", "low"), ("lift-high", "high")):
        assert text_of(page, element) == f"{document['lift'][key] * 100:+.1f} %"
    rows = rows_of(page, "days")
    assert [row[0] for row in rows] == [day["day"] for day in document["days"]]
    assert [row[1] for row in rows] == ["mature"] * 7 + ["not yet"] * 3
    for row, day in zip(rows, document["days"], strict=True):
        mean = day["treatment"]["reward_mean"]
        assert row[2:4] == [
            f"{day['treatment']['decisions']:,}",
            f"{mean:.3f}" if mean else NOTHING,
        ]
    mature = [row for row in rows if row[1] == "mature"]
    per_decision = sum(float(row[3]) for row in mature)
    assert per_decision == pytest.approx(document["treatment"]["reward_mean"], abs=0.005)


def test_a_warm_start_is_named_with_its_file(
    site: Site, apply: Callable[..., None], stores: Stores
) -> None:
    apply({"next_offer": "Next offer"})
    known = {
        "source": "<b>spring.csv",
        "digest": "0123456789abcdef",
        "meaning": "",
        "outcome": "bought",
        "rows": 1200,
        "left_out": 3,
        "share": 0.2,
    }
    stores.state.rows(
        "insert into model (use_case, version, day, body, warm_start)"
        " values ('next_offer', 1, '2026-01-01', '', %(known)s::jsonb)",
        {"known": json.dumps(known)},
    )
    said = re.search(r'id="begun-with">(.*?)</p>', site.get("/use-cases/next_offer/timeline").text)
    assert said is not None
    assert re.sub("<[^>]*>", "", said[1]) == (
        "Warm start: 1,200 rows from &lt;b&gt;spring.csv (digest 0123456789ab, outcome bought), a "
        "row counting as 0.2 of an own one; 3 rows left out."
    )
    document = json.loads(site.get("/api/use-cases/next_offer/performance").text)
    assert document["begun_with"] == {key: known[key] for key in known if key != "meaning"}


def test_a_title_is_text_whatever_it_holds(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "<script>alert(1)</script>", "other": "Other"})
    history.write(stores, history.past(profiles=50))
    for path in ("/", "/use-cases", "/use-cases/next_offer"):
        page = site.get(path).text
        assert "<script>" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_home_lists_several_use_cases_with_their_lift(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer", "win_back": "Win back"})
    history.write(stores, history.past())
    page = site.get("/").text
    assert '<a href="/use-cases/next_offer">Next offer</a>' in page
    assert "between +68.0 % and +151.6 %" in page
    assert '<a href="/use-cases/win_back">Win back</a>' in page
    assert "Too early to say: nothing was decided yet." in page


@pytest.mark.usefixtures("demo")
def test_a_demo_is_marked_and_its_truth_is_behind_a_button(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    assert "Demo data." in site.get("/").text
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past())
    page = site.get("/use-cases/next_offer").text
    assert "Demo data." in page
    assert '<details id="truth"><summary>Show the truth</summary>' in page
    assert rows_of(page, "captured")[0] == ["2026-01-01", "-10.0 %"]
    assert rows_of(page, "captured")[9] == ["2026-01-10", "80.0 %"]


def test_without_a_demo_there_is_no_truth(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=50))
    page = site.get("/use-cases/next_offer").text
    assert "Show the truth" not in page
    assert "Demo data." not in page


def test_a_truth_that_cannot_be_read_still_marks_the_demo(
    site: Site, apply: Callable[..., None], stores: Stores
) -> None:
    apply({"next_offer": "Next offer"})
    stores.settings.data_folder.mkdir(parents=True, exist_ok=True)
    (stores.settings.data_folder / "demo.json").write_text('{"captured": [{"day": "x"')
    page = site.get("/use-cases/next_offer").text
    assert "Demo data." in page
    assert "The demo has not written it yet." in page


def test_an_unknown_use_case_is_a_page_of_its_own(site: Site, apply: Callable[..., None]) -> None:
    apply({"next_offer": "Next offer"})
    page = site.get("/use-cases/next_ofer")
    assert page.status == 404
    assert "Did you mean &#39;next_offer&#39;?" in page.text


def test_a_lost_database_says_what_since_when_and_what_to_do(
    settings: Settings, history: ModuleType, serve: Callable[..., Any]
) -> None:
    lost = attach(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    times = iter([history.NOW, history.NOW.replace(hour=7)])
    with serve(lost, clock=lambda: next(times)) as site:
        first, second = site.get("/"), site.get("/use-cases/next_offer")
    lost.close()
    assert (first.status, second.status) == (503, 503)
    for page in (first.text, second.text):
        assert "The numbers cannot be read just now" in page
        assert "PostgreSQL" in page
        assert "<code>database_unavailable</code>" in page
        assert (
            '<time datetime="2026-01-11T06:00:00+00:00">2026-01-11 06:00 UTC</time>, when' in page
        )
        assert '<a href="">Try again</a>' in page


@pytest.mark.usefixtures("demo")
def test_pages_are_small_and_load_nothing_from_elsewhere(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past())
    page = site.get("/use-cases/next_offer")
    assert len(page.text.encode()) < 150_000
    assert page.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "script-src 'self'; " in page.headers["content-security-policy"]
    assert re.findall(r"<script>|\sstyle=|\son\w+=|https?://", page.text) == []
    for path in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)):
        assert site.get(path).status == 200
    assert site.get("/favicon.ico").status == 308


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("tab", "charts", "tables"), [("", 5, 4), ("/insights", 4, 5), ("/health", 2, 4)]
)
def test_every_chart_has_a_name_a_description_and_a_table(
    site: Site,
    apply: Callable[..., None],
    stores: Stores,
    history: ModuleType,
    *,
    tab: str,
    charts: int,
    tables: int,
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past())
    page = site.get(f"/use-cases/next_offer{tab}").text
    pictures = re.findall(r"<svg class=\"chart[ \"].*?</svg>", page, re.DOTALL)
    assert len(pictures) == charts
    for picture in pictures:
        labelled = re.search(r'aria-labelledby="(\S+) (\S+)"', picture)
        assert labelled is not None
        assert re.search(rf'<title id="{labelled[1]}">\S', picture)
        assert re.search(rf'<desc id="{labelled[2]}">\S', picture)
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(identifiers)
    assert page.count("<table") == tables


def test_every_tab_begins_with_the_same_answer_and_knows_where_it_is(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past())
    answers = set()
    for name, tab in TABS.items():
        page = site.get(f"/use-cases/next_offer{tab}").text
        answers.add(re.findall(r'<p class="answer">(.*?)</p>', page)[0])
        (nav,) = re.findall(r'<nav class="tabs" aria-label="Results">(.*?)</nav>', page, re.DOTALL)
        assert re.findall(r'href="([^"]+)"', nav) == [
            f"/use-cases/next_offer{each}" for each in TABS.values()
        ]
        assert re.findall(r'aria-current="page">([^<]+)<', nav) == [name]
    assert len(answers) == 1
    assert "Treatment did better than control" in answers.pop()


def test_the_list_of_decisions_its_files_and_the_interface_agree(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=30))
    asks = "?variant=control&option=channel%3Asms"
    page = site.get(f"/use-cases/next_offer/decisions{asks}").text
    document = json.loads(site.get(f"/api/use-cases/next_offer/decisions{asks}").text)
    told = history.past(profiles=30)
    count = int((told.sms & told.control[:, None]).sum())
    assert int(text_of(page, "total")) == document["total"] == count
    assert page.count('<tr><th scope="row"') == len(document["decisions"]) == count
    found = re.search(r'href="([^"]+decisions\.csv[^"]+)"', page)
    assert found is not None
    address = found[1].replace("&amp;", "&")
    assert site.get(address).text.count("\n") == count + 1
    as_json = json.loads(site.get(address.replace(".csv", ".json")).text)
    assert [each["decision_id"] for each in as_json["decisions"]] == [
        each["decision_id"] for each in document["decisions"]
    ]
    whole = site.get("/use-cases/next_offer/decisions?page=6").text
    assert "251 to 300 of 300 decisions" in whole
    assert 'rel="next"' not in whole
    refused = site.get("/use-cases/next_offer/decisions?variant=nobody")
    assert (refused.status, "Allowed: treatment, control, random" in refused.text) == (400, True)
    narrow = site.get("/use-cases/next_offer/decisions?explored=yes&from=2030-01-01&profile=5")
    assert "No decision is like that." in narrow.text


def test_a_decision_has_a_page_that_the_list_opens(
    site: Site, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "<b>Next offer"})
    history.write(stores, history.past(profiles=20))
    listed = site.get("/use-cases/next_offer/decisions").text
    address = re.findall(r'<a href="(/decisions/[^"]+)"', listed)[0]
    page = site.get(address)
    document = json.loads(site.get(f"/api{address}").text)
    assert page.status == 200
    assert "Decisions of &lt;b&gt;Next offer" in page.text
    # This past was written without a policy.
    assert document["missing"] == (
        "The policy p is not kept any more: policies are dropped 35 days after they decided. The "
        "probability that was logged stays."
    )
    assert document["missing"] in page.text
    assert "had a chance of 10.0 %" in page.text
    assert [row[0] for row in rows_of(page.text, "known-table")] == list(document["values"])
    assert site.get("/api/decisions/nothing").status == 404
