"""Make a template of ours from an existing one: a placeholder where each dimension is to show.

The original is read and never changed. What stood in its place stays as the default, so that a
message without a choice looks as the original does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from liquid import Environment, Mode
from liquid.exceptions import LiquidError

from opportune.activation.braze.ask import Workspace
from opportune.activation.braze.model import Template
from opportune.activation.braze.read import campaigns, canvases, templates
from opportune.activation.braze.write import TemplateDraft
from opportune.activation.connectors.braze_ways import PLACEHOLDER
from opportune.errors import InvalidInput

__all__ = [
    "LIQUID",
    "ROOTS",
    "BadCreative",
    "Choosable",
    "check_draft",
    "choosable",
    "draft_from",
    "plain",
    "preview",
]

ROOTS = {"campaign": "api_trigger_properties", "canvas": "context"}
NAME = re.compile(r"\w+")
BRAZE_NAME = re.compile(r"(\.)?\$\{\s*([^{}]*?)\s*\}")
LIQUID = Environment(tolerance=Mode.STRICT)


class BadCreative(InvalidInput):
    """A template cannot be made so: a text is not in the original, or this is no Liquid."""

    code = "bad_creative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosable:
    """Content that there is in Braze and that can be an option. ``kind``: what it is there."""

    kind: str
    id: str
    name: str


def choosable(workspace: Workspace) -> list[Choosable]:
    """List email templates, campaigns and canvases by name. Raises as ``Workspace.get``."""
    found = [
        Choosable(kind="template", id=each.email_template_id, name=each.template_name)
        for each in templates(workspace)
    ]
    for kind, listed in (("campaign", campaigns(workspace)), ("canvas", canvases(workspace))):
        found += (Choosable(kind=kind, id=each.id, name=each.name) for each in listed)
    return sorted(found, key=lambda each: (each.kind, each.name, each.id))


def draft_from(
    original: Template, *, title: str, places: Mapping[str, str], sent_by: str = "campaign"
) -> TemplateDraft:
    """Copy ``original``, with a placeholder of each dimension where its text stood.

    ``places`` maps dimensions to texts of the original; ``sent_by`` is "campaign" or "canvas",
    which name what is chosen differently. Raises ``BadCreative``.

    >>> letter = Template(email_template_id="1", template_name="t", subject="Save 20%", body="Hi")
    >>> draft_from(letter, title="Spring", places={"offer": "Save 20%"}).subject
    "{{api_trigger_properties.${offer} | default: 'Save 20%'}}"
    """
    parts = [original.subject or "", original.body or "", original.preheader or ""]
    placeholders = {}
    for dimension, text in places.items():
        _check_place(dimension, text, parts)
        name = f"{ROOTS[sent_by]}.${{{dimension}}}"
        placeholders[text] = f"{{{{{name} | default: '{text}'}}}}"
    if placeholders:
        # All at once, so that nothing is looked for within a placeholder; the longest text first.
        texts = "|".join(re.escape(text) for text in sorted(placeholders, key=len, reverse=True))
        parts = [re.sub(texts, lambda found: placeholders[found[0]], part) for part in parts]
    subject, body, preheader = parts
    return TemplateDraft(title=title, subject=subject, body=body, preheader=preheader)


def check_draft(draft: TemplateDraft, dimensions: Iterable[str]) -> tuple[str, ...]:
    """Say what is wrong: no Liquid, a dimension that nothing shows, or a name that is none."""
    wanted = set(dimensions)
    texts = (draft.subject, draft.body, draft.preheader)
    problems = []
    for text in texts:
        try:
            LIQUID.from_string(plain(text))
        except LiquidError as error:
            problems.append(f"This is no Liquid: {error}")
    shown = {name for text in texts for name in PLACEHOLDER.findall(text)}
    problems += [f"Nothing shows the dimension '{name}'." for name in sorted(wanted - shown)]
    problems += [f"'{name}' is no dimension." for name in sorted(shown - wanted - {"decision_id"})]
    return tuple(problems)


def preview(draft: TemplateDraft, chosen: Mapping[str, str]) -> TemplateDraft:
    """Show what somebody gets for whom ``chosen`` was chosen; facts of theirs stay empty.

    Raises ``BadCreative`` for what is no Liquid.
    """
    names: dict[str, object] = dict.fromkeys(ROOTS.values(), chosen)
    try:
        subject, body, preheader = (
            LIQUID.from_string(plain(text)).render(**names)
            for text in (draft.subject, draft.body, draft.preheader)
        )
    except LiquidError as error:
        raise BadCreative(f"The template cannot be shown: {error}") from error
    return TemplateDraft(title=draft.title, subject=subject, body=body, preheader=preheader)


def _check_place(dimension: str, text: str, parts: Iterable[str]) -> None:
    if not NAME.fullmatch(dimension):
        raise BadCreative(f"{dimension!r} cannot be a placeholder: letters, digits and _ only.")
    if not text or any(sign in text for sign in "'{}\n"):
        raise BadCreative(
            f"The text for '{dimension}' cannot be a default: give one without quotes, braces and "
            "line breaks."
        )
    if not any(text in part for part in parts):
        raise BadCreative(
            f"The original nowhere says {text!r}, which '{dimension}' was to replace. Copy it "
            "as it stands in its subject, body or preheader."
        )


def plain(text: str) -> str:
    """Write Braze's ``${name}`` as plain Liquid does."""
    return BRAZE_NAME.sub(
        lambda found: f'["{found[2]}"]' if found[1] else f'profile["{found[2]}"]', text
    )
