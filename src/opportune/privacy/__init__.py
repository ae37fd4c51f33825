"""Privacy: forget a person and prove it, hand out what is stored of them, let the silent expire.

Invariants: a request ends only when a scan of every file and table found nothing; killed anywhere
and started again it comes to the same; what was forgotten stays away, whether it comes late, is
sent again or is restored from a backup; destinations that were told of somebody are told to forget
before anything is erased, and waited for, but not for ever; what a report says does not change
because somebody was forgotten; no error, log line or proof holds a value of a person.

Deliberately absent: any way to undo it.
"""

from opportune.privacy.again import ask_again
from opportune.privacy.ask import Asked, ask, request, requests
from opportune.privacy.carry_out import Intake, carry_out, is_asked
from opportune.privacy.expire import expire, parse_expiry
from opportune.privacy.export import FORMAT, export_person
from opportune.privacy.keep import Kept, kept_fields
from opportune.privacy.model import (
    InvalidExpiry,
    Mode,
    NotForgettable,
    Request,
    StillThere,
    Told,
    UnknownPerson,
    UnknownRequest,
)
from opportune.privacy.suppression import (
    FORGOTTEN,
    Guard,
    Suppressed,
    read_suppressed,
    suppressed_on_disk,
)

__all__ = [
    "FORGOTTEN",
    "FORMAT",
    "Asked",
    "Guard",
    "Intake",
    "InvalidExpiry",
    "Kept",
    "Mode",
    "NotForgettable",
    "Request",
    "StillThere",
    "Suppressed",
    "Told",
    "UnknownPerson",
    "UnknownRequest",
    "ask",
    "ask_again",
    "carry_out",
    "expire",
    "export_person",
    "is_asked",
    "kept_fields",
    "parse_expiry",
    "read_suppressed",
    "request",
    "requests",
    "suppressed_on_disk",
]
