"""What the tests of activation share: a campaign, sends to it, and answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opportune.activation import Send

CAMPAIGN = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"


@pytest.fixture(scope="session")
def config() -> dict[str, str]:
    return {"campaign_id": CAMPAIGN, "base_url": "https://rest.fra-01.braze.eu"}


@pytest.fixture(scope="session")
def make_sends() -> Callable[..., list[Send]]:
    """Sends to the users named, in order; the n-th has key ``k<n>``."""

    def make(*user_ids: str, offer: str = "tv_bundle") -> list[Send]:
        return [
            Send(
                key=f"k{index}",
                decision_id=f"win_back:20260105:{index:016x}",
                user_id=user_id,
                properties={"offer": offer, "channel": "email", "hour": "18"},
            )
            for index, user_id in enumerate(user_ids)
        ]

    return make
