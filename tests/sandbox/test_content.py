"""Email templates and content blocks: kept, listed, changed, refused, and rendered."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox.rendering import render

TEMPLATE = {
    "template_name": "copy",
    "subject": "Hi",
    "body": "<p>{{${first_name}}}</p>",
    "tags": ["opportune"],
}
PATH = "/templates/email"


def create(client: Any, **fields: Any) -> str:
    answer = client.post(f"{PATH}/create", TEMPLATE | fields)
    assert answer.status == 201, answer.text
    named: str = answer.json["email_template_id"]
    return named


def block(client: Any, **fields: Any) -> Any:
    return client.post(
        "/content_blocks/create", {"name": "hero", "content": "<b>HERO</b>"} | fields
    )


def test_a_template_is_kept_listed_and_changed(client: Any) -> None:
    first = create(client)
    create(client, template_name="other")
    client.post("/_sandbox/clock", {"now": "2026-01-02T00:00:00Z"})
    changed = client.post(f"{PATH}/update", {"email_template_id": first, "preheader": "Now"})
    assert changed.json == {"message": "success", "email_template_id": first}
    info = client.get(f"{PATH}/info?email_template_id={first}").json
    assert info == {
        "message": "success",
        "email_template_id": first,
        "template_name": "copy",
        "description": "",
        "subject": "Hi",
        "preheader": "Now",
        "body": "<p>{{${first_name}}}</p>",
        "plaintext_body": None,
        "should_inline_css": False,
        "tags": ["opportune"],
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-02T00:00:00.000Z",
    }
    assert client.get(f"{PATH}/list").json["count"] == 2
    (one,) = client.get(f"{PATH}/list?modified_after=2026-01-01T12:00:00Z").json["templates"]
    assert one["email_template_id"] == first
    assert client.get(f"{PATH}/list?offset=1&limit=5").json["count"] == 1
    assert client.get(f"{PATH}/list?limit=1001").status == 400


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"template_name": ""}, "Template name is required"),
        ({"subject": None}, "subject and body are required"),
        ({"tags": "x"}, "Tags must be an array"),
        ({"tags": [1]}, "All tags must be strings"),
        ({"tags": ["new"]}, "Some tags could not be found"),
        ({"should_inline_css": "yes"}, "should_inline_css must be true or false"),
        ({"body": "x" * 409_601}, "body exceeds the maximum size of 400 KB"),
        ({"body": "{{content_blocks.${hero}}}"}, "Email must have valid Content Block names"),
    ],
)
def test_a_wrong_template_is_400_and_not_kept(client: Any, fields: Any, message: str) -> None:
    answer = client.post(f"{PATH}/create", TEMPLATE | fields)
    assert (answer.status, answer.json["message"]) == (400, message)
    assert client.get(f"{PATH}/list").json["count"] == 0


def test_a_template_that_is_not_there_or_not_changed_is_400(client: Any) -> None:
    named = create(client)
    for body in (
        {"email_template_id": "x", "subject": "y"},
        {"email_template_id": named},
        {"email_template_id": named, "template_name": ""},
    ):
        assert client.post(f"{PATH}/update", body).status == 400
    assert client.get(f"{PATH}/info?email_template_id=x").status == 400


def test_a_block_is_kept_and_counts_the_templates_that_include_it(client: Any) -> None:
    client.post("/_sandbox/tags", {"tags": ["spring"]})
    made = block(client, tags=["spring"]).json
    assert made["liquid_tag"] == "{{content_blocks.${hero}}}"
    create(client, body="{{content_blocks.${hero} | id: 'cb1'}}")
    asked = f"/content_blocks/info?content_block_id={made['content_block_id']}"
    info = client.get(f"{asked}&include_inclusion_data=true").json
    assert (info["content"], info["content_type"], info["inclusion_count"]) == (
        "<b>HERO</b>",
        "html",
        1,
    )
    assert [one["template_name"] for one in info["inclusion_data"]] == ["copy"]
    changes = {"content_block_id": made["content_block_id"], "content": "plain", "name": "hero"}
    assert client.post("/content_blocks/update", changes).status == 201
    (listed,) = client.get("/content_blocks/list").json["content_blocks"]
    assert (listed["content_type"], listed["tags"]) == ("text", ["spring"])
    assert client.get("/content_blocks/info?content_block_id=x").status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a b"},
        {"name": None},
        {"content": ""},
        {"description": "x" * 250},
        {"state": "old"},
        {"name": "taken"},
    ],
)
def test_a_wrong_block_is_400(client: Any, fields: Any) -> None:
    assert block(client, name="taken").status == 201
    assert block(client, **fields).status == 400
    assert client.get("/content_blocks/list").json["count"] == 1


def test_an_active_block_keeps_its_name_and_stays_active(client: Any) -> None:
    active, draft = block(client).json, block(client, name="d", state="draft").json
    for change in ({"name": "other"}, {"state": "draft"}, {}):
        body = {"content_block_id": active["content_block_id"], **change}
        assert client.post("/content_blocks/update", body).status == 400
    body = {"content_block_id": draft["content_block_id"], "name": "e", "state": "active"}
    assert (
        client.post("/content_blocks/update", body).json["liquid_tag"] == "{{content_blocks.${e}}}"
    )
    assert (
        client.post("/content_blocks/update", {"content_block_id": "x", "content": "y"}).status
        == 400
    )


def test_a_message_is_made_of_its_template_and_its_blocks(client: Any) -> None:
    block(client, content="Hello {{${first_name}}}, ")
    named = create(client, body="{{content_blocks.${hero}}}{{custom_attribute.${tier}}}")
    one = {"external_id": "c000001", "first_name": "Ada", "tier": "gold"}
    client.post("/users/track", {"attributes": [one]})
    email = {"app_id": "a", "from": "b", "email_template_id": named}
    client.post("/messages/send", {"external_user_ids": ["c000001"], "messages": {"email": email}})
    (message,) = client.get("/_sandbox/messages").json["messages"]
    assert message["content"]["body"] == "Hello Ada, gold"
    assert message["content"]["subject"] == "Hi"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{${first_name} | default: 'you'}}", "Ada"),
        ("{{${last_name} | default: 'you'}}", "you"),
        ("{{custom_attribute.${most recent}}}", "tea"),
        ("{{api_trigger_properties.${details}.${color}}}", "red"),
        ("{{api_trigger_properties.${skus}[0]}}", "a"),
        ("{% if custom_attribute.${most recent} == 'tea' %}T{% endif %}", "T"),
        ("{% for one in api_trigger_properties.${skus} %}{{one}},{% endfor %}", "a,b,"),
        ("price ${5} {{context.${missing}}}|", "price ${5} |"),
        ("{{content_blocks.${outer}}}", "[in Ada]"),
        ("{{content_blocks.${nobody}}}|", "|"),
    ],
)
def test_names_are_filled_in_as_braze_does(template: str, text: str) -> None:
    names = {
        "profile_field": {"first_name": "Ada"},
        "custom_attribute": {"most recent": "tea"},
        "api_trigger_properties": {"details": {"color": "red"}, "skus": ["a", "b"]},
    }
    blocks = {"outer": "[{{content_blocks.${inner}}}]", "inner": "in {{${first_name}}}"}
    assert render({"x": [template, 7]}, names, blocks.get) == {"x": [text, 7]}
