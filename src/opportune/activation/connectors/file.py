"""Files: parts of JSON lines, each written whole and once.

A call's path is the name of a part, made from its keys; its body is the part. An enquiry has the
keys in its body, and is answered with those that are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import msgspec

from opportune.activation.connectors.pack import pack
from opportune.activation.connectors.repeatable import Repeatable
from opportune.activation.model import Answer, Delivery, Outcome, Request, Send

__all__ = ["File"]

MAX_PART_BYTES = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Repeatable):
    """The connector; it needs no ``config``."""

    batch_size: int = 1_000
    calls_per_hour: int = 250_000
    name: str = "file"

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        """Write parts, a message a line."""
        return [
            Request(
                method="POST",
                path=f"/{_digest(each.keys)}",
                body=b"".join(text + b"\n" for text in each.texts),
                keys=each.keys,
            )
            for each in pack(sends, most=self.batch_size, room=MAX_PART_BYTES)
        ]

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        """Read what became of a part: there is nothing between written and not."""
        outcome, reason = _outcome(answer)
        return [_delivery(key, outcome, reason) for key in request.keys]

    def enquiries(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        """Ask which of the keys are in a part that was written."""
        keys = [send.key for send in sends]
        return [
            Request(method="GET", path="/", body=msgspec.json.encode(some), keys=tuple(some))
            for some in (
                keys[start : start + self.batch_size]
                for start in range(0, len(keys), self.batch_size)
            )
        ]

    def findings(
        self, request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
    ) -> list[Delivery]:
        """Read which keys are written; the others surely are not."""
        written = _written(answer)
        if written is None:
            reason = f"Enquiry: {_outcome(answer)[1] or 'the answer cannot be read.'}"
            return [_delivery(key, "unknown", reason) for key in request.keys]
        return [
            _delivery(key, "sent", "")
            if key in written
            else _delivery(key, "retry", "The part was not written: safe to write it again.")
            for key in request.keys
        ]


def _outcome(answer: Answer) -> tuple[Outcome, str]:
    if answer.status == 200:
        return "sent", ""
    words = answer.body.decode(errors="replace")[:300]
    reason = f"The part was not written: {words or 'no reason is known'}."
    if answer.status is None and answer.processed is None:
        return "unknown", reason
    return "retry", reason


def _written(answer: Answer) -> frozenset[str] | None:
    if answer.status != 200:
        return None
    try:
        return frozenset(msgspec.json.decode(answer.body, type=list[str]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _delivery(key: str, outcome: Outcome, reason: str) -> Delivery:
    return Delivery(key=key, outcome=outcome, reason=reason, dispatch_id=None, retry_after_s=None)


def _digest(keys: Sequence[str]) -> str:
    return blake2b("\n".join(keys).encode(), digest_size=16).hexdigest()
