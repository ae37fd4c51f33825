"""What is known of a send without asking its receiver: it was seen, or somebody decided."""

from __future__ import annotations

from collections.abc import Mapping

from opportune.activation.model import Delivery, Outcome

__all__ = ["CHOICES", "resolved"]

CHOICES: Mapping[str, str] = {
    "went_out": "It went out",
    "send_again": "Send again",
    "give_up": "Give up",
}
_OUTCOMES: Mapping[str, Outcome] = {
    "went_out": "sent",
    "send_again": "retry",
    "give_up": "failed",
}
_REASONS = {
    "went_out": "Somebody looked, and decided that it went out: {by}.",
    "send_again": "Somebody looked, and decided to send it again: {by}.",
    "give_up": "Somebody looked, and gave it up: {by}.",
}
_SEEN = "No answer came, but engagement shows that the message went out."
_ABORTED = "No answer came, and Braze reports that it aborted the message."


def resolved(
    key: str, *, evidence: str | None, choice: str | None, by: str | None, dispatch_id: str | None
) -> Delivery | None:
    """Return what became of the send ``key`` by what is known; None: nothing is, so ask.

    ``evidence`` is "seen" or "aborted", ``choice`` one of ``CHOICES``. What was seen counts more
    than what somebody decided.

    >>> found = resolved("k", evidence="seen", choice="send_again", by="ada", dispatch_id="d1")
    >>> found.outcome, found.dispatch_id
    ('sent', 'd1')
    """
    if evidence is not None:
        seen = evidence == "seen"
        outcome: Outcome = "sent" if seen else "failed"
        reason = _SEEN if seen else _ABORTED
    elif choice is not None:
        outcome, reason = _OUTCOMES[choice], _REASONS[choice].format(by=by or "nobody is known")
    else:
        return None
    return Delivery(
        key=key, outcome=outcome, reason=reason, dispatch_id=dispatch_id, retry_after_s=None
    )
