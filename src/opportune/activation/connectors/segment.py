"""Segment's HTTP source: batches to ``/v1/batch``. Repeats are dropped there by message id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from opportune.activation.connectors.pack import pack
from opportune.activation.connectors.repeatable import Repeatable, read_answer
from opportune.activation.model import Answer, Delivery, Request, Send

__all__ = ["MAX_BATCH_BYTES", "MAX_MESSAGES", "MAX_MESSAGE_BYTES", "Segment"]

MAX_MESSAGES = 2_500
"""Most messages Segment takes in one batch; the surplus is lost without a word."""

MAX_BATCH_BYTES = 500_000
"""Segment's limit on a batch, read as the smaller meaning of 500 KB."""

MAX_MESSAGE_BYTES = 32_768
"""Segment's limit on one message; what is larger is lost without a word inside a batch."""

_HEAD, _TAIL = b'{"batch":[', b"]}"


class _Refusal(msgspec.Struct):
    index: int
    code: str = "refused"


class _Taken(msgspec.Struct):
    rejected: list[_Refusal] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment(Repeatable):
    """The connector; ``config`` has the ``path`` of the batch endpoint."""

    batch_size: int = 100
    calls_per_hour: int = 250_000
    name: str = "segment"

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        """Write batches that stay below Segment's limits."""
        room = MAX_BATCH_BYTES - len(_HEAD) - len(_TAIL)
        return [
            Request(
                method="POST",
                path=config["path"],
                body=_HEAD + b",".join(each.texts) + _TAIL,
                keys=each.keys,
            )
            for each in pack(sends, most=self.batch_size, room=room)
        ]

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        """Read the answer; a receiver of our own kind also says which messages it refused."""
        read = read_answer(request, answer)
        if answer.status is None or not 200 <= answer.status < 300:
            return read
        refused = _refused(answer.body)
        alone = len(request.keys) == 1
        if alone and len(request.body) > MAX_MESSAGE_BYTES + len(_HEAD) + len(_TAIL):
            refused[0] = "larger than 32 KB"
        return [
            replace(each, outcome="failed", reason=f"The message was refused: {refused[place]}.")
            if place in refused
            else each
            for place, each in enumerate(read)
        ]


def _refused(body: bytes) -> dict[int, str]:
    try:
        taken = msgspec.json.decode(body, type=_Taken)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {each.index: each.code[:64] for each in taken.rejected}
