"""Learning: outcomes become rewards, rewards a better policy, and a log says what another earned.

Invariants: a reward is written once, when its window is over; a day's rewards train a model once;
control never teaches the model; the model never sees who somebody is.

A new version of a use case goes on from what an older one learned where that means the same.

Deliberately absent: delay correction.
"""

from opportune.learning.evaluate import (
    Evaluated,
    Logged,
    RewardModel,
    difference,
    evaluate,
    evaluate_log,
    expected_under,
)
from opportune.learning.model import REWARDS
from opportune.learning.reward import reward
from opportune.learning.train import (
    PolicyKind,
    Trained,
    action_indices,
    lessons,
    model_days,
    newest,
    prune_models,
    reward_kind,
    train,
)

__all__ = [
    "REWARDS",
    "Evaluated",
    "Logged",
    "PolicyKind",
    "RewardModel",
    "Trained",
    "action_indices",
    "difference",
    "evaluate",
    "evaluate_log",
    "expected_under",
    "lessons",
    "model_days",
    "newest",
    "prune_models",
    "reward",
    "reward_kind",
    "train",
]
