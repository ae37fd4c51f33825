"""Messages of ours: content that a call of Braze carries itself, the same for all of its users.

A use case has them as a TOML document: a table for each channel, as Braze's message object of that
name, whose texts are Liquid with a placeholder where what was chosen is to show, written as in the
templates of a campaign. Each placeholder is written as the text that it stands for; all other
Liquid is left to Braze, so that names and traits never come here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from opportune.activation.connectors.braze_ways import DIRECT, MESSAGES, PLACEHOLDER
from opportune.activation.model import Send
from opportune.errors import nearest

__all__ = [
    "CHANNEL",
    "by_content",
    "check_messages",
    "filled",
    "held_content",
    "messages_of",
    "texts_of",
]

CHANNEL = "channel"
"""The dimension by which one of several messages is chosen; without it, all of them are sent."""

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "email": ("app_id", "from"),
    "sms": ("app_id", "subscription_group_id", "body"),
    "webhook": ("url", "request_method"),
    **dict.fromkeys(
        ("apple_push", "android_push", "web_push", "kindle_push", "content_card", "whats_app"), ()
    ),
}
_STATE = "recipient_subscription_state"
_STATES = ("opted_in", "subscribed", "all")
_UNCAPPED = "override_frequency_capping"
_VARIATION = "message_variation_id"
# What a text within Liquid cannot hold: it would end the markup.
_ENDS_MARKUP = re.compile(r"[{}]")

Content = Mapping[str, object]


@lru_cache(maxsize=64)
def _read(text: str) -> Mapping[str, object]:
    return tomllib.loads(text)


def messages_of(config: Mapping[str, str]) -> dict[str, Mapping[str, object]]:
    """Return the message objects of a use case by channel, unfilled.

    >>> messages_of({"messages": "[web_push]\\nalert = 'Hello'"})
    {'web_push': {'alert': 'Hello'}}
    """
    found = _read(config[MESSAGES])
    return {name: each for name, each in found.items() if isinstance(each, Mapping)}


def check_messages(config: Mapping[str, str]) -> list[str]:
    """List what is wrong with the messages of a use case, whatever its dimensions are."""
    try:
        found = _read(config[MESSAGES])
    except ValueError as error:
        return [f"messages: not valid TOML: {error}"]
    problems = []
    for name, value in found.items():
        if isinstance(value, Mapping):
            problems += _check_message(name, value, has_campaign=bool(config.get(DIRECT.setting)))
        elif name == _STATE:
            if value not in _STATES:
                problems.append(f"{name}: {value!r} given, must be one of {', '.join(_STATES)}.")
        elif name == _UNCAPPED:
            if not isinstance(value, bool):
                problems.append(f"{name}: {value!r} given, must be true or false.")
        else:
            allowed = (_STATE, _UNCAPPED, *_REQUIRED)
            problems.append(f"{name}: unknown key. {nearest(name, allowed)}")
    if not any(isinstance(value, Mapping) for value in found.values()):
        problems.append("there is no message. Give a table such as [email].")
    return [f"messages: {problem}" for problem in problems]


def _check_message(name: str, message: Content, *, has_campaign: bool) -> list[str]:
    if name not in _REQUIRED:
        return [f"{name}: Braze has no such message. {nearest(name, _REQUIRED)}"]
    problems = [
        f"{name}.{key}: missing; Braze needs it as a text."
        for key in _REQUIRED[name]
        if not isinstance(message.get(key), str) or not message[key]
    ]
    if name == "email" and not message.get("body") and not message.get("email_template_id"):
        problems.append("email.body: missing; or give email_template_id.")
    if has_campaign and not isinstance(message.get(_VARIATION), str):
        problems.append(
            f"{name}.{_VARIATION}: missing. With campaign_id, each message names the variation of "
            "the campaign that counts it."
        )
    return problems


def texts_of(value: object) -> Iterable[str]:
    """Return every text within a message, in its order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)


def held_content(content: Content) -> Content:
    """Return ``content`` as a call that schedules has it, where the switch of caps is named anew.

    >>> held_content({"messages": {}, "override_frequency_capping": True})
    {'messages': {}, 'override_messaging_limits': True}
    """
    names = {_UNCAPPED: "override_messaging_limits"}
    return {names.get(name, name): value for name, value in content.items()}


def by_content(
    sends: Sequence[Send], config: Mapping[str, str]
) -> list[tuple[Content, list[Send]]]:
    """Group ``sends`` by what they say, in the order of their first; whose content is which."""
    groups: dict[tuple[tuple[str, object], ...], list[Send]] = {}
    for send in sends:
        groups.setdefault(tuple(sorted(send.properties.items())), []).append(send)
    same: dict[bytes, tuple[Content, list[Send]]] = {}
    for properties, group in groups.items():
        content = _content(config, dict(properties))
        same.setdefault(msgspec.json.encode(content), (content, []))[1].extend(group)
    return list(same.values())


def _content(config: Mapping[str, str], properties: Mapping[str, object]) -> Content:
    found = _read(config[MESSAGES])
    said = {name: found[name] for name in (_STATE, _UNCAPPED) if name in found}
    return {**said, MESSAGES: filled(messages_of(config), properties)}


def filled(
    messages: Mapping[str, Mapping[str, object]], properties: Mapping[str, object]
) -> dict[str, object]:
    """Write what ``properties`` say into the messages of the chosen channel, or of all channels.

    >>> message = {"alert": "{{api_trigger_properties.${offer} | upcase}}, {{${first_name}}}!"}
    >>> filled({"web_push": message}, {"offer": "tv"})
    {'web_push': {'alert': "{{'tv' | upcase}}, {{${first_name}}}!"}}
    """
    channel = properties.get(CHANNEL)
    chosen = {name: each for name, each in messages.items() if name == channel} or messages
    return {name: _filled(each, properties) for name, each in chosen.items()}


def _filled(value: object, properties: Mapping[str, object]) -> object:
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: _literal(properties.get(found[1])), value)
    if isinstance(value, Mapping):
        return {name: _filled(each, properties) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, properties) for each in value]
    return value


def _literal(value: object) -> str:
    """Write a value as Liquid does; a text that it cannot hold is refused with the definition.

    >>> [_literal(each) for each in ("tv", "Joe's", 5, True, None)]
    ["'tv'", '"Joe\\'s"', '5', 'true', 'nil']
    """
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    text = _ENDS_MARKUP.sub(" ", str(value))
    if isinstance(value, int | float) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return text
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace('"', "'") + '"'
