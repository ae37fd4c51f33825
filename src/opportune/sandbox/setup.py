"""What one would click together in the dashboard, as calls: ``/_sandbox/campaigns`` and so on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from opportune.sandbox.catalogue import Campaign, Canvas, Segment, Variation, new_id
from opportune.sandbox.control import guarded
from opportune.sandbox.exchange import decoded, json_answer
from opportune.sandbox.filters import parse_filter
from opportune.sandbox.model import Refused
from opportune.sandbox.rendering import reads_profile
from opportune.sandbox.workspace import Workspace

__all__ = ["setup_routes"]

T = TypeVar("T", Campaign, Canvas, Segment)


class _Tags(msgspec.Struct, frozen=True):
    tags: list[str]


_CAMPAIGN = msgspec.json.Decoder(Campaign)
_CANVAS = msgspec.json.Decoder(Canvas)
_SEGMENT = msgspec.json.Decoder(Segment)
_TAGS = msgspec.json.Decoder(_Tags)


def setup_routes(workspace: Workspace) -> list[Route]:
    """The routes that show and change the catalogue; a known id replaces what has it."""
    catalogue = workspace.catalogue

    async def campaigns(request: Request) -> Response:
        if request.method == "GET":
            return json_answer(200, {"campaigns": list(catalogue.campaigns.values())})
        given = decoded(await request.body(), _CAMPAIGN)
        if given.kind == "triggered" and not given.variations:
            raise Refused("a triggered campaign needs variations")
        _check_variations(given.variations)
        _check_segment(given.segment_id, workspace)
        return _kept(given, catalogue.campaigns, workspace)

    async def canvases(request: Request) -> Response:
        if request.method == "GET":
            return json_answer(200, {"canvases": list(catalogue.canvases.values())})
        given = decoded(await request.body(), _CANVAS)
        _check_canvas(given)
        _check_segment(given.segment_id, workspace)
        return _kept(given, catalogue.canvases, workspace)

    async def segments(request: Request) -> Response:
        if request.method == "GET":
            return json_answer(200, {"segments": list(catalogue.segments.values())})
        given = decoded(await request.body(), _SEGMENT)
        if given.filter is not None:
            parse_filter(given.filter, "filter")
        return _kept(given, catalogue.segments, workspace)

    async def tags(request: Request) -> Response:
        if request.method == "POST":
            catalogue.tags.update(decoded(await request.body(), _TAGS).tags)
        return json_answer(200, {"tags": sorted(catalogue.tags)})

    routes = {"campaigns": campaigns, "canvases": canvases, "segments": segments, "tags": tags}
    return [
        Route(f"/_sandbox/{name}", guarded(run), methods=["GET", "POST"])
        for name, run in routes.items()
    ]


def _kept(given: T, known: dict[str, T], workspace: Workspace) -> Response:
    """Keep what was given, under its id or a new one, with the times it was made and changed."""
    before = known.get(given.id)
    kept = msgspec.structs.replace(
        given,
        id=given.id or new_id(),
        created_at=before.created_at if before else workspace.now,
        updated_at=workspace.now,
    )
    known[kept.id] = kept
    workspace.catalogue.tags.update(kept.tags)
    return json_answer(200, kept)


def _check_variations(variations: Sequence[Variation]) -> None:
    """Ids are used once, and every text is Liquid."""
    if len({one.id for one in variations}) < len(variations):
        raise Refused("every variation needs an id of its own")
    for one in variations:
        reads_profile(one.content)


def _check_canvas(canvas: Canvas) -> None:
    known = {step.id for step in canvas.steps}
    named = {after for step in canvas.steps for after in step.next_step_ids}
    named |= {first for variant in canvas.variants for first in variant.first_step_ids}
    if not canvas.variants or named - known:
        raise Refused(
            f"a canvas needs variants, and steps for {sorted(named - known)[:5]}; it has the "
            f"steps {sorted(known)[:20]}"
        )
    for step in canvas.steps:
        if not step.variations:
            raise Refused(f"the step {step.id!r} needs variations")
        _check_variations(step.variations)


def _check_segment(segment_id: str, workspace: Workspace) -> None:
    if segment_id and segment_id not in workspace.catalogue.segments:
        raise Refused(f"there is no segment {segment_id!r}")
