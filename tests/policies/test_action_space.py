from __future__ import annotations

import numpy as np
import pytest

from opportune.policies import (
    ActionSpace,
    BadActionSpace,
    BadArray,
    Batch,
    Dimension,
    Eligibility,
    NothingEligible,
    everything,
    require_actions,
    require_eligible,
)


def test_a_space_knows_its_sizes_and_all_its_actions() -> None:
    space = ActionSpace(
        dimensions=(
            Dimension(name="channel", options=("email", "push")),
            Dimension(name="hour", options=("09", "13", "18")),
        )
    )
    assert space.sizes == (2, 3)
    assert space.combinations == 6
    assert space.actions().tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert space.actions().dtype == np.int16
    assert everything(space, 2).options.tolist() == [[3, 7], [3, 7]]


def test_the_widest_dimension_still_fits_a_signed_mask() -> None:
    wide = Dimension(name="offer", options=tuple(str(k) for k in range(63)))
    space = ActionSpace(dimensions=(wide,))
    assert everything(space, 1).options.tolist() == [[2**63 - 1]]
    require_eligible(space, everything(space, 1))


@pytest.mark.parametrize("count", [0, 64])
def test_a_dimension_of_no_or_too_many_options_is_refused(count: int) -> None:
    with pytest.raises(BadActionSpace, match=rf"'offer' has {count} options; 1 to 63"):
        Dimension(name="offer", options=tuple(str(k) for k in range(count)))


def test_options_and_dimensions_need_names_of_their_own() -> None:
    with pytest.raises(BadActionSpace, match="'hour' names an option twice: 09, 09"):
        Dimension(name="hour", options=("09", "09"))
    hour = Dimension(name="hour", options=("09",))
    with pytest.raises(BadActionSpace, match="share a name: hour, hour"):
        ActionSpace(dimensions=(hour, hour))
    with pytest.raises(BadActionSpace, match="no dimension"):
        ActionSpace(dimensions=())


def test_option_names_become_indices_and_unknown_ones_are_explained(space: ActionSpace) -> None:
    assert space.indices(("offer_3", "channel_0", "hour_2")) == (3, 0, 2)
    with pytest.raises(BadActionSpace, match=r"no option 'hour_9'. Did you mean"):
        space.indices(("offer_3", "channel_0", "hour_9"))
    with pytest.raises(BadActionSpace, match=r"An action of 1 options was given; .* 3 dimensions"):
        space.indices(("offer_3",))


def test_masks_that_leave_somebody_without_an_option_name_the_dimension(
    space: ActionSpace,
) -> None:
    eligible = everything(space, 5).options.copy()
    eligible[1:4, 1] = 0
    with pytest.raises(NothingEligible, match="dimension 'channel' is eligible for 3 of 5 profil"):
        require_eligible(space, Eligibility(options=eligible))


def test_masks_of_another_shape_or_with_stray_bits_are_refused(space: ActionSpace) -> None:
    with pytest.raises(BadArray, match=r"shape \(2, 2\); allowed is \(profiles, 3\)"):
        require_eligible(space, Eligibility(options=np.ones((2, 2), dtype=np.int64)))
    with pytest.raises(BadArray, match=r"shape \(3,\)"):
        require_eligible(space, Eligibility(options=np.ones(3, dtype=np.int64)))
    with pytest.raises(BadArray, match=r"'hour' has bits beyond its 3 options. Allowed are 1 to 7"):
        require_eligible(space, Eligibility(options=np.array([[1, 1, 8]])))


def test_actions_outside_the_space_are_refused(space: ActionSpace) -> None:
    require_actions(space, np.array([[3, 4, 2]], dtype=np.int16))
    with pytest.raises(BadArray, match=r"'channel' that does not exist; .* 0 to 4"):
        require_actions(space, np.array([[3, 5, 2]], dtype=np.int16))
    with pytest.raises(BadArray, match="'offer'"):
        require_actions(space, np.array([[-1, 0, 0]], dtype=np.int16))
    with pytest.raises(BadArray, match=r"shape \(1, 2\); allowed is \(rows, 3\)"):
        require_actions(space, np.array([[0, 0]], dtype=np.int16))
    with pytest.raises(BadArray, match=r"shape \(3,\)"):
        require_actions(space, np.array([0, 0, 0], dtype=np.int16))


def test_a_batch_has_as_many_rows_everywhere() -> None:
    with pytest.raises(BadArray, match=r"features \(2, 1\), actions \(3, 1\) and propensities"):
        Batch(
            features=np.zeros((2, 1)),
            actions=np.zeros((3, 1), dtype=np.int16),
            rewards=np.zeros(3),
            propensities=np.ones(3),
        )
    with pytest.raises(BadArray, match=r"features \(3,\)"):
        Batch(
            features=np.zeros(3),
            actions=np.zeros((3, 1), dtype=np.int16),
            rewards=np.zeros(3),
            propensities=np.ones(3),
        )
