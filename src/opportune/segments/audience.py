"""Audiences: segments in minus segments out, of those who allow what they are for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from opportune.documents import Document
from opportune.errors import nearest
from opportune.segments.model import Segment
from opportune.storage import State, load_sql

__all__ = ["EVERY_CHANNEL", "Audience", "audience_sizes", "parse_audiences"]

ROOM = "opportune.segments"
EVERY_CHANNEL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whoever is in one of ``segments`` and in none of ``minus``.

    Parameters
    ----------
    labels:
        What policies of fields may forbid to destinations, as they forbid labels of fields.
    purpose:
        What a member must allow before a destination is told of it; None: what the rules of
        consent ask for every send.
    channel:
        The channel that the consent is asked for; ``EVERY_CHANNEL``: what was said of all of them.
    """

    name: str
    title: str
    segments: tuple[str, ...]
    minus: tuple[str, ...]
    labels: tuple[str, ...]
    purpose: str | None = None
    channel: str = EVERY_CHANNEL


def parse_audiences(
    bodies: Mapping[str, Mapping[str, object] | None],
    segments: Mapping[str, Segment | None],
    problems: list[str],
) -> dict[str, Audience]:
    """Read the tables of ``audiences/{name}.toml``; mistakes are added to ``problems``.

    None is one that cannot be read.
    """
    found = {}
    for name, body in bodies.items():
        if body is None:
            continue
        document = Document(body, f"audiences/{name}.toml", problems)
        found[name] = Audience(
            name=name,
            title=document.text("title", name),
            segments=document.texts("segments"),
            minus=document.texts("minus", ()),
            labels=document.texts("labels", ()),
            purpose=document.text("purpose", "") or None,
            channel=document.text("channel", EVERY_CHANNEL),
        )
        document.close()
        if not found[name].segments:
            document.wrong("segments", "[] given, must name one or more.")
        for key, parts in (("segments", found[name].segments), ("minus", found[name].minus)):
            for part in parts:
                if part not in segments:
                    document.wrong(key, f"no segment '{part}'. {nearest(part, segments)}")
    return found


def audience_sizes(state: State, audiences: Mapping[str, Audience]) -> dict[str, int]:
    """Return how many are in each audience now."""
    asked = [
        {"name": each.name, "segments": each.segments, "minus": each.minus}
        for each in audiences.values()
    ]
    rows = state.rows(load_sql(ROOM, "audience_sizes"), {"audiences": json.dumps(asked)})
    return {row["name"]: row["members"] for row in rows}
