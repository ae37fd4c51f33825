"""A webhook: one event a call, after the Standard Webhooks specification.

The body is ``{"type", "timestamp", "data"}``; ``data`` is the message as Segment would have it. The
call's id is the message's, so that a receiver knows a repeat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from opportune.activation.connectors.repeatable import Repeatable, read_answer
from opportune.activation.model import Answer, Delivery, Request, Send

__all__ = ["Webhook"]

# A full stop would end the id within what is signed.
_ID = re.compile(r"[A-Za-z0-9_:/-]{1,120}")


class _Message(msgspec.Struct, rename="camel"):
    type: str = "track"
    event: str | None = None
    message_id: str = ""
    timestamp: str | None = None


_MESSAGE = msgspec.json.Decoder(_Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Repeatable):
    """The connector; ``config`` has the ``path`` that is called, with its query."""

    calls_per_hour: int = 250_000
    name: str = "webhook"
    batch_size: int = 1

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        """Write one call a message."""
        return [_request(send, config["path"]) for send in sends]

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        """Read the answer by its status: every 2xx is taken, whatever its body says."""
        return read_answer(request, answer)


def _request(send: Send, path: str) -> Request:
    text = send.message or "{}"
    message = _MESSAGE.decode(text)
    head = msgspec.json.encode(
        {"type": message.event or message.type, "timestamp": message.timestamp}
    )
    return Request(
        method="POST",
        path=path,
        body=head[:-1] + b',"data":' + text.encode() + b"}",
        keys=(send.key,),
        request_id=_request_id(message.message_id or send.key),
    )


def _request_id(message_id: str) -> str:
    if _ID.fullmatch(message_id):
        return message_id
    return f"msg_{blake2b(message_id.encode(), digest_size=16).hexdigest()}"
