"""A use case that sends through Braze is looked at before it is started."""

from __future__ import annotations

from dataclasses import replace

import pytest

from history import use_case as past_use_case
from opportune import pipeline
from opportune.activation.braze import Asking, BrazeSetUpWrong, Patience
from opportune.decisions import Activation
from opportune.project import Project
from opportune.sandbox import CAMPAIGN_ID
from opportune.settings import Settings

ASKING = Asking(
    clock=lambda: 0.0, sleep=lambda _: None, patience=Patience(tries=1), read_timeout_s=5.0
)
NOWHERE = "http://127.0.0.1:1"


def sending(base_url: str, campaign_id: str = CAMPAIGN_ID) -> Activation:
    config = {"base_url": base_url, "campaign_id": campaign_id}
    return Activation(connector="braze", config=config)


def test_others_that_ask_the_same_of_braze_are_named() -> None:
    mine = replace(past_use_case(), activation=sending(NOWHERE))
    others = [
        replace(mine, name="live"),
        replace(mine, name="paused", state="paused"),
        replace(mine, name="elsewhere", activation=sending("http://127.0.0.1:2"), audience=()),
        replace(mine, name="by-file", activation=Activation(connector="file", config={})),
    ]
    project = Project(
        metrics={}, segments={}, use_cases={each.name: each for each in (mine, *others)}
    )
    found = pipeline.set_up_of(project, mine)
    assert (found.use_case, found.dimensions) == (mine.name, ("offer", "channel", "hour"))
    assert found.same_target == ("live",)
    assert found.same_audience == ("live", "paused")


def test_what_goes_along_may_stand_in_a_template() -> None:
    first, *rest = past_use_case().dimensions
    option = replace(first.options[0], parameters={"price": 20})
    dimensions = (
        replace(first, options=(option, *first.options[1:])),
        *(replace(each, meaning="hour" if each.name == "hour" else "choice") for each in rest),
    )
    mine = replace(past_use_case(), dimensions=dimensions, activation=sending(NOWHERE))
    project = Project(metrics={}, segments={}, use_cases={mine.name: mine})
    found = pipeline.set_up_of(project, mine)
    assert (found.dimensions, found.others) == (("offer", "channel"), ("hour", "price"))


def test_only_who_can_send_through_braze_is_looked_at_and_silence_stops_nothing() -> None:
    mine = replace(past_use_case(), activation=sending(NOWHERE))
    project = Project(metrics={}, segments={}, use_cases={mine.name: mine})
    no_key, key = Settings(), Settings(braze_api_key="a-key")
    by_file = replace(mine, activation=Activation(connector="file", config={}))
    assert pipeline.check_before_start(no_key, project, mine, ASKING) == []
    assert pipeline.check_before_start(key, project, by_file, ASKING) == []
    (advice,) = pipeline.check_before_start(key, project, mine, ASKING)
    assert (advice.code, advice.refuses) == ("not_checked", False)
    assert advice.message.startswith("Not checked in Braze: /campaigns/details, tried 1 times")


def test_what_would_not_work_is_not_started(sandbox_url: str, api_key: str) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    mine = replace(past_use_case(), activation=sending(sandbox_url, unknown))
    project = Project(metrics={}, segments={}, use_cases={mine.name: mine})
    with pytest.raises(BrazeSetUpWrong, match="has no campaign"):
        pipeline.check_before_start(Settings(braze_api_key=api_key), project, mine, ASKING)


@pytest.fixture
def sandbox_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("sandbox").url
    return url
