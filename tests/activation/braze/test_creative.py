from __future__ import annotations

import pytest

from braze_sandbox import Sandbox
from opportune.activation import braze
from opportune.activation.braze import Template, TemplateDraft

ORIGINAL = Template(
    email_template_id="1",
    template_name="Spring",
    subject="Save 20% on fibre",
    preheader="Only today",
    body="<p>Dear {{${first_name}}}, save with <b>TV and fibre</b>.</p>",
)
PLACES = {"discount": "20%", "offer": "TV and fibre"}


def test_a_copy_has_a_placeholder_where_each_dimension_is_to_show() -> None:
    draft = braze.draft_from(ORIGINAL, title="Spring copy", places=PLACES)
    assert draft.subject == "Save {{api_trigger_properties.${discount} | default: '20%'}} on fibre"
    assert "<b>{{api_trigger_properties.${offer} | default: 'TV and fibre'}}</b>" in draft.body
    assert draft.preheader == "Only today"
    assert braze.check_draft(draft, PLACES) == ()
    canvas = braze.draft_from(ORIGINAL, title="t", places=PLACES, sent_by="canvas")
    assert "{{context.${discount} | default: '20%'}}" in canvas.subject


def test_any_combination_can_be_looked_at_and_without_one_it_is_the_original() -> None:
    draft = braze.draft_from(ORIGINAL, title="t", places=PLACES)
    shown = braze.preview(draft, {"discount": "30%", "offer": "SIM"})
    assert shown.subject == "Save 30% on fibre"
    assert shown.body == "<p>Dear , save with <b>SIM</b>.</p>"
    assert braze.preview(draft, {}).subject == ORIGINAL.subject


def test_nothing_is_looked_for_within_a_placeholder() -> None:
    places = {"discount": "Save 20%", "word": "Save", "other": "default"}
    letter = Template(
        email_template_id="1", template_name="t", subject="Save 20% or Save", body="default"
    )
    draft = braze.draft_from(letter, title="t", places=places)
    assert draft.subject == (
        "{{api_trigger_properties.${discount} | default: 'Save 20%'}} or "
        "{{api_trigger_properties.${word} | default: 'Save'}}"
    )
    assert draft.body == "{{api_trigger_properties.${other} | default: 'default'}}"


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"offer": "Cable"}, "nowhere says 'Cable'"),
        ({"my offer": "20%"}, "letters, digits and _ only"),
        ({"offer": "{{${first_name}}}"}, "without quotes, braces"),
        ({"offer": ""}, "cannot be a default"),
    ],
)
def test_what_cannot_be_replaced_is_told(places: dict[str, str], said: str) -> None:
    with pytest.raises(braze.BadCreative, match=said):
        braze.draft_from(ORIGINAL, title="t", places=places)


def test_a_draft_that_shows_something_else_is_told() -> None:
    draft = TemplateDraft(
        title="t", subject="{{api_trigger_properties.${ofer}}}", body="{% if x %}unclosed"
    )
    liquid, silent, unknown = braze.check_draft(draft, ["offer"])
    assert liquid.startswith("This is no Liquid: ")
    assert silent == "Nothing shows the dimension 'offer'."
    assert unknown == "'ofer' is no dimension."
    with pytest.raises(braze.BadCreative, match="cannot be shown"):
        braze.preview(draft, {})


def test_a_template_is_made_from_one_that_is_there_and_that_stays_as_it_is(
    sandbox: Sandbox,
) -> None:
    workspace = sandbox.workspace()
    body = {"template_name": "Spring", "subject": "Save 20%", "body": "<p>TV</p>"}
    made = sandbox.post("/templates/email/create", body)["email_template_id"]
    original = braze.template(workspace, made)
    draft = braze.draft_from(original, title="Spring", places={"discount": "20%"})
    ours = braze.create_template(workspace, draft)
    assert braze.template(workspace, made) == original
    assert braze.template(workspace, ours).subject == draft.subject
    listed = braze.choosable(workspace)
    assert [(each.kind, each.name) for each in listed if each.kind == "template"] == [
        ("template", "Opportune: Spring"),
        ("template", "Spring"),
    ]
    assert {each.kind for each in listed} == {"campaign", "canvas", "template"}
