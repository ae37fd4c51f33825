"""Rows of the outbox in the hands of one call, as a query gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from opportune.activation.model import Send

__all__ = ["LEASE_S", "Claim", "read_claims"]

LEASE_S = 180.0
"""Longer than any batch of calls takes: a row whose lease has ended has lost its sender."""


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of the outbox that is this call's own as long as ``leased_until`` stays what it is."""

    key: str
    user_id: str
    properties: dict[str, str | int | float | bool]
    attempts: int
    attempted_at: datetime
    leased_until: datetime
    due_at: datetime
    profile_id: int = 0
    sequence: int = 0
    message: str = ""
    reopened: int = 0
    dispatch_id: str | None = None
    evidence: str | None = None
    choice: str | None = None
    chosen_by: str | None = None
    held_until: datetime | None = None
    schedule_id: str | None = None
    recall: str | None = None
    recalled_at: datetime | None = None
    alone: bool = False

    @property
    def since(self) -> datetime:
        """From when on its receiver can have sent it."""
        return self.held_until or self.attempted_at

    @property
    def send(self) -> Send:
        """What the connector hands over; a recommendation's key is the id of its decision."""
        return Send(
            key=self.key,
            decision_id=self.key,
            user_id=self.user_id,
            properties=self.properties,
            profile_id=self.profile_id,
            message=self.message,
        )


_CLAIMS = msgspec.json.Decoder(list[Claim])


def read_claims(rows: Sequence[Mapping[str, str]]) -> dict[str, Claim]:
    """Read rows that come as one JSON text: a thousand of them one by one would take ten times."""
    claims = _CLAIMS.decode(rows[0]["claims"])
    return {claim.key: claim for claim in sorted(claims, key=_place)}


def _place(claim: Claim) -> tuple[int, str]:
    return claim.sequence, claim.key
