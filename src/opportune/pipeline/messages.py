"""Look at what any combination of a use case would say, and send it to somebody who tries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import pyarrow as pa

from opportune.activation import properties_of
from opportune.activation.braze import (
    Asking,
    BrazeForbidden,
    BrazeRefused,
    BrazeUnavailable,
    NotInBraze,
    ShownMessage,
    Trial,
    Tried,
    UnreadableAnswer,
    connected,
    contents,
    is_direct,
    send_trial,
    show,
    show_direct,
)
from opportune.decisions import UseCase
from opportune.errors import InvalidInput, nearest
from opportune.pipeline.reconcile import NotThroughBraze
from opportune.settings import Settings
from opportune.storage import Stores

__all__ = ["MessagePreview", "Tester", "UnknownCombination", "preview_message", "send_test"]

BRAZE = "braze"


class UnknownCombination(InvalidInput):
    """A dimension or an option that the use case does not have, or one that sends nothing."""

    code = "unknown_combination"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePreview:
    """What goes out for a combination.

    Parameters
    ----------
    action:
        Dimension name -> option name, every dimension.
    properties:
        What is handed over: the options and their parameters.
    sends:
        Whether anything is sent for it at all.
    messages:
        The messages of the campaign or canvas, filled; none where they are not known.
    trouble:
        Why no message is shown, empty when there is one.
    """

    use_case: str
    action: Mapping[str, str]
    properties: Mapping[str, object]
    sends: bool
    messages: tuple[ShownMessage, ...]
    trouble: str


def preview_message(
    configured: Settings, use_case: UseCase, given: Mapping[str, str], asking: Asking
) -> MessagePreview:
    """Show the combination of ``given``; of a dimension that it leaves out, the first option.

    Nothing is sent. What cannot be read from Braze is no error: the properties are shown without
    it. Raises ``UnknownCombination``.
    """
    action, properties, sends = _combination(use_case, given)
    messages: tuple[ShownMessage, ...] = ()
    trouble = ""
    if not sends:
        trouble = "This combination sends nothing."
    elif use_case.activation.connector != BRAZE:
        trouble = f"'{use_case.activation.connector}' gets the properties and writes the message."
    elif is_direct(use_case.activation.config):
        messages = show_direct(use_case.activation.config, properties)
    elif not configured.braze_api_key:
        trouble = "OPPORTUNE_BRAZE_API_KEY is not set, so the content in Braze cannot be read."
    else:
        config = use_case.activation.config
        try:
            with connected(config["base_url"], configured.braze_api_key, asking) as workspace:
                messages = tuple(show(contents(workspace, config), properties))
        except (
            *(BrazeForbidden, BrazeRefused, BrazeUnavailable),
            *(NotInBraze, UnreadableAnswer),
        ) as error:
            trouble = error.message
        if not messages:
            trouble = trouble or "Braze tells no text of this campaign or canvas."
    return MessagePreview(
        use_case=use_case.name,
        action=action,
        properties=properties,
        sends=sends,
        messages=messages,
        trouble=trouble,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tester:
    """Who gets a test send, and who asked; ``number`` names the temporary profile."""

    to: str
    by: str
    number: str


def send_test(
    stores: Stores,
    use_case: UseCase,
    given: Mapping[str, str],
    *,
    tester: Tester,
    asking: Asking,
    now: datetime,
) -> Tried:
    """Send the combination of ``given`` to a temporary profile; nothing counts it.

    Raises ``UnknownCombination``, ``NotThroughBraze``, or as ``send_trial`` and ``connected``.
    """
    if use_case.activation.connector != BRAZE:
        raise NotThroughBraze(
            f"Use case '{use_case.name}' sends through '{use_case.activation.connector}'. Test "
            "sends are made for use cases that send through Braze."
        )
    _, properties, sends = _combination(use_case, given)
    if not sends:
        raise UnknownCombination("This combination sends nothing; choose another option.")
    config = use_case.activation.config
    trial = Trial(
        use_case=use_case.name,
        config=config,
        properties=properties,
        to=tester.to,
        number=tester.number,
        by=tester.by,
    )
    with connected(config["base_url"], stores.settings.braze_api_key, asking) as workspace:
        return send_trial(stores.state, workspace, trial, now=now)


def _combination(
    use_case: UseCase, given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, object], bool]:
    """Return the whole action, its properties, and whether it sends."""
    known = {each.name: [option.name for option in each.options] for each in use_case.dimensions}
    for name, option in given.items():
        if name not in known:
            said = f"No dimension '{name[:63]}' in '{use_case.name}'."
            raise UnknownCombination(f"{said} {nearest(name, known)}")
        if option not in known[name]:
            said = f"Dimension '{name}' has no option '{option[:63]}'."
            raise UnknownCombination(f"{said} {nearest(option, known[name])}")
    action = {name: given.get(name, options[0]) for name, options in known.items()}
    found = properties_of(use_case, pa.chunked_array([[list(action.values())]]))
    properties = msgspec.json.decode(found["properties"][0].as_py(), type=dict[str, object])
    return action, properties, found["sends"][0].as_py()
