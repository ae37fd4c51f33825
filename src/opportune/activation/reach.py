"""Open the way to a destination: its connector, and what makes the calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opportune.activation.authentication import Authentication, Basic, InvalidSecret, Signed
from opportune.activation.channel import CALLS_AT_ONCE, Channel, channel_of
from opportune.activation.connectors.file import File
from opportune.activation.connectors.segment import Segment
from opportune.activation.connectors.webhook import Webhook
from opportune.activation.destination import Destination
from opportune.activation.parts import PartWriter
from opportune.activation.transport import Transport

if TYPE_CHECKING:
    from contextlib import ExitStack

    from opportune.settings import Settings

__all__ = ["READ_TIMEOUT_S", "reach"]

READ_TIMEOUT_S = 15.0


def reach(
    destination: Destination,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    stack: ExitStack,
) -> Channel:
    """Return the channel to ``destination``; its connections are closed with ``stack``.

    ``clock`` is the real time: receivers refuse signatures that are old. Raises ``InvalidSecret``
    where the variable that the destination names is not set, or has nothing that can be used. To be
    called while nobody sends to it.
    """
    size, calls = destination.batch_size, destination.calls_per_hour
    if destination.connector == "file":
        writer = PartWriter(settings.outgoing_folder / destination.folder, clock=clock)
        writer.tidy()
        return Channel(
            name=channel_of(destination.name),
            connector=File(batch_size=size, calls_per_hour=calls),
            config={},
            call=writer.call,
            settle_s=settings.destination_settle_s,
            patience=destination.patience,
            settled=writer.settled,
        )
    parts = urlsplit(destination.url)
    path = parts.path.rstrip("/") + "/v1/batch" if destination.connector == "segment" else ""
    transport = Transport(
        f"{parts.scheme}://{parts.netloc}",
        _authentication(destination, settings, clock),
        pool_size=CALLS_AT_ONCE,
        read_timeout_s=READ_TIMEOUT_S,
    )
    stack.enter_context(transport)
    return Channel(
        name=channel_of(destination.name),
        connector=Segment(batch_size=size, calls_per_hour=calls)
        if path
        else Webhook(calls_per_hour=calls),
        config={"path": path or (parts.path or "/") + (f"?{parts.query}" if parts.query else "")},
        call=transport.call,
        settle_s=settings.destination_settle_s,
        patience=destination.patience,
    )


def _authentication(
    destination: Destination, settings: Settings, clock: Callable[[], datetime]
) -> Authentication:
    secret = settings.secret(destination.secret)
    if not secret:
        raise InvalidSecret(
            f"Destination '{destination.name}' names the variable {destination.secret}, which is"
            " not set. Set it where the worker runs, and start the worker again."
        )
    if destination.connector == "segment":
        return Basic(secret)
    return Signed(secret, clock)
