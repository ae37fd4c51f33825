"""Policies: from what is known of profiles to probabilities, and from rewards to better ones.

Pure array functions and frozen values. No store, no clock, no global randomness: a seed and
arrays in, arrays out.

Invariants:

- A policy returns probabilities and never chooses; `draw` alone chooses, with one number per
  profile from `uniforms`. So the propensity in the decision log is the true one.
- An `ActionDistribution` is exact and sparse. It gives an ineligible option the probability 0.
- A policy is a value: `update` makes a new one. The same bytes, seed and arrays give the same
  distribution.
- Evidence adds: `evidence(a) + evidence(b)` is the evidence of both sets of rows.
- Reading a stored policy runs no code.
- Every class offered under the entry-point group `opportune.policies` has a classmethod
  `start(space, features=..., reward=..., settings=...)`: the policy that has seen nothing.

Deliberately absent: names of profiles, traits, clocks, and any loop over profiles.
"""

from opportune.policies.contributions import Contributions, Explaining
from opportune.policies.draw import draw
from opportune.policies.eligible import (
    Eligibility,
    everything,
    require_actions,
    require_eligible,
)
from opportune.policies.epsilon_greedy import EpsilonGreedy
from opportune.policies.errors import (
    BadActionSpace,
    BadArray,
    BadPolicySetting,
    MissingExtra,
    MixedEvidence,
    NothingEligible,
    UnreadablePolicy,
    WrongReward,
)
from opportune.policies.evidence import RewardKind
from opportune.policies.factored import FactoredThompson
from opportune.policies.features import Summary
from opportune.policies.fixed import Fixed
from opportune.policies.memory import Evidence, Glance
from opportune.policies.model import ActionDistribution, Batch, Costs, Draw, LearnsEarly, Policy
from opportune.policies.probability import dimension_probability, probability
from opportune.policies.space import ActionSpace, Dimension
from opportune.policies.trees import Trees
from opportune.policies.uniform import Uniform
from opportune.policies.uniforms import seed, uniforms
from opportune.policies.wabbit import Wabbit
from opportune.policies.warm import warm_up

__all__ = [
    "ActionDistribution",
    "ActionSpace",
    "BadActionSpace",
    "BadArray",
    "BadPolicySetting",
    "Batch",
    "Contributions",
    "Costs",
    "Dimension",
    "Draw",
    "Eligibility",
    "EpsilonGreedy",
    "Evidence",
    "Explaining",
    "FactoredThompson",
    "Fixed",
    "Glance",
    "LearnsEarly",
    "MissingExtra",
    "MixedEvidence",
    "NothingEligible",
    "Policy",
    "RewardKind",
    "Summary",
    "Trees",
    "Uniform",
    "UnreadablePolicy",
    "Wabbit",
    "WrongReward",
    "dimension_probability",
    "draw",
    "everything",
    "probability",
    "require_actions",
    "require_eligible",
    "seed",
    "uniforms",
    "warm_up",
]
