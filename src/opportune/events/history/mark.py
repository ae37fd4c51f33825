"""The mark that events of an import carry, so that nothing is started for what is long past.

``context.import`` is ``{"id": ..., "file": ...}``, and has ``"live": true`` when the import was
told to count as if it happened now. Whoever starts something on an event (a journey, a
distribution, a webhook) asks `is_history` first, or joins the fragment
``load_sql("opportune.events.history", "is_history")``, a boolean expression over a relation with
the column ``context``, as ``where not (...)``. Segments, profiles, metrics and reports do not ask:
to them an event is an event.
"""

from __future__ import annotations

import msgspec

from opportune.events.model import Event

__all__ = ["context_of", "is_history"]


class _Mark(msgspec.Struct):
    id: str
    file: str = ""
    live: bool = False


class _Context(msgspec.Struct):
    mark: _Mark = msgspec.field(name="import")


_CONTEXT = msgspec.json.Decoder(_Context)


def is_history(event: Event) -> bool:
    """Say whether ``event`` was imported as history, so that nothing may be started for it.

    >>> def event(context: str) -> Event:
    ...     return Event(message_id="m", type="track", event="Order", user_id="c",
    ...                  anonymous_id=None, occurred_at_us=0, properties=None, traits=None,
    ...                  context=context)
    >>> is_history(event('{"import": {"id": "4be0", "file": "orders.csv"}}'))
    True
    >>> is_history(event('{"import": {"id": "4be0", "file": "orders.csv", "live": true}}'))
    False
    """
    # Nearly no event has the mark: do not parse all the others.
    if event.context is None or '"import"' not in event.context:
        return False
    try:
        return not _CONTEXT.decode(event.context).mark.live
    except msgspec.ValidationError:
        return False


def context_of(import_id: str, file: str, *, live: bool) -> dict[str, object]:
    """The context that marks the messages of an import."""
    mark: dict[str, object] = {"id": import_id, "file": file}
    return {"import": {**mark, "live": True} if live else mark}
