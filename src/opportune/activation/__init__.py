"""Handing recommendations to a channel: outbox, deliveries, connectors.

Invariants: a row of the outbox exists once per decision; it is reserved before anybody is called;
a send whose answer never came is not repeated before the receiver was asked what became of it;
every settled send comes back as an event.

Deliberately absent: knowledge of any one channel outside ``connectors``, and of the network outside
``transport``.
"""

from opportune.activation.consent import ConsentNotPossible, Statement, state_consent
from opportune.activation.enqueue import enqueue
from opportune.activation.model import Answer, Connector, Delivery, Outcome, Request, Send
from opportune.activation.send import CALLS_AT_ONCE, Channel, abandon, enquire, send_due
from opportune.activation.transport import InvalidAddress, InvalidApiKey, Transport
from opportune.activation.withdraw import withdraw

__all__ = [
    "CALLS_AT_ONCE",
    "Answer",
    "Channel",
    "Connector",
    "ConsentNotPossible",
    "Delivery",
    "InvalidAddress",
    "InvalidApiKey",
    "Outcome",
    "Request",
    "Send",
    "Statement",
    "Transport",
    "abandon",
    "enqueue",
    "enquire",
    "send_due",
    "state_consent",
    "withdraw",
]
