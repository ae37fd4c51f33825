"""Read stored events by rules that were applied after they came."""

from __future__ import annotations

from opportune import activation, profiles
from opportune.storage import Stores

__all__ = ["read_again"]


def read_again(stores: Stores) -> bool:
    """Read all stored events by the present rules of consent; False if they were read by them.

    What is still to be sent to whoever turns out not to allow it is taken back in the same moment.
    """
    return profiles.reread(stores, changed=activation.withdraw)
