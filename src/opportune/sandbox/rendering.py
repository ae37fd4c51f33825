"""Braze's Liquid: templates with ``${names}``, rendered for one user.

Braze writes names as ``${name}``: ``{{${first_name}}}`` is a profile field,
``{{custom_attribute.${tier}}}``, ``{{api_trigger_properties.${offer}.${code}}}`` and
``{{context.${name}}}`` look into what they say, and ``{{content_blocks.${name}}}`` includes a
block. Here they become plain Liquid, which python-liquid renders. What is missing renders empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TextIO

from liquid import BoundTemplate, Environment, Mode, RenderContext
from liquid.ast import Node
from liquid.exceptions import LiquidError
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG, Token

from opportune.sandbox.model import Refused

__all__ = ["Aborted", "BadTemplate", "Names", "included_blocks", "reads_profile", "render"]

MAX_NESTED_BLOCKS = 5
PROFILE = "profile_field"
_OF_THE_CALL = frozenset(
    ("api_trigger_properties", "context", "canvas_entry_properties", "campaign", "canvas")
)
_MARKUP = re.compile(r"\{\{(?:\$\{[^{}]*\}|(?!\}\}).)*\}\}|\{%(?:(?!%\}).)*%\}", re.DOTALL)
_NAME = re.compile(r"(\.)?\$\{([^{}]*)\}")
_BLOCK = re.compile(r"\{\{\s*content_blocks\.\$\{([^{}]*)\}\s*(?:\|[^}]*)?\}\}")

Names = Mapping[str, object]


class Aborted(Exception):
    """The template says that this user gets no message."""


class BadTemplate(Refused):
    """A template is no Liquid."""

    code = "bad_template"


class _AbortNode(Node):
    def __init__(self, token: Token, reason: str) -> None:
        super().__init__(token)
        self.reason = reason
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        raise Aborted(self.reason)


class _AbortTag(Tag):
    """``{% abort_message('reason') %}``."""

    name = "abort_message"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        said = ""
        if stream.current.kind == TOKEN_EXPRESSION:
            said = stream.current.value.strip().strip("()").strip().strip("'\"")
        return _AbortNode(token, said)


@dataclass(frozen=True, slots=True)
class _Compiled:
    template: BoundTemplate
    reads_profile: bool


def _environment() -> Environment:
    made = Environment(tolerance=Mode.STRICT, strict_filters=False)
    made.add_tag(_AbortTag)
    return made


_ENVIRONMENT = _environment()
Blocks = Callable[[str], str | None]


def render(value: object, names: Names, blocks: Blocks) -> object:
    """Every text within ``value`` (a text, a list or an object) with its names filled in.

    ``names`` maps ``profile_field``, ``custom_attribute``, ``api_trigger_properties`` and so on to
    what they hold; ``blocks`` gives the content of a block by its name.
    Raises ``Aborted``, or ``BadTemplate`` when a text is no Liquid.
    """
    if isinstance(value, str):
        if "{" not in value:
            return value
        try:
            return _compiled(_with_blocks(value, blocks)).template.render(**names)
        except LiquidError as error:
            raise BadTemplate(f"The template cannot be rendered: {error}") from error
    if isinstance(value, dict):
        return {key: render(item, names, blocks) for key, item in value.items()}
    if isinstance(value, list):
        return [render(item, names, blocks) for item in value]
    return value


def reads_profile(value: object) -> bool:
    """Whether a text within ``value`` depends on more than the call: the profile, a block, a tag.

    >>> reads_profile("{{api_trigger_properties.${offer}}}"), reads_profile("{{${first_name}}}")
    (False, True)
    """
    if isinstance(value, str):
        if "{" not in value:
            return False
        return bool(_BLOCK.search(value)) or _compiled(value).reads_profile
    items = list(value.values()) if isinstance(value, dict) else value
    found = [reads_profile(item) for item in items] if isinstance(items, list) else []
    return any(found)  # every text was looked at, so that a bad one is found


def included_blocks(text: str) -> set[str]:
    """Names of the content blocks that a template includes.

    >>> included_blocks("{{content_blocks.${hero} | id: 'cb1'}}")
    {'hero'}
    """
    return set(_BLOCK.findall(text))


@lru_cache(maxsize=1024)
def _compiled(text: str) -> _Compiled:
    plain = _MARKUP.sub(lambda markup: _NAME.sub(_plain_name, markup[0]), text)
    try:
        template = _ENVIRONMENT.from_string(plain)
        beyond = set(template.global_variables()) - _OF_THE_CALL
        return _Compiled(template, bool(beyond) or "abort_message" in template.tag_names())
    except LiquidError as error:
        raise BadTemplate(f"The template is not valid Liquid: {error}") from error


def _plain_name(match: re.Match[str]) -> str:
    looked_up = match[2].replace("\\", "\\\\").replace('"', '\\"')
    return f'["{looked_up}"]' if match[1] else f'{PROFILE}["{looked_up}"]'


def _with_blocks(text: str, blocks: Blocks, depth: int = 0) -> str:
    if depth == MAX_NESTED_BLOCKS or "content_blocks" not in text:
        return text
    return _BLOCK.sub(lambda tag: _with_blocks(blocks(tag[1]) or "", blocks, depth + 1), text)
