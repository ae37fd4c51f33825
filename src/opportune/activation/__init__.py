"""Handing over what leaves: outbox, deliveries, connectors, destinations.

Invariants: a row of the outbox exists once per decision, and once per event and destination; it is
reserved before anybody is called; a send whose answer never came is not repeated before the
receiver was asked what became of it, engagement showed it or somebody decided, unless it knows a
repeat by its id; what a receiver holds until its time counts as sent when that has come, and as
taken back when the receiver surely gave it back; every settled send of a recommendation comes back
as an event, and none of a destination's does; what destinations know of an audience changes with
the messages about it, in one transaction.

Deliberately absent: knowledge of any one channel outside ``connectors``, and of the network outside
``transport``.
"""

from opportune.activation.ahead import SOONEST, hand_over_ahead
from opportune.activation.authentication import Basic, Bearer, InvalidApiKey, InvalidSecret, Signed
from opportune.activation.channel import CALLS_AT_ONCE, Channel, Patience, channel_of
from opportune.activation.consent import ConsentNotPossible, Statement, state_consent
from opportune.activation.destination import (
    Destination,
    SentFields,
    UnknownDestination,
    named_destination,
    parse_destination,
    sent_fields,
)
from opportune.activation.end import CONVERTED, LEFT, end_converted, ends_with
from opportune.activation.enqueue import enqueue, properties_of
from opportune.activation.feed import Feeder, tell_decisions
from opportune.activation.held import follow_held
from opportune.activation.hold import HELD_FOR, cancel_held
from opportune.activation.letters import (
    LETTERS_PAGE,
    DeadLetter,
    Traffic,
    UnknownDeadLetter,
    dead_letters,
    resend,
    traffic,
)
from opportune.activation.model import (
    Answer,
    Connector,
    Delivery,
    Outcome,
    Recall,
    Request,
    Scheduling,
    Send,
)
from opportune.activation.open_sends import (
    OPEN_STATES,
    SENDS_PAGE,
    InvalidChoice,
    OpenSend,
    UnknownSend,
    choose,
    open_sends,
)
from opportune.activation.parts import PartWriter
from opportune.activation.prune import prune
from opportune.activation.publish import (
    AUDIENCE_EVENTS,
    Published,
    Publishing,
    forbidden_audiences,
    publish,
    published_audiences,
)
from opportune.activation.reach import reach
from opportune.activation.resolve import CHOICES
from opportune.activation.send import abandon, enquire, send_due
from opportune.activation.transport import InvalidAddress, Transport, download
from opportune.activation.ways_out import (
    DayOutcomes,
    RateWindow,
    WayOut,
    outcomes_by_day,
    rate_windows,
    ways_out,
)
from opportune.activation.withdraw import withdraw
from opportune.activation.witness import witness

__all__ = [
    "CONVERTED",
    "LEFT",
    "end_converted",
    "ends_with",
    "DayOutcomes",
    "outcomes_by_day",
    "AUDIENCE_EVENTS",
    "CALLS_AT_ONCE",
    "CHOICES",
    "HELD_FOR",
    "LETTERS_PAGE",
    "OPEN_STATES",
    "SENDS_PAGE",
    "SOONEST",
    "Answer",
    "Basic",
    "Bearer",
    "Channel",
    "Connector",
    "ConsentNotPossible",
    "DeadLetter",
    "Delivery",
    "Destination",
    "Feeder",
    "InvalidAddress",
    "InvalidApiKey",
    "InvalidChoice",
    "InvalidSecret",
    "OpenSend",
    "Outcome",
    "PartWriter",
    "Patience",
    "Published",
    "Publishing",
    "RateWindow",
    "Recall",
    "Request",
    "Scheduling",
    "Send",
    "SentFields",
    "Signed",
    "Statement",
    "Traffic",
    "Transport",
    "UnknownDeadLetter",
    "UnknownDestination",
    "UnknownSend",
    "WayOut",
    "abandon",
    "cancel_held",
    "channel_of",
    "choose",
    "dead_letters",
    "download",
    "enqueue",
    "enquire",
    "follow_held",
    "forbidden_audiences",
    "hand_over_ahead",
    "named_destination",
    "open_sends",
    "properties_of",
    "parse_destination",
    "prune",
    "published_audiences",
    "publish",
    "rate_windows",
    "reach",
    "resend",
    "send_due",
    "sent_fields",
    "state_consent",
    "tell_decisions",
    "traffic",
    "ways_out",
    "withdraw",
    "witness",
]
