"""A destination is read as written, and every mistake in it is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from opportune.activation import Destination, Patience, parse_destination

SECRET = "OPPORTUNE_SECRET_CRM"


def parse(**body: object) -> tuple[Destination | None, list[str]]:
    problems: list[str] = []
    parsed = parse_destination("crm", {"title": "CRM", **body}, problems)
    return parsed, problems


def test_a_segment_source_needs_a_key_and_a_wish() -> None:
    parsed, problems = parse(connector="segment", secret=SECRET, events=["*"])
    assert problems == []
    assert parsed is not None
    assert (parsed.url, parsed.folder, parsed.batch_size) == ("https://api.segment.io", "", 100)
    assert (parsed.properties, parsed.traits) == ((), ())
    assert parsed.variants == ("champion", "random", "treatment")
    assert parsed.patience == Patience(attempts=20, age=timedelta(hours=24))


def test_a_file_has_a_folder_of_its_own_name() -> None:
    parsed, problems = parse(connector="file", kinds=["decision"], variants=["control"])
    assert problems == []
    assert parsed is not None
    assert (parsed.url, parsed.folder, parsed.secret) == ("", "crm", "")
    assert parsed.variants == ("control",)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"connector": "segmnt"}, "connector: 'segmnt' given. Did you mean 'segment'?"),
        ({"connector": "webhook", "secret": SECRET, "events": ["*"]}, "url: missing"),
        (
            {"connector": "webhook", "secret": SECRET, "events": ["*"], "url": "ftp://x"},
            "url: must be http(s)://host[:port][/path]",
        ),
        (
            {"connector": "webhook", "secret": SECRET, "events": ["*"], "url": "http://a@x"},
            "url: must be",
        ),
        ({"connector": "segment", "events": ["*"]}, "secret: missing"),
        ({"connector": "segment", "events": ["*"], "secret": "wk-1"}, "secret: must name a"),
        ({"connector": "segment", "events": ["*"], "secret": "HOME"}, "secret: must name a"),
        ({"connector": "file", "events": ["*"], "folder": "../etc"}, "folder: '../etc' given"),
        ({"connector": "file"}, "events: nothing is sent."),
        ({"connector": "file", "kinds": ["profiles"]}, "Did you mean 'profile'?"),
        ({"connector": "file", "kinds": ["profile"]}, "traits: of profiles, only traits"),
        ({"connector": "file", "events": ["*"], "traits": ["*"]}, "traits: '*' given"),
        ({"connector": "file", "events": ["*"], "url": "http://x"}, "url: unknown key."),
        ({"connector": "webhook", "batch_size": 2}, "batch_size: 2 given, must be a number"),
        ({"connector": "segment", "batch_size": 2501}, "batch_size: 2501 given"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_what_is_allowed(
    body: dict[str, object], problem: str
) -> None:
    parsed, problems = parse(**body)
    assert parsed is None
    assert any(each.startswith("destinations/crm.toml: ") for each in problems)
    assert any(problem in each for each in problems), problems
    assert not any("wk-1" in each for each in problems), "it may be the secret itself"
