"""The builder's form: every rule survives it, and buttons change what they say."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drawn
from opportune import rules
from opportune.web import pages
from opportune.web.asking import Fields, Frame
from opportune.web.draft import Draft, DraftTooDeep, plain, read_draft, written
from opportune.web.draft_edit import FRESH, edit
from opportune.web.draft_rules import document_of, draft_of
from opportune.web.segments import READY, VOCABULARY

NOTHING = {"problems": (), "words": "", "preview": None, "enters": ""}


class Controls(HTMLParser):
    """The fields of a page as a browser sends them."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self.buttons: list[str] = []
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "input" and given.get("type") not in ("checkbox", "radio"):
            # A field of one line has no line ends.
            value = given.get("value", "").replace("\n", "").replace("\r", "")
            self.pairs.append((given["name"], value))
        elif tag == "select":
            self._select = (given["name"], [])
        elif tag == "option" and self._select is not None:
            self._select[1].append((given["value"], "selected" in given))
        elif tag == "textarea":
            self._area = (given["name"], "")
        elif tag == "button" and given.get("name") == "act":
            self.buttons.append(given["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select is not None:
            name, options = self._select
            chosen = [value for value, selected in options if selected]
            self.pairs.append((name, (chosen or [options[0][0]])[0]))
            self._select = None
        elif tag == "textarea" and self._area is not None:
            name, text = self._area
            # Line ends travel as two characters; the first one after the tag is not part of it.
            sent = text.removeprefix("\n").replace("\n", "\r\n")
            self.pairs.append((name, sent.replace("\r\n", "\n")))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area = (self._area[0], self._area[1] + data)


def shown(draft: Draft) -> Controls:
    """The form of a draft."""
    frame = Frame(as_of=drawn.NOW, demo=False)
    context = {"draft": draft, **VOCABULARY, **NOTHING}
    controls = Controls()
    controls.feed(pages.render("segment_draft.html", frame, context))
    controls.close()
    return controls


def sent_again(draft: Draft) -> Draft:
    return read_draft(Fields(tuple(shown(draft).pairs)))


@settings(max_examples=120, deadline=None)
@given(drawn.documents)
def test_every_rule_survives_form_to_rule_to_form(document: dict[str, object]) -> None:
    rule = rules.parse(document, where="rule")
    draft = draft_of(document)
    again = sent_again(draft)
    assert rules.parse(document_of(again), where="rule") == rule
    # What is shown the second time is what was shown the first time.
    assert shown(sent_again(again)).pairs == shown(draft).pairs


anything = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
texts = anything | st.sampled_from(['"', '""', '"a', " a", "a\n", "\r\n", "<script>", "\x85", "{}"])


@settings(max_examples=80, deadline=None)
@given(texts.filter(bool), st.lists(texts, min_size=1, max_size=3))
def test_any_text_survives_the_form(name: str, values: list[str]) -> None:
    document = {
        "all": [
            {"trait": name, "one_of": values},
            {"trait": name, "is": values[0]},
            {"event": [name], "where": {"property": name, "is_not": values[0]}},
            {"segment": name},
        ]
    }
    again = document_of(sent_again(draft_of(document)))
    assert rules.parse(again, where="rule") == rules.parse(document, where="rule")


@given(texts)
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert plain(written(text)) == text


@pytest.mark.parametrize("name", READY)
def test_what_is_ready_is_a_rule_that_the_form_can_show(name: str) -> None:
    rule = rules.parse(READY[name]["rule"], where="rule")
    again = sent_again(draft_of(READY[name]["rule"]))
    assert rules.parse(document_of(again), where="rule") == rule


def test_what_is_typed_wrong_stays_as_it_was_typed_and_is_told() -> None:
    typed = Fields(
        (
            ("rule-form", "all"),
            ("rule-0-form", "trait"),
            ("rule-0-name", "age"),
            ("rule-0-operator", "at_least"),
            ("rule-0-value", "eighteen"),
        )
    )
    draft = read_draft(typed)
    with pytest.raises(rules.InvalidRule, match="'eighteen' cannot be ordered") as told:
        rules.parse(document_of(draft), where="rule")
    assert told.value.problems[0].startswith("rule.all[0].at_least: ")
    assert ("rule-0-value", "eighteen") in shown(draft).pairs


def test_each_button_does_what_it_says() -> None:
    draft = Draft(form="all")
    for form in ("trait", "event", "sequence", "session", "segment", "any", "not"):
        assert f"add:rule:{form}" in shown(draft).buttons
        draft = edit(draft, f"add:rule:{form}")
    assert [part.form for part in draft.parts] == [
        *("trait", "event", "sequence", "session", "segment", "any", "not")
    ]
    draft = edit(draft, "wrap:rule-0:not")
    assert draft.parts[0] == Draft(form="not", parts=(FRESH["trait"],))
    draft = edit(draft, "unwrap:rule-0")
    assert draft.parts[0] == FRESH["trait"]
    draft = edit(edit(draft, "or:rule-1"), "where:rule-1")
    assert draft.parts[1].events == ("", "")
    assert draft.parts[1].below["where"].parts == (FRESH["property"],)
    draft = edit(draft, "remove:rule-1-where")
    assert draft.parts[1].below == {}
    draft = edit(draft, "without:rule-2-1")
    assert draft.parts[2].parts[1].below["without"].form == "match"
    draft = edit(draft, "add:rule-2:step")
    assert [step.form for step in draft.parts[2].parts] == ["step"] * 3
    draft = edit(draft, "remove:rule-0")
    assert draft.parts[0].form == "event"
    assert edit(draft, "remove:rule") == Draft(form="all")


@pytest.mark.parametrize("act", ["", "add", "add:rule-9:trait", "add:rule:x", "hack:rule", "a:b:c"])
def test_a_button_that_there_is_not_changes_nothing(act: str) -> None:
    draft = edit(Draft(form="all"), "add:rule:event")
    assert edit(draft, act) == draft


def test_a_form_that_is_nested_too_deep_is_refused() -> None:
    path = "rule" + "-0" * 100
    places = [path[: len("rule") + 2 * depth] for depth in range(101)]
    with pytest.raises(DraftTooDeep):
        read_draft(Fields(tuple((f"{place}-form", "not") for place in places)))
