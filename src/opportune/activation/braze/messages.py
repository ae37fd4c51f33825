"""What a campaign or a canvas would say to somebody for whom a combination was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from liquid.exceptions import LiquidError

from opportune.activation.braze.ask import Workspace
from opportune.activation.braze.creative import LIQUID, ROOTS, plain
from opportune.activation.braze.model import Content
from opportune.activation.braze.read import campaign, canvas

__all__ = ["ShownMessage", "contents", "show"]

# "canvas_entry_properties" is how older templates of a canvas say "context".
NAMES = (*ROOTS.values(), "canvas_entry_properties")
TEXTS = ("subject", "preheader", "body", "title", "alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessage:
    """A message with its texts filled. ``problem``: why they stand there as they are in Braze."""

    content: Content
    problem: str = ""


def contents(workspace: Workspace, config: Mapping[str, str]) -> list[Content]:
    """Read the messages of a use case's campaign or canvas that say something.

    Raises ``NotInBraze``, or as ``Workspace.get``.
    """
    found: Iterable[Content]
    if config.get("canvas_id"):
        steps = canvas(workspace, config["canvas_id"]).steps
        found = [each for step in steps for each in step.messages.values()]
    else:
        found = campaign(workspace, config.get("campaign_id", "")).messages.values()
    return [each for each in found if each.texts and not each.is_control]


def show(found: Sequence[Content], properties: Mapping[str, object]) -> list[ShownMessage]:
    """Fill each message with ``properties``; facts of a customer stay empty.

    What our Liquid does not read (Braze knows tags of its own) is shown as it stands in Braze.

    >>> letter = Content(channel="email", subject="Take {{api_trigger_properties.${offer}}}")
    >>> show([letter], {"offer": "fibre"})[0].content.subject
    'Take fibre'
    """
    return [_shown(each, properties) for each in found]


def _shown(content: Content, properties: Mapping[str, object]) -> ShownMessage:
    names: dict[str, object] = dict.fromkeys(NAMES, properties)
    texts = {name: getattr(content, name) for name in TEXTS}
    try:
        filled = {
            name: LIQUID.from_string(plain(text)).render(**names) if text else text
            for name, text in texts.items()
        }
    except LiquidError as error:
        return ShownMessage(content=content, problem=f"This cannot be filled here: {error}")
    return ShownMessage(content=replace(content, **filled))
