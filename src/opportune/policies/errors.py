"""What callers of this room can get wrong: fixable by them, as `InvalidInput` or an install."""

from __future__ import annotations

from opportune.errors import InvalidInput, Unsupported

__all__ = [
    "BadActionSpace",
    "BadArray",
    "BadPolicySetting",
    "MissingExtra",
    "MixedEvidence",
    "NothingEligible",
    "UnreadablePolicy",
    "WrongReward",
]


class BadActionSpace(InvalidInput):
    """Dimensions or options that cannot be told apart, are missing, or are too many."""

    code = "bad_action_space"


class BadArray(InvalidInput):
    """An array whose shape or values do not fit the action space or the policy."""

    code = "bad_array"


class BadPolicySetting(InvalidInput):
    """A policy was built with a setting outside what it allows."""

    code = "bad_policy_setting"


class MixedEvidence(InvalidInput):
    """Evidence gathered under different feature scales, or for another policy, cannot be added."""

    code = "mixed_evidence"


class NothingEligible(InvalidInput):
    """Some profile has no option left in a dimension, so nothing can be decided for it."""

    code = "nothing_eligible"


class UnreadablePolicy(InvalidInput):
    """The bytes are not a policy of this kind and version."""

    code = "unreadable_policy"


class WrongReward(InvalidInput):
    """A reward is not of the kind the policy was built for."""

    code = "wrong_reward"


class MissingExtra(Unsupported):
    """The policy needs a package that is not installed here."""

    code = "missing_extra"
