"""Put the messages that a use case names as a file into its definition, which then stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from opportune.project.model import Body

__all__ = ["with_messages"]

FILE = "messages_file"
TEXT = "messages"
MOST_BYTES = 1_000_000


def with_messages(folder: Path, name: str, body: Body | None, problems: list[str]) -> Body | None:
    """Return ``body`` with the text of ``activation.messages_file`` as ``activation.messages``.

    The file is within ``folder``. What cannot be read becomes a line of ``problems``.
    """
    activation = None if body is None else body.get("activation")
    if body is None or not isinstance(activation, Mapping) or FILE not in activation:
        return body
    where = f"use_cases/{name}.toml: activation.{FILE}"
    rest = {key: value for key, value in activation.items() if key != FILE}
    said = activation[FILE]
    if TEXT in rest:
        problems.append(f"{where}: messages is given as well: take one of them.")
        return {**body, "activation": rest}
    text = _text(folder, said, where, problems)
    return {**body, "activation": {**rest, TEXT: text} if text else rest}


def _text(folder: Path, said: object, where: str, problems: list[str]) -> str:
    given = folder / said if isinstance(said, str) and said else folder
    file, inside = given.resolve(), folder.resolve()
    if not file.is_relative_to(inside) or file == inside:
        problems.append(f"{where}: {said!r} given, must be a file in the folder of the project.")
        return ""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problems.append(f"{where}: {said!r} cannot be read: {why}.")
        return ""
    if len(content) > MOST_BYTES or "\0" in text:
        problems.append(f"{where}: {said!r} has more than 1 MB, or the character U+0000.")
        return ""
    if not text.strip():
        problems.append(f"{where}: {said!r} is empty. Give a table such as [email].")
        return ""
    return text
