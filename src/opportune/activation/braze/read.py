"""Read what somebody set up in Braze: segments, campaigns, canvases, email templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from opportune.activation.braze.ask import BrazeRefused, Workspace
from opportune.activation.braze.model import (
    Campaign,
    Canvas,
    Listed,
    ListedTemplate,
    Segment,
    SegmentSize,
    Template,
)
from opportune.errors import NotFound

__all__ = [
    "NotInBraze",
    "campaign",
    "campaigns",
    "canvas",
    "canvases",
    "segment",
    "segment_sizes",
    "segments",
    "template",
    "templates",
]

T = TypeVar("T")

PAGE = 100
TEMPLATE_PAGE = 1_000
# No workspace has so many; a list without an end must not be read for ever.
MOST_PAGES = 200


class NotInBraze(NotFound):
    """Braze knows nothing under this id."""

    code = "not_in_braze"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Campaigns:
    campaigns: tuple[Listed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Canvases:
    canvases: tuple[Listed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segments:
    segments: tuple[Listed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    data: tuple[SegmentSize, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Templates:
    templates: tuple[ListedTemplate, ...]


def campaigns(workspace: Workspace) -> list[Listed]:
    """List the campaigns that are not archived, the oldest first. Raises as ``Workspace.get``."""
    return _every(lambda page: workspace.get("/campaigns/list", page, _Campaigns).campaigns)


def campaign(workspace: Workspace, campaign_id: str) -> Campaign:
    """Read one campaign. Raises ``NotInBraze``, or as ``Workspace.get``."""
    return _named(workspace, "campaign", campaign_id, Campaign)


def canvases(workspace: Workspace) -> list[Listed]:
    """List the canvases that are not archived, the oldest first. Raises as ``Workspace.get``."""
    return _every(lambda page: workspace.get("/canvas/list", page, _Canvases).canvases)


def canvas(workspace: Workspace, canvas_id: str) -> Canvas:
    """Read one canvas. Raises ``NotInBraze``, or as ``Workspace.get``."""
    return _named(workspace, "canvas", canvas_id, Canvas)


def segments(workspace: Workspace) -> list[Listed]:
    """List the segments, the oldest first. Raises as ``Workspace.get``."""
    return _every(lambda page: workspace.get("/segments/list", page, _Segments).segments)


def segment(workspace: Workspace, segment_id: str) -> Segment:
    """Read one segment. Raises ``NotInBraze``, or as ``Workspace.get``."""
    return _named(workspace, "segment", segment_id, Segment)


def segment_sizes(workspace: Workspace, segment_id: str, *, days: int) -> tuple[SegmentSize, ...]:
    """Read the estimated size of a segment on each of the last ``days`` (1 to 100)."""
    return _sought(
        workspace,
        _Sizes,
        what="segment",
        given=segment_id,
        path="/segments/data_series",
        query={"segment_id": segment_id, "length": days},
    ).data


def templates(workspace: Workspace) -> list[ListedTemplate]:
    """List the email templates but those made by drag and drop. Raises as ``Workspace.get``."""
    found: list[ListedTemplate] = []
    for _ in range(MOST_PAGES):
        query = {"limit": TEMPLATE_PAGE, "offset": len(found)}
        rows = workspace.get("/templates/email/list", query, _Templates).templates
        found += rows
        if len(rows) < TEMPLATE_PAGE:
            break
    return found


def template(workspace: Workspace, template_id: str) -> Template:
    """Read one email template. Raises ``NotInBraze``, or as ``Workspace.get``."""
    return _sought(
        workspace,
        Template,
        what="email template",
        given=template_id,
        path="/templates/email/info",
        query={"email_template_id": template_id},
    )


def _every(read: Callable[[Mapping[str, int]], tuple[Listed, ...]]) -> list[Listed]:
    found: list[Listed] = []
    for page in range(MOST_PAGES):
        rows = read({"page": page})
        found += rows
        if len(rows) < PAGE:
            break
    return found


def _named(workspace: Workspace, what: str, given: str, shape: type[T]) -> T:
    folder = "canvas" if what == "canvas" else f"{what}s"
    return _sought(
        workspace,
        shape,
        what=what,
        given=given,
        path=f"/{folder}/details",
        query={f"{what}_id": given},
    )


def _sought(
    workspace: Workspace,
    shape: type[T],
    *,
    what: str,
    given: str,
    path: str,
    query: Mapping[str, str | int],
) -> T:
    """Ask for one thing; Braze answers 400 where it has none of this id."""
    try:
        return workspace.get(path, query, shape)
    except BrazeRefused as refused:
        raise NotInBraze(
            f"This workspace of Braze has no {what} '{given}'. Copy its API identifier from the "
            "dashboard, and check that base_url and key are of the same workspace. "
            f"{refused.message}"
        ) from refused
