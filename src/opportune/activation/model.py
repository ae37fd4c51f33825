"""The nouns of activation, and the two pure functions (each way) that make a connector.

A connector never touches the network, the clock or the store: it turns sends into requests, and a
request with its answer into one delivery per key. The room owns calling, limits, retries and the
outbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from datetime import datetime

    from opportune.events.model import Decoded
    from opportune.storage import Frame

__all__ = [
    "Answer",
    "Connector",
    "Delivery",
    "Outcome",
    "Recall",
    "Request",
    "Scheduling",
    "Send",
    "Window",
    "Windowed",
]

Outcome = Literal["sent", "failed", "retry", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One recommendation to hand over, or one message to a destination.

    Parameters
    ----------
    key:
        Unique per row of the outbox; every delivery names it.
    decision_id:
        The decision behind it, carried to the channel so that engagement can name it.
    user_id:
        Who receives it, in the caller's own ids.
    properties:
        Dimension name -> option name.
    profile_id:
        Whose it is: what is of one profile leaves in the order it is given. 0 where no order holds.
    message:
        For a destination: what to send as it stands, the text of a JSON object.
    """

    key: str
    decision_id: str
    user_id: str
    properties: Mapping[str, str | int | float | bool]
    profile_id: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to make: ``path`` starts with a slash, ``keys`` stand in recipient order.

    ``request_id`` is the same whenever the same is sent again; empty where nobody looks at it.
    """

    method: str
    path: str
    body: bytes
    keys: tuple[str, ...]
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from one call.

    Parameters
    ----------
    status:
        HTTP status, or None when no answer came.
    headers:
        Compare names without regard to case.
    body:
        The answer's bytes; with no status, the trouble in words.
    processed:
        Only to be read where ``status`` is None: False when the receiver surely never got the call,
        None when it may have. True where a status came: it then says what became of the call.
    """

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    processed: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one send.

    Parameters
    ----------
    outcome:
        "sent": accepted, never repeat. "failed": refused, never repeat. "retry": surely not
        accepted, send again later. "unknown": may have been accepted; enquire before anything else.
    reason:
        For people: what happened and what to do. Empty where there is nothing to add.
    dispatch_id:
        The channel's own id of the call, where it gave one.
    retry_after_s:
        Seconds the receiver asked to be left alone; None leaves the wait to the room's own backoff.
    schedule_id:
        Where it is "sent" for later: what the connector needs to take it back before its time.
    """

    key: str
    outcome: Outcome
    reason: str
    dispatch_id: str | None
    retry_after_s: float | None
    schedule_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What became of asking a receiver to give back what it holds.

    Parameters
    ----------
    outcome:
        "taken_back": it will not be sent. "refused": it was not given back, and asking again says
        the same. "retry": surely not done. "unknown": it may have been done; asking again does no
        harm.
    reason, retry_after_s:
        As of a delivery.
    """

    outcome: Literal["taken_back", "refused", "retry", "unknown"]
    reason: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What an answer said of the receiver's rate limit.

    Parameters
    ----------
    calls, remaining:
        How many calls a window takes, and how many more this one.
    resets_at_s, resets_in_s:
        When it ends: by the receiver's clock, in seconds, and in how many seconds from the answer.
    """

    calls: int
    remaining: int
    resets_at_s: float
    resets_in_s: float


@runtime_checkable
class Windowed(Protocol):
    """What a connector may know beside: its receiver's answers say how many calls are left."""

    def window(self, answer: Answer) -> Window | None:
        """Read it; None where the answer says nothing of it."""
        ...


@runtime_checkable
class Scheduling(Protocol):
    """What a connector may know beside: its receiver holds sends until a time it is told.

    As pure as the rest of it. What the receiver holds is named by a ``schedule_id`` of the
    connector's own making, which says all that is needed to take it back.
    """

    def schedules(
        self, sends: Sequence[Send], config: Mapping[str, str], *, at: datetime
    ) -> list[Request]:
        """Put every send into exactly one request that has it sent at ``at``."""
        ...

    def scheduled(self, request: Request, answer: Answer) -> list[Delivery]:
        """Give exactly one delivery per key; what is held is "sent", with a ``schedule_id``."""
        ...

    def recall(self, schedule_id: str, keys: Sequence[str]) -> Request:
        """Ask for all that ``schedule_id`` names to be given back."""
        ...

    def recalled(self, request: Request, answer: Answer) -> Recall:
        """Say what became of that."""
        ...


@runtime_checkable
class Connector(Protocol):
    """Speaks one channel's language; ``opportune.testing.check_connector`` proves one.

    Every method is pure. ``config`` is the use case's own activation settings.
    """

    @property
    def name(self) -> str:
        """How definitions name it."""
        ...

    @property
    def batch_size(self) -> int:
        """The most keys of one request."""
        ...

    @property
    def calls_per_hour(self) -> int:
        """The most requests that the receiver takes in an hour."""
        ...

    def check_config(self, config: Mapping[str, str]) -> list[str]:
        """Say what is wrong with a use case's settings, one line each; empty when all is well."""
        ...

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        """Put every send into exactly one request of at most ``batch_size`` keys."""
        ...

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        """Give exactly one delivery per key of the request, in its order, whatever the answer."""
        ...

    def enquiries(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        """Ask what became of sends whose answer never came; asking twice must change nothing.

        No enquiry at all says that sending them again under the same keys does no harm.
        """
        ...

    def findings(
        self, request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
    ) -> list[Delivery]:
        """Read an enquiry's answer, one delivery per key; ``since`` is when the call was made."""
        ...

    def decode(self, frame: Frame) -> Decoded:
        """Turn engagement that was pushed to us into events, refusing bad ones one by one."""
        ...
