"""Real campaigns, and what is known of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from opportune.replay import compare, read_campaign, read_schema, replay, verdict
from opportune.storage import Stores

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ROOT.parent / "shared" / "datasets"


def silent(what: str, done: int, total: int) -> None:
    """Hear of progress and say nothing."""


def real(name: str) -> Path:
    path = DATASETS / name
    if not path.exists():
        pytest.skip(
            f"the data are not part of the repository; put them at ../shared/datasets/{name}"
        )
    return path


@pytest.mark.parametrize("name", ["hillstrom", "artea"])
def test_the_example_schemas_are_valid(name: str) -> None:
    found = read_schema(ROOT / "examples" / name / "schema.toml")
    assert not {"race", "gender"} & {each.column for each in found.features}


def test_the_coupon_test_of_artea_shows_no_gain_that_is_not_there(stores: Stores) -> None:
    file = real("artea_coupon_ab/ab_test.parquet")
    campaign = read_campaign(file, read_schema(ROOT / "examples" / "artea" / "schema.toml"))
    found = replay(stores, campaign, "revenue", seed=1, told=silent)
    assert (campaign.rows, found.training_rows, found.held_out_rows) == (5_000, 3_500, 1_500)
    assert [round(each.snips.value or 0, 4) for each in found.singles] == [8.7266, 7.5883]
    assert found.edge.low is not None
    assert found.edge.low < 0
    assert found.sample_ratio is not None
    assert not found.sample_ratio.suspicious


@pytest.mark.slow
def test_the_mails_of_hillstrom_earn_what_is_known_of_them(stores: Stores) -> None:
    file = real("hillstrom/hillstrom.parquet")
    campaign = read_campaign(file, read_schema(ROOT / "examples" / "hillstrom" / "schema.toml"))
    found = replay(stores, campaign, "visit", seed=1, told=silent)
    assert (campaign.rows, found.training_rows, found.held_out_rows) == (64_000, 44_800, 19_200)
    assert [each.name for each in found.singles] == ["none", "mens", "womens"]
    # The whole file has 10.6, 18.3 and 15.1 %.
    assert [round(each.snips.value or 0, 4) for each in found.singles] == [0.1057, 0.1809, 0.1464]
    assert found.best_single == "mens"
    assert found.sample_ratio is not None
    assert not found.sample_ratio.suspicious
    # The learner beats no mail clearly; nobody can tell it from the best mail.
    assert found.learned.doubly_robust.low is not None
    assert found.control.doubly_robust.high is not None
    assert found.learned.doubly_robust.low > found.control.doubly_robust.high
    assert "cannot be told from the best single action, 'mens'" in verdict(found)


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["visit", "spend"])
def test_every_policy_stands_beside_each_mail_of_hillstrom(stores: Stores, outcome: str) -> None:
    file = real("hillstrom/hillstrom.parquet")
    campaign = read_campaign(file, read_schema(ROOT / "examples" / "hillstrom" / "schema.toml"))
    played = replay(stores, campaign, outcome, seed=1, told=silent)
    names = ["epsilon_greedy", "trees", "wabbit", "uniform"]
    found = compare(stores, campaign, played, names, told=silent)
    assert [each.policy for each in found.rivals] == names
    values = {each.policy: each.found.doubly_robust for each in found.rivals}
    assert all(each.trustworthy for each in values.values())
    uniform = values.pop("uniform")
    control = found.control.doubly_robust.value
    assert control is not None
    for learned in (found.learned.doubly_robust, values["epsilon_greedy"], values["trees"]):
        assert learned.value is not None
        assert uniform.value is not None
        assert learned.value > uniform.value > control
    # Nobody is proved better than one mail for all; uniform play is proved worse.
    assert all(each.edge.low is not None and each.edge.low < 0 for each in found.rivals)
    assert found.rivals[-1].edge.high is not None
    assert found.rivals[-1].edge.high < 0
