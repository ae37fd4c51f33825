from __future__ import annotations

import numpy as np
import pytest

from opportune.policies import (
    ActionSpace,
    BadActionSpace,
    BadPolicySetting,
    Batch,
    Eligibility,
    Fixed,
    NothingEligible,
    Uniform,
    draw,
    everything,
    probability,
)

USUAL = ("offer_2", "channel_1", "hour_0")


def test_fixed_plays_its_action_for_certain(space: ActionSpace) -> None:
    play = Fixed(space, USUAL).distribution(np.zeros((3, 0)), everything(space, 3), seed=1)
    chosen = draw(play, np.array([0.0, 0.5, 0.999]))
    assert chosen.actions.tolist() == [[2, 1, 0]] * 3
    assert chosen.propensities.tolist() == [1.0, 1.0, 1.0]
    assert chosen.dimension_propensities.tolist() == [[1.0, 1.0, 1.0]] * 3
    assert chosen.explored.tolist() == [False] * 3


def test_fixed_falls_back_to_the_first_eligible_option(space: ActionSpace) -> None:
    eligible = np.array([[0b1011, 0b11101, 0b110], [0b0100, 0b00010, 0b001]])
    play = Fixed(space, USUAL).distribution(np.zeros((2, 0)), Eligibility(options=eligible), seed=1)
    assert play.support[:, 0].tolist() == [[0, 0, 1], [2, 1, 0]]


def test_fixed_refuses_an_unknown_option_when_built(space: ActionSpace) -> None:
    with pytest.raises(BadActionSpace, match="no option 'offer_9'"):
        Fixed(space, ("offer_9", "channel_1", "hour_0"))


def test_fixed_starts_from_the_first_option_of_every_dimension(space: ActionSpace) -> None:
    started = Fixed.start(space, features=4, reward="binary")
    assert started == Fixed(space, ("offer_0", "channel_0", "hour_0"))


def test_settings_are_read_by_name_and_wrong_ones_explained(space: ActionSpace) -> None:
    def fixed(**settings: object) -> Fixed:
        return Fixed.start(space, features=0, reward="binary", settings=settings)

    assert fixed(action=USUAL) == Fixed(space, USUAL)
    with pytest.raises(BadPolicySetting, match=r"'fixed' has no setting 'acton'. Did you mean"):
        fixed(acton=USUAL)
    with pytest.raises(BadPolicySetting, match=r"setting of the policy 'fixed' cannot be read"):
        fixed(action=3)
    with pytest.raises(BadPolicySetting, match=r"'uniform' has no setting 'share'. It has none"):
        Uniform.start(space, features=0, reward="binary", settings={"share": 1})


def test_uniform_gives_every_eligible_combination_the_same(space: ActionSpace) -> None:
    eligible = np.array([[0b1111, 0b11111, 0b111], [0b0011, 0b00001, 0b100]])
    play = Uniform(space).distribution(np.zeros((2, 0)), Eligibility(options=eligible), seed=1)
    total = np.zeros(2)
    for action in space.actions():
        likely = probability(play, np.broadcast_to(action, (2, 3)))
        assert likely[0] == pytest.approx(1 / 60, abs=1e-15)
        possible = action[0] < 2 and action[1] == 0 and action[2] == 2
        assert likely[1] == (0.5 if possible else 0.0)
        total += likely
    assert total.tolist() == pytest.approx([1.0, 1.0])
    assert draw(play, np.array([0.3, 0.3])).explored.tolist() == [True, True]


def test_both_learn_nothing(space: ActionSpace) -> None:
    rows = Batch(
        features=np.zeros((1, 0)),
        actions=np.zeros((1, 3), dtype=np.int16),
        rewards=np.ones(1),
        propensities=np.ones(1),
    )
    assert Fixed(space, USUAL).update(rows) == Fixed(space, USUAL)
    assert Uniform(space).update(rows) == Uniform.start(space, features=0, reward="amount")


def test_both_survive_a_round_trip(space: ActionSpace) -> None:
    assert Fixed.from_bytes(Fixed(space, USUAL).to_bytes()) == Fixed(space, USUAL)
    assert Uniform.from_bytes(Uniform(space).to_bytes()) == Uniform(space)


def test_both_refuse_profiles_without_an_option(space: ActionSpace) -> None:
    eligible = Eligibility(options=np.array([[1, 1, 0]]))
    for policy in (Fixed(space, USUAL), Uniform(space)):
        with pytest.raises(NothingEligible, match="'hour'"):
            policy.distribution(np.zeros((1, 0)), eligible, seed=1)
