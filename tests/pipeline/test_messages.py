"""What any combination says, and test sends of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from history import use_case as past_use_case
from opportune import pipeline
from opportune.activation.braze import Asking, Patience
from opportune.decisions import Activation, UseCase
from opportune.sandbox import CAMPAIGN_ID
from opportune.settings import Settings
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASKING = Asking(clock=lambda: 0.0, sleep=lambda _: None, patience=Patience(tries=1))
TESTER = pipeline.Tester(to="tester@example.com", by="ann", number="1")


def sending(base_url: str) -> UseCase:
    config = {"base_url": base_url, "campaign_id": CAMPAIGN_ID}
    first, *others = past_use_case().dimensions
    option = replace(first.options[0], parameters={"price": 20})
    silent = replace(first.options[1], nothing=True)
    dimension = replace(first, options=(option, silent, *first.options[2:]))
    return replace(
        past_use_case(),
        dimensions=(dimension, *others),
        activation=Activation(connector="braze", config=config),
    )


def test_a_combination_is_whole_and_only_one_that_there_is() -> None:
    mine = sending("http://127.0.0.1:1")
    names = [each.name for each in mine.dimensions]
    first = [each.options[0].name for each in mine.dimensions]
    found = pipeline.preview_message(Settings(), mine, {}, ASKING)
    assert list(found.action.items()) == list(zip(names, first, strict=True))
    assert found.properties == {**found.action, "price": 20}
    assert (found.sends, found.messages) == (True, ())
    assert found.trouble.startswith("OPPORTUNE_BRAZE_API_KEY is not set")
    silent = {names[0]: mine.dimensions[0].options[1].name}
    told = pipeline.preview_message(Settings(), mine, silent, ASKING)
    assert (told.sends, told.trouble) == (False, "This combination sends nothing.")
    by_file = replace(mine, activation=Activation(connector="file", config={}))
    told = pipeline.preview_message(Settings(), by_file, {}, ASKING)
    assert told.trouble == "'file' gets the properties and writes the message."
    away = pipeline.preview_message(Settings(braze_api_key="a-key"), mine, {}, ASKING)
    assert "tried 1 times" in away.trouble
    for given, said in (
        ({"ofer": "tv"}, "No dimension 'ofer'"),
        ({names[0]: "nothing-such"}, "has no option 'nothing-such'"),
    ):
        with pytest.raises(pipeline.UnknownCombination, match=said):
            pipeline.preview_message(Settings(), mine, given, ASKING)


def test_a_message_of_ours_is_shown_without_asking_anybody() -> None:
    mine = sending("http://127.0.0.1:1")
    name = mine.dimensions[0].name
    alert = (
        f"{{{{api_trigger_properties.${{{name}}}}}}} for {{{{api_trigger_properties.${{price}}}}}}"
    )
    config = {"base_url": "http://127.0.0.1:1", "messages": f"[web_push]\nalert = '{alert}'"}
    direct = replace(mine, activation=Activation(connector="braze", config=config))
    found = pipeline.preview_message(Settings(), direct, {}, ASKING)
    assert found.trouble == ""
    (shown,) = found.messages
    assert shown.content.alert == f"{mine.dimensions[0].options[0].name} for 20"


def test_a_test_send_is_in_no_table_that_counts(stores: Stores, sandbox: Any, api_key: str) -> None:
    stores = replace(stores, settings=replace(stores.settings, braze_api_key=api_key))
    mine = sending(sandbox.url)
    shown = pipeline.preview_message(stores.settings, mine, {}, ASKING)
    offer = shown.action[mine.dimensions[0].name]
    assert shown.trouble == ""
    assert any(offer in text for each in shown.messages for text in each.content.texts)
    told = pipeline.send_test(stores, mine, {}, tester=TESTER, asking=ASKING, now=NOW)
    assert (told.accepted, told.external_id) == (True, "opportune-test-1")
    assert sandbox.sends()[0] == 1
    assert stores.state.rows("select key from outbox") == []
    assert stores.state.rows("select made_by from braze_test_profile") == [{"made_by": "ann"}]
    silent = {mine.dimensions[0].name: mine.dimensions[0].options[1].name}
    with pytest.raises(pipeline.UnknownCombination, match="sends nothing"):
        pipeline.send_test(stores, mine, silent, tester=TESTER, asking=ASKING, now=NOW)
    by_file = replace(mine, activation=Activation(connector="file", config={}))
    with pytest.raises(pipeline.NotThroughBraze, match="sends through 'file'"):
        pipeline.send_test(stores, by_file, {}, tester=TESTER, asking=ASKING, now=NOW)
