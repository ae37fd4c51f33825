"""Email templates and content blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from starlette.responses import Response

from opportune.sandbox.asked import flag_asked, slice_of, time_asked
from opportune.sandbox.catalogue import Block, Catalogue, Template, new_id
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.model import Refused, braze_time
from opportune.sandbox.rendering import included_blocks, reads_profile

__all__ = [
    "block_create",
    "block_info",
    "block_update",
    "blocks_list",
    "template_create",
    "template_info",
    "template_update",
    "templates_list",
]

MAX_BODY_BYTES = 409_600
MAX_CONTENT_BYTES = 51_200
MAX_LISTED = 1000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,99}")


class _Template(msgspec.Struct, frozen=True):
    email_template_id: str | None = None
    template_name: str | None = None
    subject: str | None = None
    body: str | None = None
    plaintext_body: str | None = None
    preheader: str | None = None
    tags: object = None
    should_inline_css: object = None


class _Block(msgspec.Struct, frozen=True):
    content_block_id: str | None = None
    name: str | None = None
    content: str | None = None
    description: str | None = None
    state: str | None = None
    tags: object = None


_TEMPLATE = msgspec.json.Decoder(_Template)
_BLOCK = msgspec.json.Decoder(_Block)


async def template_create(exchange: Exchange) -> Response:
    """Create an email template."""
    exchange.draw("default")
    sent, catalogue = decoded(exchange.body, _TEMPLATE), exchange.workspace.catalogue
    if not sent.template_name:
        raise Refused("Template name is required")
    if sent.subject is None or sent.body is None:
        raise Refused("subject and body are required")
    changes = _template_changes(sent, catalogue)
    now = exchange.workspace.now
    made = Template(**{"id": new_id(), "created_at": now, "updated_at": now, **changes})
    catalogue.templates[made.id] = made
    return answer(201, "success", {"email_template_id": made.id})


async def template_update(exchange: Exchange) -> Response:
    """Change an email template; at least one field besides its id."""
    exchange.draw("default")
    sent, catalogue = decoded(exchange.body, _TEMPLATE), exchange.workspace.catalogue
    known = catalogue.templates.get(sent.email_template_id or "")
    if known is None:
        raise Refused("email_template_id is not the id of a template")
    if sent.template_name == "":
        raise Refused("Template name is required")
    changes = _template_changes(sent, catalogue)
    if not changes:
        raise Refused("at least one field besides email_template_id is required")
    changes["updated_at"] = exchange.workspace.now
    catalogue.templates[known.id] = msgspec.structs.replace(known, **changes)
    return answer(201, "success", {"email_template_id": known.id})


async def template_info(exchange: Exchange) -> Response:
    """One template with its content."""
    exchange.draw("default")
    asked = exchange.request.query_params.get("email_template_id", "")
    found = exchange.workspace.catalogue.templates.get(asked)
    if found is None:
        raise Refused("email_template_id is not the id of a template")
    return answer(
        200,
        "success",
        {
            **_template_row(found),
            "description": found.description,
            "subject": found.subject,
            "preheader": found.preheader,
            "body": found.body,
            "plaintext_body": found.plaintext_body,
            "should_inline_css": found.should_inline_css,
        },
    )


async def templates_list(exchange: Exchange) -> Response:
    """Templates by limit and offset."""
    exchange.draw("default")
    rows = _listed(exchange, exchange.workspace.catalogue.templates.values(), _template_row)
    return answer(200, "success", {"count": len(rows), "templates": rows})


async def block_create(exchange: Exchange) -> Response:
    """Create a content block."""
    exchange.draw("default")
    sent, catalogue = decoded(exchange.body, _BLOCK), exchange.workspace.catalogue
    if sent.name is None or sent.content is None:
        raise Refused("name and content are required")
    changes = _block_changes(sent, catalogue)
    now = exchange.workspace.now
    made = Block(**{"id": new_id(), "created_at": now, "updated_at": now, **changes})
    catalogue.blocks[made.id] = made
    return _written(made)


async def block_update(exchange: Exchange) -> Response:
    """Change a content block; an active block keeps its name and cannot become a draft."""
    exchange.draw("default")
    sent, catalogue = decoded(exchange.body, _BLOCK), exchange.workspace.catalogue
    known = catalogue.blocks.get(sent.content_block_id or "")
    if known is None:
        raise Refused("content_block_id is not the id of a content block")
    if known.state == "active" and sent.name not in (None, known.name):
        raise Refused("The name of an active content block cannot be changed")
    if known.state == "active" and sent.state == "draft":
        raise Refused("An active content block cannot become a draft")
    changes = _block_changes(sent, catalogue, known)
    if not changes:
        raise Refused("at least one field besides content_block_id is required")
    changes["updated_at"] = exchange.workspace.now
    catalogue.blocks[known.id] = msgspec.structs.replace(known, **changes)
    return _written(catalogue.blocks[known.id])


async def block_info(exchange: Exchange) -> Response:
    """One content block, on request with the templates that include it."""
    exchange.draw("default")
    query = exchange.request.query_params
    with_data = flag_asked(query, "include_inclusion_data")
    catalogue = exchange.workspace.catalogue
    found = catalogue.blocks.get(query.get("content_block_id", ""))
    if found is None:
        raise Refused("content_block_id is not the id of a content block")
    shown = {
        **_block_row(found, catalogue),
        "content": found.content,
        "description": found.description,
    }
    del shown["liquid_tag"]
    if with_data:
        shown["inclusion_data"] = [
            {"email_template_id": one.id, "template_name": one.name}
            for one in _including(found, catalogue)
        ]
    return answer(200, "success", shown)


async def blocks_list(exchange: Exchange) -> Response:
    """Content blocks by limit and offset."""
    exchange.draw("default")
    catalogue = exchange.workspace.catalogue
    rows = _listed(exchange, catalogue.blocks.values(), lambda one: _block_row(one, catalogue))
    return answer(200, "success", {"count": len(rows), "content_blocks": rows})


def _template_changes(sent: _Template, catalogue: Catalogue) -> dict[str, Any]:
    """The fields that the call gives, checked."""
    if len((sent.body or "").encode()) > MAX_BODY_BYTES:
        raise Refused("body exceeds the maximum size of 400 KB")
    if not isinstance(sent.should_inline_css, bool | None):
        raise Refused("should_inline_css must be true or false")
    names = ("subject", "body", "plaintext_body", "preheader", "should_inline_css")
    changes = {name: getattr(sent, name) for name in names if getattr(sent, name) is not None}
    if sent.template_name is not None:
        changes["name"] = sent.template_name
    if sent.tags is not None:
        changes["tags"] = _tags(sent.tags, catalogue)
    for text in (sent.subject, sent.body, sent.plaintext_body, sent.preheader):
        if text is None:
            continue
        reads_profile(text)
        if any(catalogue.block(name) is None for name in included_blocks(text)):
            raise Refused("Email must have valid Content Block names")
    return changes


def _block_changes(
    sent: _Block, catalogue: Catalogue, known: Block | None = None
) -> dict[str, Any]:
    if sent.name is not None:
        if not _NAME.fullmatch(sent.name):
            raise Refused("name must have 1 to 99 of the characters A-Z a-z 0-9 _ -")
        if catalogue.block(sent.name) not in (None, known):
            raise Refused("Content Block name already exists")
    if sent.content is not None and not 0 < len(sent.content.encode()) < MAX_CONTENT_BYTES:
        raise Refused("content must have less than 50 KB, and not be empty")
    if len(sent.description or "") >= 250:
        raise Refused("description must have less than 250 characters")
    if sent.state not in (None, "active", "draft"):
        raise Refused("state must be active or draft")
    if sent.content is not None:
        reads_profile(sent.content)
    names = ("name", "content", "description", "state")
    changes = {name: getattr(sent, name) for name in names if getattr(sent, name) is not None}
    if sent.tags is not None:
        changes["tags"] = _tags(sent.tags, catalogue)
    return changes


def _tags(tags: object, catalogue: Catalogue) -> list[str]:
    if not isinstance(tags, list):
        raise Refused("Tags must be an array")
    if not all(isinstance(tag, str) for tag in tags):
        raise Refused("All tags must be strings")
    if not set(tags) <= catalogue.tags:
        raise Refused("Some tags could not be found")
    return list(tags)


def _listed(
    exchange: Exchange,
    every: Iterable[Any],
    row: Callable[[Any], dict[str, object]],
) -> list[dict[str, object]]:
    query = exchange.request.query_params
    after, before = time_asked(query, "modified_after"), time_asked(query, "modified_before")
    kept = [
        one
        for one in every
        if (after is None or one.updated_at > after) and (before is None or one.updated_at < before)
    ]
    return [row(one) for one in slice_of(query, kept, most=MAX_LISTED)]


def _template_row(one: Template) -> dict[str, object]:
    return {
        "email_template_id": one.id,
        "template_name": one.name,
        "created_at": braze_time(one.created_at),
        "updated_at": braze_time(one.updated_at),
        "tags": one.tags,
    }


def _block_row(one: Block, catalogue: Catalogue) -> dict[str, object]:
    return {
        "content_block_id": one.id,
        "name": one.name,
        "content_type": "html" if "<" in one.content else "text",
        "liquid_tag": _liquid_tag(one),
        "inclusion_count": len(_including(one, catalogue)),
        "created_at": braze_time(one.created_at),
        "last_edited": braze_time(one.updated_at),
        "tags": one.tags,
    }


def _written(one: Block) -> Response:
    stamps = {
        "created_at": braze_time(one.created_at),
        "updated_at": braze_time(one.updated_at),
    }
    return answer(
        201, "success", {"content_block_id": one.id, "liquid_tag": _liquid_tag(one), **stamps}
    )


def _liquid_tag(one: Block) -> str:
    return f"{{{{content_blocks.${{{one.name}}}}}}}"


def _including(block: Block, catalogue: Catalogue) -> list[Template]:
    return [
        one
        for one in catalogue.templates.values()
        if any(block.name in included_blocks(text) for text in (one.subject, one.body))
    ]
