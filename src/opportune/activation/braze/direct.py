"""Check messages of ours against what a use case chooses, and show them, without asking Braze."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from liquid.exceptions import LiquidError

from opportune.activation.braze.creative import LIQUID, plain
from opportune.activation.braze.messages import ShownMessage, show
from opportune.activation.braze.model import Content
from opportune.activation.connectors.braze import check_config
from opportune.activation.connectors.braze_direct import CHANNEL, filled, messages_of, texts_of
from opportune.activation.connectors.braze_ways import MESSAGES, PLACEHOLDER

__all__ = ["check_direct", "is_direct", "show_direct"]

DECISION = "decision_id"
TEXTS = ("subject", "preheader", "body", "title", "alert")
# Tags that Braze knows and plain Liquid does not.
BRAZE_TAGS = re.compile(
    r"\{%-?\s*(?:abort_message|connected_content|catalog_items|catalog_selection_items|"
    r"message_extras|promotion)\b.*?%\}",
    re.DOTALL,
)


def is_direct(config: Mapping[str, str]) -> bool:
    """Whether a use case's settings have the messages themselves."""
    return bool(config.get(MESSAGES))


def check_direct(
    config: Mapping[str, str],
    dimensions: Mapping[str, Sequence[str]],
    others: Iterable[str],
    values: Iterable[object],
) -> list[str]:
    """List what is wrong with the messages of ``config`` for what a use case chooses.

    ``dimensions`` maps those of choice to the options that send, ``others`` are names that texts
    may show and need not, ``values`` what options bring. Nothing is said of settings that are wrong
    whatever is chosen: the connector's ``check_config`` does.
    """
    if not is_direct(config) or check_config(config):
        return []
    messages = messages_of(config)
    texts = [text for message in messages.values() for text in texts_of(message)]
    shown = {name for text in texts for name in PLACEHOLDER.findall(text)}
    problems = _placeholders(shown, set(dimensions) - {CHANNEL}, {*dimensions, *others})
    problems += [
        f"there is no message [{option}], which the dimension 'channel' chooses."
        for option in dimensions.get(CHANNEL, ())
        if option not in messages
    ]
    problems += [
        f"the text {value!r} of an option cannot stand in Liquid: leave out braces, or one kind of "
        "quotes."
        for value in values
        if isinstance(value, str) and ({"{", "}"} & set(value) or {"'", '"'} <= set(value))
    ]
    first = {name: options[0] for name, options in dimensions.items() if options}
    for text in texts_of(filled(messages, {**first, CHANNEL: None})):
        try:
            LIQUID.from_string(plain(BRAZE_TAGS.sub("", text)))
        except LiquidError as error:
            problems.append(f"this is no Liquid: {error}")
    return [f"messages: {problem}" for problem in problems]


def _placeholders(shown: set[str], needed: set[str], known: set[str]) -> list[str]:
    problems = [
        f"no text shows the dimension '{name}'. Write {{{{api_trigger_properties.${{{name}}}}}}}."
        for name in sorted(needed - shown)
    ]
    problems += [
        "a text shows 'decision_id', but all users of a call get the same text. Leave it out: "
        "engagement names the call."
        if name == DECISION
        else f"a text shows '{name}', which is no dimension and no option's parameter."
        for name in sorted(shown - known)
    ]
    return problems


def show_direct(
    config: Mapping[str, str], properties: Mapping[str, object]
) -> tuple[ShownMessage, ...]:
    """Fill the messages that go out for ``properties``; facts of a customer stay empty."""
    found = [
        Content(
            channel=channel,
            **{name: text for name in TEXTS if isinstance(text := message.get(name), str)},
        )
        for channel, message in filled(messages_of(config), properties).items()
        if isinstance(message, Mapping)
    ]
    return tuple(show(found, properties))
