"""A segment of Braze whose customers are brought in: which, and what is taken of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from opportune.activation.braze.users import AGREED_FIELDS, PersonalField, check_fields
from opportune.activation.connectors.braze import check_config
from opportune.documents import Document
from opportune.errors import NotFound, nearest

__all__ = ["BrazeSegment", "UnknownBrazeSegment", "named_segment", "parse_braze_segment"]

USER_ID = "external_id"
# What stands in a trait as it is: neither lists of what was done nor of what was received.
TRAITS = tuple(
    each
    for each in AGREED_FIELDS
    if each
    not in (USER_ID, "custom_events", "purchases", "campaigns_received", "canvases_received")
)
ATTRIBUTE = re.compile(r"[^.\0]{1,255}")
# What Braze takes in one export.
MOST_ATTRIBUTES = 500
# What a message of history may have.
MOST_TRAITS = 300


class UnknownBrazeSegment(NotFound):
    """No segment of Braze is defined under this name."""

    code = "unknown_braze_segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrazeSegment:
    """Whom to bring in.

    Parameters
    ----------
    base_url:
        REST host of the workspace.
    segment_id:
        API identifier of the segment.
    fields:
        Fields of Braze's that become traits of the same name, of ``TRAITS``.
    custom_attributes:
        Single custom attributes that become traits of the same name.
    """

    name: str
    base_url: str
    segment_id: str
    fields: tuple[str, ...]
    custom_attributes: tuple[str, ...]

    @property
    def membership(self) -> str:
        """The trait that is true for who is in the segment and false for who left it."""
        return f"braze_{self.name}"

    @property
    def source_id(self) -> str:
        """The source that what is brought in comes from."""
        return "braze"


def named_segment(defined: Mapping[str, BrazeSegment], name: str) -> BrazeSegment:
    """Return one of ``defined``, or raise ``UnknownBrazeSegment`` with the nearest name."""
    if name not in defined:
        raise UnknownBrazeSegment(
            f"No segment of Braze '{name}' is defined. {nearest(name, defined)} Write "
            f"braze_segments/{name}.toml and apply it."
        )
    return defined[name]


def parse_braze_segment(
    name: str, body: Mapping[str, object], problems: list[str]
) -> BrazeSegment | None:
    """Read a definition, noting every mistake; None when there was one.

    >>> problems = []
    >>> body = {"base_url": "https://rest.fra-01.braze.eu", "fields": ["time_zone"],
    ...         "segment_id": "2b1f6f0c-9c0b-4a2e-8f49-1b6f7f1f9a01"}
    >>> parse_braze_segment("fibre", body, problems).membership, problems
    ('braze_fibre', [])
    """
    before = len(problems)
    document = Document(body, f"braze_segments/{name}.toml", problems)
    found = BrazeSegment(
        name=name,
        base_url=document.text("base_url"),
        segment_id=document.text("segment_id"),
        fields=document.texts("fields", ()),
        custom_attributes=document.texts("custom_attributes", ()),
    )
    document.close()
    if len(problems) == before:
        _check_ids(document, found)
        _check_fields(document, found)
        _check_attributes(document, found)
    return found if len(problems) == before else None


def _check_ids(document: Document, found: BrazeSegment) -> None:
    # A segment's id looks as a campaign's does.
    given = {"base_url": found.base_url, "campaign_id": found.segment_id}
    for problem in check_config(given):
        key = "segment_id" if problem.startswith("campaign_id") else "base_url"
        document.wrong(key, problem.replace("campaign", "segment"))


def _check_fields(document: Document, found: BrazeSegment) -> None:
    for each in found.fields:
        try:
            check_fields([each])
        except PersonalField as refused:
            document.wrong("fields", refused.message)
            continue
        if each not in TRAITS:
            document.wrong("fields", f"'{each}' is no trait. {nearest(each, TRAITS)}")
    for each in _twice((*found.fields, *found.custom_attributes)):
        document.wrong("fields", f"'{each}' stands there twice, names must differ.")


def _check_attributes(document: Document, found: BrazeSegment) -> None:
    for each in found.custom_attributes:
        if not ATTRIBUTE.fullmatch(each):
            document.wrong("custom_attributes", f"{each!r} given, must be a name without dots.")
    most = min(MOST_ATTRIBUTES, MOST_TRAITS - 1 - len(found.fields))
    if len(found.custom_attributes) > most:
        given = len(found.custom_attributes)
        document.wrong("custom_attributes", f"{given} given, at most {most} allowed.")


def _twice(names: tuple[str, ...]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
