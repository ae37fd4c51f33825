from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from braze_sandbox import Sandbox, sandbox_config
from opportune.activation import braze
from opportune.activation.braze import Advice, SetUp
from opportune.sandbox import CAMPAIGN_ID, create_app
from opportune.sandbox.catalogue import API_CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID

DIMENSIONS = ("offer", "channel", "hour")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
EMAIL = {
    "id": "v1",
    "channel": "email",
    "content": {"subject": "{{api_trigger_properties.${offer}}}"},
}
SEGMENT = braze.BrazeSegment(
    name="fibre",
    base_url="http://127.0.0.1",
    segment_id=SEGMENT_ID,
    fields=(),
    custom_attributes=(),
)


def set_up(campaign_id: str = CAMPAIGN_ID, **changes: Any) -> SetUp:
    given = {"use_case": "next", "config": {"campaign_id": campaign_id}, "dimensions": DIMENSIONS}
    return SetUp(**(given | changes))


def codes(found: list[Advice]) -> list[tuple[str, bool]]:
    return [(each.code, each.refuses) for each in found]


def test_a_campaign_that_is_set_up_well_needs_nothing_and_nothing_is_sent(sandbox: Sandbox) -> None:
    assert braze.check_set_up(sandbox.workspace(), set_up()) == []
    assert sandbox.get("/_sandbox/sends")["sends"] == 0
    assert sandbox.asked == [
        f"/campaigns/details?campaign_id={CAMPAIGN_ID}",
        "/campaigns/trigger/send",
        "/users/export/ids",
    ]


def test_what_goes_along_may_be_read_and_need_not(sandbox: Sandbox) -> None:
    asked = set_up(dimensions=("offer", "channel"))
    (advice,) = braze.check_set_up(sandbox.workspace(), asked)
    assert (advice.code, "reads 'hour'" in advice.message) == ("unknown_placeholder", True)
    along = set_up(dimensions=("offer", "channel"), others=("hour", "price"))
    assert braze.check_set_up(sandbox.workspace(), along) == []


def test_a_canvas_is_looked_at_as_a_campaign_is(sandbox: Sandbox) -> None:
    asked = set_up(config={"canvas_id": CANVAS_ID})
    assert braze.check_set_up(sandbox.workspace(), asked) == []
    (canvas,) = sandbox.get("/_sandbox/canvases")["canvases"]
    canvas["variants"].append({"id": "c", "name": "Control", "first_step_ids": []})
    sandbox.post("/_sandbox/canvases", canvas | {"enabled": False})
    found = braze.check_set_up(sandbox.workspace(), asked)
    assert codes(found) == [("asleep", True), ("control_group", True)]
    assert "is paused: Braze would take each call and send nothing. Resume it" in found[0].message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"archived": True}, ["asleep"]),
        ({"draft": True}, ["asleep"]),
        (
            {"variations": [EMAIL, {"id": "c", "channel": "email", "control": True}]},
            ["control_group"],
        ),
    ],
    ids=["archived", "a draft", "Braze's control group"],
)
def test_what_would_not_work_refuses_the_start(
    sandbox: Sandbox, changes: dict[str, Any], expected: list[str]
) -> None:
    made = sandbox.post("/_sandbox/campaigns", {"name": "Mine", "variations": [EMAIL]} | changes)
    found = braze.check_set_up(sandbox.workspace(), set_up(made["id"], dimensions=("offer",)))
    assert [each.code for each in found if each.refuses] == expected
    with pytest.raises(braze.BrazeSetUpWrong, match="Use case 'next' is not set up in Braze"):
        braze.refuse("next", found)


def test_an_unknown_campaign_and_one_that_cannot_be_triggered_are_told_apart(
    sandbox: Sandbox,
) -> None:
    found = braze.check_set_up(sandbox.workspace(), set_up(UNKNOWN))
    assert codes(found) == [("unknown", True)]
    found = braze.check_set_up(sandbox.workspace(), set_up(API_CAMPAIGN_ID, dimensions=()))
    assert codes(found) == [("not_triggered", True)]


def test_messages_of_ours_are_counted_by_an_api_campaign(sandbox: Sandbox) -> None:
    def found(campaign_id: str, variation: str) -> list[Advice]:
        messages = f"[email]\nmessage_variation_id = '{variation}'"
        config = {"campaign_id": campaign_id, "messages": messages}
        return braze.check_set_up(sandbox.workspace(), set_up(config=config))

    assert found(API_CAMPAIGN_ID, "email-from-outside") == []
    assert "/messages/send" in sandbox.asked
    assert sandbox.get("/_sandbox/sends")["sends"] == 0
    (unknown,) = found(API_CAMPAIGN_ID, "email-from-inside")
    assert (unknown.code, unknown.refuses) == ("unknown_variation", True)
    assert "Did you mean 'email-from-outside'?" in unknown.message
    assert codes(found(CAMPAIGN_ID, "email-offer-of-the-day")) == [("not_a_shell", True)]
    assert codes(found("", "")) == [("uncounted", False)]


def test_templates_that_show_something_else_are_advice(sandbox: Sandbox) -> None:
    content = {"subject": "{{ api_trigger_properties.${ofer} }}", "body": "Hi"}
    variation = {"id": "v1", "channel": "email", "content": content}
    made = sandbox.post("/_sandbox/campaigns", {"name": "Mine", "variations": [variation]})
    found = braze.check_set_up(sandbox.workspace(), set_up(made["id"], dimensions=("offer",)))
    assert codes(found) == [
        ("silent_dimension", False),
        ("unknown_placeholder", False),
        ("no_decision_id", False),
    ]
    assert "Write {{api_trigger_properties.${offer}}} where" in found[0].message
    braze.refuse("next", found)


def test_a_permission_that_the_key_lacks_is_named() -> None:
    allowed = ["campaigns.details", "users.export.ids"]
    config = sandbox_config(restricted_keys={"half-a-key": allowed})
    sandbox = Sandbox(app=create_app(config), key="half-a-key")
    (found,) = braze.check_set_up(sandbox.workspace(), set_up())
    assert (found.code, found.refuses) == ("permission", True)
    assert "the permission campaigns.trigger.send," in found.message
    assert [each.code for each in braze.check_segment(sandbox.workspace(), SEGMENT, [])] == [
        "permission",
        "permission",
    ]
    found = braze.check_set_up(sandbox.workspace(), set_up(is_held=True))[1:]
    assert [each.refuses for each in found] == [True, True]
    for what, advice in zip(("create", "delete"), found, strict=True):
        assert f"the permission campaigns.trigger.schedule.{what}," in advice.message
    sandbox.key = "no-key-at-all"
    assert codes(braze.check_set_up(sandbox.workspace(), set_up())) == [("permission", True)]
    sandbox.close()


def test_what_other_use_cases_take_too_is_said(sandbox: Sandbox) -> None:
    asked = set_up(same_target=("older",), same_audience=("newer",))
    found = braze.check_set_up(sandbox.workspace(), asked)
    assert codes(found) == [("target_twice", True), ("segment_elsewhere", False)]
    assert found[1].message.endswith("opportune overlap next newer")


def test_a_segment_is_looked_at_without_an_export(sandbox: Sandbox) -> None:
    workspace = sandbox.workspace()
    assert braze.check_segment(workspace, SEGMENT, [SEGMENT]) == []
    again = replace(SEGMENT, name="again")
    assert codes(braze.check_segment(workspace, SEGMENT, [again])) == [("segment_twice", False)]
    unknown = replace(SEGMENT, segment_id=UNKNOWN)
    assert codes(braze.check_segment(workspace, unknown, [])) == [("unknown", True)]
    # An export that ran would be refused a second time.
    assert sandbox.slept == []
