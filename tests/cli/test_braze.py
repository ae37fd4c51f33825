"""`opportune braze`: against a sandbox over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opportune import pipeline, project, reports, segments
from opportune.activation.braze import (
    Advice,
    Brought,
    Content,
    CountedDay,
    Patience,
    ShownMessage,
    TemplateDraft,
    connected,
    create_template,
    parse_braze_segment,
)
from opportune.cli import braze
from opportune.cli.braze_messages import preview_lines
from opportune.events import history
from opportune.sandbox import CAMPAIGN_ID
from opportune.sandbox.catalogue import CANVAS_ID, SEGMENT_ID
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
SHOP = Path(__file__).parents[2] / "examples" / "shop"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def defined(stores: Stores, sandbox: Any) -> str:
    """The definition of a segment of the sandbox, and one of its members here."""
    body = {"base_url": sandbox.url, "segment_id": SEGMENT_ID, "custom_attributes": ["plan"]}
    for kind, name, said in (
        ("braze_segment", "everybody", body),
        ("segment", "members", {"rule": {"trait": "braze_everybody", "is": True}}),
    ):
        stores.state.rows(
            "insert into definition (kind, name, version, body, created_at) values"
            " (%(kind)s, %(name)s, 1, %(body)s, now())",
            {"kind": kind, "name": name, "body": json.dumps(said)},
        )
    return "everybody"


def test_a_segment_of_braze_becomes_a_segment_here(
    run: Run, stores: Stores, defined: str, monkeypatch: pytest.MonkeyPatch, api_key: str
) -> None:
    code, _, err = run("braze", "import-audience", "nobody")
    assert (code, err.split(":")[0]) == (3, "unknown_braze_segment")
    monkeypatch.setenv("OPPORTUNE_BRAZE_API_KEY", "another-key-0000")
    code, _, err = run("braze", "import-audience", defined)
    assert (code, err.split(":")[0]) == (5, "braze_forbidden")
    monkeypatch.setenv("OPPORTUNE_BRAZE_API_KEY", api_key)
    assert run("braze", "check")[:2] == (0, "segment everybody: all is well in Braze.\n")
    code, out, err = run("braze", "import-audience", defined, "--wait", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert (said["left"], said["messages"], said["refused"]) == (0, 300, 0)
    known = project.read(stores.state).segments
    segments.current(stores, ["members"], known, now=datetime.now(UTC))
    (found,) = segments.states(stores.state, known)
    assert (found.members, said["members"]) == (300, 300)


def test_advice_is_told_in_words() -> None:
    found = [
        Advice(code="asleep", refuses=True, message="Resume it."),
        Advice(code="silent_dimension", refuses=False, message="Write it."),
    ]
    assert braze.advice_lines("use case next", found) == [
        "use case next:",
        "  must: Resume it.",
        "  should: Write it.",
    ]
    assert braze.advice_lines("segment fibre", []) == ["segment fibre: all is well in Braze."]


def test_ours_and_braze_s_are_told_day_by_day() -> None:
    day = NOW.date()
    one = reports.ReconciledDay(
        ours=reports.OurDay(day=day, accepted=1_200, opens=3, machine_opens=2, clicks=1),
        theirs=CountedDay(day=day, sent=1_200, opens=4, clicks=1),
    )
    found = reports.Reconciliation(use_case="next", as_of=NOW, days=(one,), total=one)
    lines = braze.reconciliation_lines(found)
    assert lines[0].startswith("Braze accepted 1,200 messages and counts 1,200 as sent (the same).")
    assert lines[2].split() == ["all", "1,200", "1,200", "3", "2", "4", "1", "0", "1"]
    assert lines[-1].startswith("As of 2026-03-01 06:00 UTC; our days are UTC")


def test_what_was_brought_in_is_told_in_words() -> None:
    problems: list[str] = []
    body = {"base_url": "http://127.0.0.1", "segment_id": SEGMENT_ID}
    segment = parse_braze_segment("fibre", body, problems)
    assert segment is not None
    found = imported({"id_required": 3})
    brought = Brought(asked_at=NOW, members=1_000, left=2, came=found, went=None)
    assert braze.page(segment, brought, taken_in=False).splitlines() == [
        "fibre: 1,000 customers are in the segment, 2 left it since the import before. As of "
        "2026-03-01 06:00:00 UTC.",
        "  3 refused: id_required",
        "  All is in the log; a worker takes it in.",
        "  Members are the profiles whose trait braze_fibre is true.",
    ]


def imported(refused: dict[str, int]) -> history.Imported:
    return history.Imported(
        import_id="1",
        file="members.jsonl",
        began_at=NOW,
        profiles_before=None,
        before=False,
        tally=history.Tally(refused=refused),
        examples=(),
    )


def test_a_template_is_shown_and_made_from_an_original(
    command: Run, sandbox: Any, monkeypatch: pytest.MonkeyPatch, api_key: str
) -> None:
    monkeypatch.setenv("OPPORTUNE_BRAZE_API_KEY", api_key)
    with connected(sandbox.url, api_key, braze.asking(Patience())) as workspace:
        draft = TemplateDraft(title="By hand", subject="Save 20%", body="<p>TV</p>")
        original = create_template(workspace, draft)
    asked = ("braze", "template", sandbox.url, original, "--title", "Ours", "--replace")
    code, out, _ = command(*asked, "offer=TV")
    assert (code, out) == (
        0,
        "Save 20%\n<p>{{api_trigger_properties.${offer} | default: 'TV'}}</p>\n",
    )
    code, made, _ = command(*asked, "offer=TV", "--canvas", "--make")
    assert code == 0
    code, out, _ = command("braze", "content", sandbox.url)
    assert f"template {made.strip()} Opportune: Ours" in out.splitlines()
    for wrong in ("offer", "offer=Radio"):
        code, _, err = command(*asked, wrong)
        assert (code, err.split(":")[0]) == (2, "bad_creative")


def test_a_combination_is_previewed_and_tried(
    run: Run, stores: Stores, sandbox: Any, monkeypatch: pytest.MonkeyPatch, api_key: str
) -> None:
    project.apply(stores.state, SHOP, now=NOW)
    monkeypatch.setenv("OPPORTUNE_BRAZE_API_KEY", api_key)
    moved = "update definition set body = replace(body::text, '127.0.0.1:8421', %(host)s)::json"
    stores.state.rows(moved, {"host": f"127.0.0.1:{sandbox.port}"})
    code, out, err = run("braze", "preview", "second-order", "--option", "offer=ten_percent")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "second-order: offer=ten_percent, channel=email, hour=09"
    assert "  offer: ten_percent" in lines
    assert any(each.startswith("  Subject: ") and "ten_percent" in each for each in lines)
    assert json.loads(run("braze", "preview", "second-order", "--json")[1])["sends"] is True
    code, _, err = run("braze", "preview", "second-order", "--option", "offer")
    assert (code, err.split(":")[0]) == (2, "unknown_combination")
    code, out, _ = run("braze", "test-send", "second-order", "--to", "tester@example.com")
    assert (code, out.split("profile ")[0]) == (0, "Braze took it, to the temporary ")
    assert run("braze", "remove-test-profiles")[:2] == (0, "0 removed.\n")
    (canvas,) = sandbox.ask("GET", "canvases")["canvases"]
    sandbox.ask("POST", "canvases", {**canvas, "enabled": False})
    other = (
        "update definition set body = replace(replace(body::text, 'campaign_id', 'canvas_id'),"
        " %(campaign)s, %(canvas)s)::json"
    )
    stores.state.rows(other, {"campaign": CAMPAIGN_ID, "canvas": CANVAS_ID})
    code, _, err = run("braze", "test-send", "second-order", "--to", "tester@example.com")
    assert (code, err.split(":")[0]) == (2, "Not sent. Braze took the call and sends nothing")
    stores.state.rows("update braze_test_profile set noted_at = noted_at - interval '1 hour'")
    assert run("braze", "remove-test-profiles")[:2] == (0, "2 removed.\n")


def test_a_message_that_cannot_be_filled_says_so() -> None:
    content = Content(channel="email", name="Letter", title="T", body="a\nb")
    found = pipeline.MessagePreview(
        use_case="next",
        action={"offer": "tv"},
        properties={"offer": "tv"},
        sends=True,
        messages=(ShownMessage(content=content, problem="A tag."),),
        trouble="Look.",
    )
    lines = ["next: offer=tv", "  offer: tv", "", "email Letter", "  Title: T", "  a", "  b"]
    assert preview_lines(found) == [*lines, "  (A tag.)", "Look."]
