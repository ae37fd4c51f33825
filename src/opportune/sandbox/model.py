"""The nouns of the sandbox: its configuration, what it refuses, and one accepted call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from opportune.errors import Conflict, InvalidInput, NotFound, Unavailable

__all__ = [
    "CAMPAIGN_ID",
    "CAMPAIGN_NAME",
    "DamagedJournal",
    "EventsRefused",
    "Message",
    "Refused",
    "SandboxConfig",
    "SendCall",
    "UnknownMarket",
    "braze_time",
]

CAMPAIGN_ID = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
CAMPAIGN_NAME = "Offer of the day"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Everything a sandbox needs to know.

    Parameters
    ----------
    api_key:
        The REST key, with every permission.
    customers, seed, market:
        Which made-up market the workspace holds; see ``opportune.simulate.MARKETS``.
    start:
        Where the virtual clock stands at first (midnight UTC), unless the journal is further.
    events_url, write_key, currents_key:
        Where ``react`` posts, the write key for orders, the bearer token for Currents. Without an
        address ``react`` posts nothing and only counts.
    journal:
        File of accepted send calls, one JSON line each. None: they are forgotten at exit.
    restricted_keys:
        More REST keys, each with the permissions it has.
    requests_per_hour, exports_per_minute:
        Limits of the default pool and of ``/users/export/ids``.
    report_sends:
        Whether Currents reports every message as a Send event, as one chooses in Braze; without,
        only what customers did about it.
    retry_after_style:
        A 429 carries ``X-Ratelimit-Retry-After`` alone, as on newer contracts.
    post_patience_s:
        How long one post to ``events_url`` is tried again before ``react`` gives up.
    silence_s:
        How long an injected timeout keeps a connection open.
    limits:
        Other limits for pools named in ``opportune.sandbox.limits.POOLS``: requests, and seconds
        of a window.
    objects_per_array:
        ``/users/track`` takes 75 objects in each array, as on old contracts; else 75 in total.
    messages_per_day:
        Frequency cap: of how many messages a user may get on a day. None: no cap.
    export_polls, export_lives_s:
        How often the address of a segment export answers 403 before it is ready, and seconds
        until it does so again.
    bucket:
        Folder that stands for cloud storage of one's own: segment exports appear there as files,
        and have no address.
    slow_s:
        How long the fault ``slow`` waits before it answers.
    unsubscribes_stick:
        Customers who unsubscribe get no email any more, as with Braze.
    """

    api_key: str = field(repr=False)
    customers: int
    seed: int
    start: date
    market: str = "internet-provider"
    events_url: str | None = None
    write_key: str = field(default="", repr=False)
    currents_key: str = field(default="", repr=False)
    journal: Path | None = None
    restricted_keys: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    requests_per_hour: int = 250_000
    exports_per_minute: int = 250
    report_sends: bool = True
    retry_after_style: bool = False
    post_patience_s: float = 30.0
    silence_s: float = 120.0
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    objects_per_array: bool = False
    messages_per_day: int | None = None
    export_polls: int = 2
    export_lives_s: float = 4 * 3600
    bucket: Path | None = None
    slow_s: float = 1.0
    unsubscribes_stick: bool = True


class Refused(InvalidInput):
    """A request is answered with this status and message, and changes nothing."""

    code = "refused"

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class UnknownMarket(NotFound):
    """There is no made-up market of this name."""

    code = "unknown_market"


class DamagedJournal(Conflict):
    """A line of the journal file, not the last one, cannot be read."""

    code = "damaged_journal"


class EventsRefused(Unavailable):
    """What ``react`` posts was not accepted in time."""

    code = "events_refused"


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of an accepted call, with the trigger properties that reached the template.

    Without an external id (then it is empty) the user is named by ``braze_id``. ``variation`` is
    the place among the variations of the call, where their properties do not say it. ``content``
    was rendered at once, because its template reads what may change; else whoever looks renders.
    """

    external_user_id: str
    trigger_properties: dict[str, object]
    braze_id: str = ""
    variation: int = -1
    content: dict[str, object] | None = None


class SendCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One accepted call, as it stands in the journal; what one schedule sent at once is one, too.

    ``dropped`` got no message, each for the reason at its place in ``reasons``. ``content_id``
    names what the variations said at the time.
    """

    at: datetime
    dispatch_id: str
    campaign_id: str
    request_id: str
    messages: list[Message]
    dropped: list[str]
    reasons: list[str] = []
    canvas_id: str = ""
    step_id: str = ""
    send_id: str = ""
    schedule_id: str = ""
    content_id: str = ""


def braze_time(at: datetime) -> str:
    """A time as Braze writes it: UTC with milliseconds.

    >>> braze_time(datetime(2026, 1, 1, 9, tzinfo=UTC))
    '2026-01-01T09:00:00.000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
