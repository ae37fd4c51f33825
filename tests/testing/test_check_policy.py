from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    Batch,
    Costs,
    Dimension,
    Eligibility,
    EpsilonGreedy,
    FactoredThompson,
    Fixed,
    Policy,
    Trees,
    Uniform,
    Wabbit,
    everything,
)
from opportune.testing import check_policy

SPACE = ActionSpace(
    dimensions=(
        Dimension(name="channel", options=("email", "push", "sms")),
        Dimension(name="hour", options=("09", "18")),
    )
)


@dataclass
class Broken:
    """Uniform play, for a test to break in one place."""

    name: str = "broken"
    told: int = 0
    asked: int = 0

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        return Uniform(SPACE).distribution(features, eligible, seed=seed)

    def update(self, evidence: Batch) -> Policy:
        return replace(self, told=self.told + 1)

    def to_bytes(self) -> bytes:
        return bytes([self.told])

    @classmethod
    def from_bytes(cls, data: bytes) -> Policy:
        return cls(told=data[0])


def fixed(features: NDArray[np.float64], option: int) -> ActionDistribution:
    profiles = len(features)
    return ActionDistribution(
        space=SPACE,
        support=np.full((profiles, 1, 2), option, dtype=np.int16),
        weights=np.ones((profiles, 1)),
        uniform_share=0.0,
        eligible=everything(SPACE, profiles),
    )


@pytest.mark.parametrize(
    ("policy", "claims"),
    [
        (Fixed(SPACE, ("push", "18")), {"amounts": True}),
        (Uniform(SPACE), {"amounts": True}),
        (FactoredThompson(SPACE, 3, reward="binary"), {"additive": True, "weighs_costs": True}),
        (
            FactoredThompson(SPACE, 3, reward="amount"),
            {"additive": True, "weighs_costs": True, "amounts": True},
        ),
        (
            FactoredThompson(SPACE, 3, reward="binary", draws=1, uniform_share=0.0),
            {"weighs_costs": True},
        ),
        (EpsilonGreedy(SPACE, 3, reward="binary"), {"additive": True, "weighs_costs": True}),
        (
            EpsilonGreedy(SPACE, 3, reward="amount"),
            {"additive": True, "weighs_costs": True, "amounts": True},
        ),
        (Trees(SPACE, 3, reward="binary"), {"weighs_costs": True}),
        (Trees(SPACE, 3, reward="amount"), {"weighs_costs": True, "amounts": True}),
        (Wabbit(SPACE, 3, reward="binary"), {}),
        (Wabbit(SPACE, 3, reward="amount"), {"amounts": True}),
        (Broken(), {"amounts": True}),
    ],
)
def test_a_sound_policy_passes(policy: Policy, claims: dict[str, bool]) -> None:
    check_policy(policy, SPACE, n_features=3, **{"additive": False, **claims})


def test_a_large_space_is_checked_without_enumerating_it() -> None:
    vast = ActionSpace(
        dimensions=tuple(Dimension(name=str(d), options=tuple("abcdefgh")) for d in range(5))
    )
    check_policy(Uniform(vast), vast, n_features=0, additive=False)


class PlaysIneligible(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        return replace(fixed(features, 1), eligible=eligible)


class ForgetsEligibility(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        return fixed(features, 0)


class SumsToMore(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        sound = Fixed(SPACE, ("push", "18")).distribution(features, eligible, seed=seed)
        return replace(sound, uniform_share=0.1)


class IsNegative(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        sound = Fixed(SPACE, ("push", "18")).distribution(features, eligible, seed=seed)
        return replace(sound, weights=-sound.weights)


class PlaysAtRandom(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        self.asked += 1
        option = ("email", "push")[self.asked % 2]
        return Fixed(SPACE, (option, "18")).distribution(features, eligible, seed=seed)


class ForgetsWhenStored(Broken):
    @classmethod
    def from_bytes(cls, data: bytes) -> Policy:
        return cls(told=9)


class PlaysDifferentlyWhenRead(Broken):
    @classmethod
    def from_bytes(cls, data: bytes) -> Policy:
        return Lucky(told=data[0])


class Lucky(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        return Fixed(SPACE, ("push", "18")).distribution(features, eligible, seed=seed)


class ChangesItself(Broken):
    def update(self, evidence: Batch) -> Policy:
        self.told += 1
        return self


class LearnsAtRandom(Broken):
    def update(self, evidence: Batch) -> Policy:
        self.asked += 1
        return replace(self, told=self.asked)


class ForgetsPatterns(Broken):
    """Plays options that a profile may get, forbidden together or not."""

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        options = replace(eligible, combinations=None, pattern=None)
        sound = Fixed(SPACE, ("email", "09")).distribution(features, options, seed=seed)
        return replace(sound, eligible=eligible)


class ChangesFeatures(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        np.nan_to_num(features, copy=False)
        return Uniform(SPACE).distribution(features, eligible, seed=seed)


class LooksAtTheCrowd(Broken):
    """Treats one profile alone unlike many."""

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        option = "push" if len(features) == 1 else "email"
        return Fixed(SPACE, (option, "18")).distribution(features, eligible, seed=seed)


class LearnsFromNothing(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        option = ("email", "push")[self.told % 2]
        return Fixed(SPACE, (option, "18")).distribution(features, eligible, seed=seed)


class MindsFreeCosts(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        option = "email" if costs is None else "push"
        return Fixed(SPACE, (option, "18")).distribution(features, eligible, seed=seed)


class MindsCosts(Broken):
    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        dear = costs is not None and costs.sent[0][0] > 0
        usual = Fixed(SPACE, ("push" if dear else "email", "18"))
        return usual.distribution(features, eligible, seed=seed)


class OnlyYesAndNo(Broken):
    def update(self, evidence: Batch) -> Policy:
        EpsilonGreedy(SPACE, 3, reward="binary").update(evidence)
        return replace(self, told=self.told + 1)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (ForgetsPatterns(), "An ineligible action has positive weight"),
        (ChangesFeatures(), "distribution changed the features"),
        (LooksAtTheCrowd(), "other probabilities alone than among others"),
        (LearnsFromNothing(), "without a single row changes the play"),
        (MindsFreeCosts(), "Costs of zero change the play"),
        (MindsCosts(), "though it does not claim to weigh them"),
        (Broken(name=""), "name is empty"),
        (PlaysIneligible(), "An ineligible action has positive weight"),
        (ForgetsEligibility(), "do not have the shape or values"),
        (SumsToMore(), "sum not to one"),
        (IsNegative(), "A weight is negative"),
        (PlaysAtRandom(), "distribution differs when asked again"),
        (ForgetsWhenStored(), "has other bytes"),
        (PlaysDifferentlyWhenRead(), "plays differently"),
        (ChangesItself(), "update changed the old policy"),
        (LearnsAtRandom(), "another policy when asked again"),
    ],
)
def test_a_broken_promise_is_named(policy: Policy, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        check_policy(policy, SPACE, n_features=3, additive=False)


def test_evidence_that_should_add_must_exist_and_add() -> None:
    with pytest.raises(AssertionError, match=r"needs evidence\(batch\) and absorb"):
        check_policy(Broken(), SPACE, n_features=3, additive=True)
    with pytest.raises(AssertionError, match="Evidence does not add"):
        check_policy(CountsParts(), SPACE, n_features=3, additive=True)


class CountsParts(Broken):
    """Its evidence is how often it was gathered, so two parts weigh more than the whole."""

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        option = ("email", "push", "sms", "email")[self.told]
        return Fixed(SPACE, (option, "18")).distribution(features, eligible, seed=seed)

    def update(self, evidence: Batch) -> Policy:
        return replace(self, told=self.told + min(1, len(evidence.rewards)))

    def evidence(self, batch: Batch) -> int:
        return 1

    def absorb(self, evidence: int) -> Policy:
        return replace(self, told=self.told + evidence)


def test_a_claim_that_is_not_kept_is_named() -> None:
    ignores = Fixed(SPACE, ("email", "18"))
    with pytest.raises(AssertionError, match="costs more than any reward is chosen beside"):
        check_policy(ignores, SPACE, n_features=3, additive=False, weighs_costs=True)
    with pytest.raises(AssertionError, match="update refuses rewards of its kind: 16 of 48"):
        check_policy(OnlyYesAndNo(), SPACE, n_features=3, additive=False, amounts=True)
    check_policy(OnlyYesAndNo(), SPACE, n_features=3, additive=False)
