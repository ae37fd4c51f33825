from __future__ import annotations

from collections.abc import Callable

import pytest

from braze_sandbox import Sandbox
from opportune.activation import Answer, Request, braze
from opportune.activation.braze import Content, Listed, TemplateDraft, Workspace
from opportune.sandbox import CAMPAIGN_ID
from opportune.sandbox.catalogue import API_CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_campaigns_are_listed_and_read(workspace: Workspace) -> None:
    listed = {each.id: each for each in braze.campaigns(workspace)}
    assert set(listed) == {CAMPAIGN_ID, API_CAMPAIGN_ID}
    assert listed[API_CAMPAIGN_ID].is_api_campaign
    found = braze.campaign(workspace, CAMPAIGN_ID)
    assert found.name == listed[CAMPAIGN_ID].name
    assert found.enabled
    assert not found.archived
    assert {each.channel for each in found.messages.values()} == {"email", "sms", "android_push"}
    email = next(each for each in found.messages.values() if each.channel == "email")
    assert email.subject == "{{api_trigger_properties.${offer}}}"
    assert len(email.texts) == 2


def test_a_long_list_is_read_to_its_end(sandbox: Sandbox, workspace: Workspace) -> None:
    for number in range(99):
        sandbox.post("/_sandbox/segments", {"name": f"Segment {number}"})
    assert len(braze.segments(workspace)) == 100
    assert sandbox.asked == ["/segments/list?page=0", "/segments/list?page=1"]


def test_segments_and_their_sizes_are_read(workspace: Workspace) -> None:
    assert [each.id for each in braze.segments(workspace)] == [SEGMENT_ID]
    assert braze.segment(workspace, SEGMENT_ID).name == "All customers"
    sizes = braze.segment_sizes(workspace, SEGMENT_ID, days=2)
    assert [each.size for each in sizes] == [120, 120]


def test_a_canvas_is_read_with_its_ways_and_steps(workspace: Workspace) -> None:
    assert [each.id for each in braze.canvases(workspace)] == [CANVAS_ID]
    found = braze.canvas(workspace, CANVAS_ID)
    assert [variant.is_control for variant in found.variants] == [False]
    assert [step.name for step in found.steps] == ["Offer"]


def test_what_braze_does_not_have_is_named(workspace: Workspace) -> None:
    with pytest.raises(braze.NotInBraze, match=f"has no campaign '{UNKNOWN}'"):
        braze.campaign(workspace, UNKNOWN)
    with pytest.raises(braze.NotInBraze, match=f"has no segment '{UNKNOWN}'"):
        braze.segment_sizes(workspace, UNKNOWN, days=1)
    with pytest.raises(braze.NotInBraze, match="has no email template"):
        braze.template(workspace, UNKNOWN)


def test_users_are_read_fifty_at_a_time_and_never_who_they_are(
    sandbox: Sandbox, workspace: Workspace
) -> None:
    names = [f"c{number:06d}" for number in range(1, 61)]
    users = braze.export_users(workspace, [*names, "nobody"], ["external_id", "time_zone"])
    assert [user["external_id"] for user in users] == names
    assert len(sandbox.asked) == 2
    for field in ("email", "custom_attributes"):
        with pytest.raises(braze.PersonalField, match=f"'{field}' is never asked"):
            braze.export_users(workspace, names, ["external_id", field])
    assert len(sandbox.asked) == 2


def test_a_template_of_ours_is_made_and_changed_and_no_other(
    sandbox: Sandbox, workspace: Workspace
) -> None:
    draft = TemplateDraft(title="Spring", subject="Hi", body="<p>Hi</p>")
    made = braze.create_template(workspace, draft)
    braze.update_template(workspace, made, TemplateDraft(title="Spring", subject="Ho", body="b"))
    found = braze.template(workspace, made)
    assert (found.template_name, found.subject) == ("Opportune: Spring", "Ho")
    other = {"template_name": "By hand", "subject": "s", "body": "b"}
    theirs = sandbox.post("/templates/email/create", other)["email_template_id"]
    with pytest.raises(braze.NotOurTemplate, match="not one of ours"):
        braze.update_template(workspace, theirs, draft)
    assert braze.template(workspace, theirs).subject == "s"
    assert [each.template_name for each in braze.templates(workspace)] == [
        "Opportune: Spring",
        "By hand",
    ]


def test_an_answer_of_another_shape_is_told_by_its_place_and_without_its_values(
    sandbox: Sandbox,
) -> None:
    body = b'{"segments":[{"id":"a","name":4711}]}'
    with pytest.raises(braze.UnreadableAnswer, match=r"\$\.segments\[0\]\.name") as raised:
        braze.segments(sandbox.workspace(answering(body)))
    assert "4711" not in raised.value.message
    with pytest.raises(braze.UnreadableAnswer, match="this is no JSON"):
        braze.segments(sandbox.workspace(answering(b"<html>")))


def test_content_says_which_texts_it_has_and_what_is_a_control_group() -> None:
    assert Content(channel="sms", body="b").texts == ("b",)
    assert Content(channel="email", type="control").is_control
    assert Listed(id="1", name="n").tags == ()


def answering(body: bytes) -> Callable[[Request], Answer]:
    return lambda _request: Answer(status=200, headers={}, body=body, processed=True)
