"""Which group of a use case each profile is in, and what plays for the groups beside treatment.

Everything follows from two stable hashes. One is of the profile alone: the *holdout* is the same
people in every use case. The other is of use case and profile, a number in [0, 1): control begins
at its lower end, random at its upper one, champion in the middle, and treatment has the rest. So a
changed share moves no more profiles than it must, as long as no two of these ranges meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.model import UseCase

__all__ = [
    "CHAMPION",
    "CONTROL",
    "HOLDOUT",
    "RANDOM",
    "SENT",
    "TREATMENT",
    "UNSENT",
    "Player",
    "expected_shares",
    "players",
    "variants",
]

TREATMENT, CONTROL, RANDOM = "treatment", "control", "random"
CHAMPION, HOLDOUT = "champion", "holdout"
SENT = (TREATMENT, RANDOM, CHAMPION)
"""The groups that are sent what was decided."""
UNSENT = (CONTROL, HOLDOUT)
"""The groups that are decided for and logged, and sent nothing."""

MIDDLE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A policy that decides, and what it is called in the decision log."""

    policy: policies.Policy
    version: str


def variants(use_case: UseCase, profile_ids: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return each profile's group by stable hashes of the profile and of (use case, profile).

    "holdout" is sent nothing by any use case, "control" nothing by this one; "random" gets any
    eligible action with the same probability, "champion" the one action that the definition names,
    or what its policy chooses; everybody else is "treatment".
    """
    chance = policies.uniforms(f"{use_case.name}:group", profile_ids)
    low = min(
        max(MIDDLE, use_case.control_share), 1.0 - use_case.random_share - use_case.champion_share
    )
    groups = np.full(len(profile_ids), TREATMENT, dtype="<U9")
    groups[(chance >= low) & (chance < low + use_case.champion_share)] = CHAMPION
    groups[chance >= 1.0 - use_case.random_share] = RANDOM
    groups[chance < use_case.control_share] = CONTROL
    if use_case.holdout_share:
        groups[policies.uniforms(HOLDOUT, profile_ids) < use_case.holdout_share] = HOLDOUT
    return groups


def expected_shares(use_case: UseCase) -> dict[str, float]:
    """Return the share of the audience that each group is meant to have; 1 in all, none is 0.

    The shares of a definition are of those who are not in the holdout.
    """
    others = {
        CONTROL: use_case.control_share,
        RANDOM: use_case.random_share,
        CHAMPION: use_case.champion_share,
    }
    meant = {TREATMENT: 1.0 - sum(others.values()), **others}
    shares = {group: share * (1.0 - use_case.holdout_share) for group, share in meant.items()}
    shares[HOLDOUT] = use_case.holdout_share
    return {group: share for group, share in shares.items() if share > 0}


def players(
    use_case: UseCase, champion: policies.Policy | None = None
) -> Mapping[str, policies.Policy]:
    """Return who plays for a group in place of the policy of the use case.

    ``champion`` is the policy of that group, where it is one.
    """
    space = use_case.space
    found: dict[str, policies.Policy] = {RANDOM: policies.Uniform(space)}
    if use_case.champion:
        found[CHAMPION] = policies.Fixed(space, use_case.champion)
    elif champion is not None:
        found[CHAMPION] = champion
    return found
