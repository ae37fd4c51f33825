"""A campaign that was really run, played through the rooms: from the file to the verdict."""

from __future__ import annotations

import json
import tempfile
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import typer
from pyarrow import csv, parquet
from typer.testing import CliRunner

from opportune import learning, policies
from opportune.documents import InvalidDefinition
from opportune.errors import NotFound
from opportune.replay import (
    Campaign,
    Replayed,
    Schema,
    UnknownOutcome,
    UnusableFile,
    parse_schema,
    read_campaign,
    read_schema,
    replay,
    verdict,
)
from opportune.settings import Settings
from opportune.storage import Stores, open_stores

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
DATASETS = ROOT.parent / "shared" / "datasets"

SCHEMA = """
title = "Spring"
features = ["visits", "plan"]
categorical = ["plan"]
control = { letter = "none" }
propensity = "chance"
batches = 4
held_out_share = 0.5

[[dimensions]]
name = "mail"
column = "letter"
options = { none = "nothing", sale = "sale", news = "news" }

[[outcomes]]
name = "bought"
column = "bought"
kind = "binary"

[[outcomes]]
name = "spent"
column = "spent"
kind = "amount"
"""


def silent(what: str, done: int, total: int) -> None:
    """Hear of progress and say nothing."""


def schema(**changes: object) -> Schema:
    body = {**tomllib.loads(SCHEMA), **changes}
    return parse_schema(
        {name: value for name, value in body.items() if value is not None}, where="s"
    )


def problems(**changes: object) -> list[str]:
    with pytest.raises(InvalidDefinition) as refusal:
        schema(**changes)
    return list(refusal.value.problems)


def made(*, rows: int = 6_000, seed: int = 4) -> dict[str, pa.Array]:
    """Plan "basic" likes the sale, the others the news: with it one half buys, else a tenth."""
    random = np.random.default_rng(seed)
    plan = random.integers(0, 2, rows)
    letter = random.integers(0, 3, rows)
    fits = ((letter == 1) & (plan == 0)) | ((letter == 2) & (plan == 1))
    bought = random.random(rows) < np.where(fits, 0.5, 0.1)
    spent = np.where(bought, np.round(random.lognormal(3, 0.5, rows), 2), 0.0)
    return {
        "visits": pa.array(random.poisson(3, rows)),
        "plan": pa.array(np.array(["basic", "plus"])[plan]),
        "letter": pa.array(np.array(["none", "sale", "news"])[letter]),
        "chance": pa.array(np.full(rows, 1 / 3)),
        "bought": pa.array(bought),
        "spent": pa.array(spent),
    }


def written(folder: Path, columns: Mapping[str, pa.Array], *, name: str = "spring.parquet") -> Path:
    table = pa.table(dict(columns))
    path = folder / name
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
    return path


def refusal(folder: Path, columns: Mapping[str, pa.Array], meaning: Schema) -> list[str]:
    with pytest.raises(UnusableFile) as error:
        read_campaign(written(folder, columns), meaning)
    return list(error.value.problems)


def few(**changes: object) -> dict[str, pa.Array]:
    """Ten rows with some columns changed."""
    columns = {name: column.slice(0, 10) for name, column in made(rows=10).items()}
    return {**columns, **{name: pa.array(values) for name, values in changes.items()}}


# The schema


def test_a_schema_is_read_into_the_words_of_the_rooms() -> None:
    found = schema()
    assert found.space.dimensions[0].options == ("nothing", "sale", "news")
    assert found.control == ("nothing",)
    assert [(each.column, each.categorical) for each in found.features] == [
        ("visits", False),
        ("plan", True),
    ]
    assert (found.propensity, found.time, found.batches, found.held_out_share) == (
        "chance",
        None,
        4,
        0.5,
    )


def test_every_mistake_of_a_schema_is_listed_at_once() -> None:
    found = problems(
        features=["visits", "bought", "visits", {"column": "plan", "one_off": ["a"]}],
        categorical=["visit"],
        control={"letter": "sales"},
        propensity=None,
        batches=2.5,
        held_out_share=1.5,
        outcomes=[{"column": "bought", "kind": "binry"}],
        colour="red",
    )
    assert found == [
        "s: outcomes[0].kind: 'binry' given. Did you mean 'binary'? Allowed: amount, binary.",
        "s: features[3].one_of: missing, must be a list of texts.",
        "s: features[3].one_off: unknown key. Did you mean 'one_of'? Allowed: column, one_of.",
        "s: categorical: 'visit' is no feature. Did you mean 'visits'? Allowed: bought, plan, "
        "visits.",
        "s: features: 'visits' stands there twice, names must differ.",
        "s: control.letter: 'sales' is no value. Did you mean 'sale'? Allowed: news, none, sale.",
        "s: propensity: missing, must be the name of a column, one number for every action, or a "
        "table of shares per dimension.",
        "s: batches: 2.5 given, must be a whole number.",
        "s: held_out_share: 1.5 given, must be a number from 0.05 to 0.95.",
        "s: colour: unknown key. Allowed: batches, categorical, control, dimensions, features, "
        "held_out_share, outcomes, propensity, time, title.",
        "s: features: 'bought' is an outcome: unknown before deciding.",
    ]


def test_one_propensity_for_all_actions_must_add_up_to_one() -> None:
    assert problems(propensity=0.5) == [
        "s: propensity: 0.5 given for each of 3 actions, which adds up to 1.5, not 1. Allowed: "
        "0.333333, or a table of shares, or a column."
    ]


def test_shares_must_name_every_value_and_add_up_to_one() -> None:
    assert problems(propensity={"letter": {"none": 0.5, "sale": 0.3, "news": 0.1}}) == [
        "s: propensity.letter: the shares add up to 0.9, must be 1."
    ]
    assert problems(propensity={"letter": {"none": 0.5, "sale": 0.5, "mews": 0.0}}) == [
        "s: propensity.letter.news: missing, must be a number from 0 to 1.",
        "s: propensity.letter.mews: unknown key. Did you mean 'news'? Allowed: news, none, sale.",
    ]
    assert problems(propensity={"letter": {"none": 0.5, "sale": 0.5, "news": 0.0}}) == [
        "s: propensity.letter.news: 0 given, must be above 0: what was never played teaches "
        "nothing."
    ]


def test_a_schema_needs_options_to_choose_from() -> None:
    assert problems(
        dimensions=[{"column": "letter", "options": {"none": "nothing"}}], propensity="chance"
    ) == [
        "s: dimensions[0].options: 1 given, 2 to 63 allowed: each value of the column with the "
        "name of its option."
    ]


def test_features_are_named_one_by_one() -> None:
    assert problems(features=["plan", 3, {"column": "visits", "one_of": ["1"] * 51}]) == [
        "s: features[1]: 3 given, must be the name of a column or a table with 'column' and "
        "'one_of'.",
        "s: features[2].one_of: 51 given, at most 50 allowed.",
        "s: features[2].one_of: '1' stands there twice, names must differ.",
    ]


def test_actions_are_few_enough_to_be_told_apart() -> None:
    options = {f"o{place}": f"o{place}" for place in range(40)}
    found = problems(
        dimensions=[{"column": name, "options": options} for name in ("one", "other")],
        control={"one": "o0", "other": "o0"},
    )
    assert found == ["s: dimensions: 1600 actions, at most 1000 allowed."]


def test_a_schema_file_that_is_missing_or_no_toml_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no schema file"):
        read_schema(tmp_path / "schema.toml")
    (tmp_path / "schema.toml").write_text("features = [")
    with pytest.raises(InvalidDefinition, match=r"schema\.toml: this is not TOML"):
        read_schema(tmp_path / "schema.toml")


# The file


def test_rows_become_columns(tmp_path: Path) -> None:
    columns = few(
        visits=[None, *range(9)],
        plan=["b", "a", None, *["c"] * 7],
        letter=["news", "none", *["sale"] * 8],
        bought=[1, *[0] * 9],
        spent=[-2.5, *[0.0] * 9],
    )
    found = read_campaign(written(tmp_path, columns), schema())
    assert found.rows == 10
    assert found.features[1].one_of == ("a", "b", "c")
    assert found.traits["visits"].to_pylist()[:3] == [None, 0.0, 1.0]
    assert found.actions[:3, 0].tolist() == [2, 0, 1]
    assert found.propensities.tolist() == [1 / 3] * 10
    assert found.dimension_propensities.tolist() == [[1 / 3]] * 10
    assert found.rewards["bought"].tolist() == [1.0, *[0.0] * 9]
    assert found.rewards["spent"].tolist() == [-2.5, *[0.0] * 9]
    assert found.planned_shares == {}


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    columns = made(rows=50)
    one = read_campaign(written(tmp_path, columns), schema())
    other = read_campaign(written(tmp_path, columns, name="spring.csv"), schema())
    assert one.traits["visits"].to_pylist() == other.traits["visits"].to_pylist()
    assert one.actions.tolist() == other.actions.tolist()
    assert one.rewards["spent"].tolist() == other.rewards["spent"].tolist()
    assert one.fingerprint != other.fingerprint


def test_shares_of_two_dimensions_multiply(tmp_path: Path) -> None:
    meaning = schema(
        dimensions=[
            {"column": "letter", "options": {"none": "none", "sale": "sale", "news": "news"}},
            {"column": "plan", "options": {"basic": "basic", "plus": "plus"}},
        ],
        features=["visits"],
        categorical=[],
        control={"letter": "none", "plan": "basic"},
        propensity={
            "letter": {"none": 0.5, "sale": 0.25, "news": 0.25},
            "plan": {"basic": 0.8, "plus": 0.2},
        },
    )
    columns = few(letter=["none", "sale", *["news"] * 8], plan=["plus", *["basic"] * 9])
    found = read_campaign(written(tmp_path, columns), meaning)
    assert found.dimension_propensities[:2].tolist() == [[0.5, 0.2], [0.25, 0.8]]
    assert found.propensities[:2].tolist() == pytest.approx([0.1, 0.2])
    assert found.planned_shares[("sale", "plus")] == pytest.approx(0.05)
    assert sum(found.planned_shares.values()) == pytest.approx(1.0)


def test_a_joint_propensity_column_says_nothing_of_single_dimensions(tmp_path: Path) -> None:
    meaning = schema(
        dimensions=[
            {"column": "letter", "options": {"none": "none", "sale": "sale", "news": "news"}},
            {"column": "plan", "options": {"basic": "basic", "plus": "plus"}},
        ],
        features=["visits"],
        categorical=[],
        control={"letter": "none", "plan": "basic"},
    )
    found = read_campaign(written(tmp_path, few()), meaning)
    assert found.propensities.tolist() == [1 / 3] * 10
    assert np.isnan(found.dimension_propensities).all()


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    columns = few()
    columns["visit"] = columns.pop("visits")
    columns["odds"] = columns.pop("chance")
    assert refusal(tmp_path, columns, schema()) == [
        "spring.parquet: column 'visits': there is no such column. Did you mean 'visit'? Allowed: "
        "bought, letter, odds, plan, spent, visit.",
        "spring.parquet: column 'chance': there is no such column. Allowed: bought, letter, odds, "
        "plan, spent, visit.",
    ]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0.0"), (-0.2, "-0.2"), (1.5, "1.5"), (None, "missing")]
)
def test_a_propensity_that_cannot_be_is_counted_and_shown(
    tmp_path: Path, value: float | None, shown: str
) -> None:
    columns = few(chance=[0.3, 0.3, value, value, *[0.3] * 6])
    assert refusal(tmp_path, columns, schema()) == [
        f"spring.parquet: column 'chance': 2 rows are wrong, the first is row 3 ({shown}): it must "
        "be above 0 and at most 1."
    ]


def test_a_propensity_must_be_a_number_and_a_column_must_be_one(tmp_path: Path) -> None:
    assert refusal(tmp_path, few(chance=["a third"] * 10), schema()) == [
        "spring.parquet: column 'chance': it holds string, not numbers above 0 and at most 1."
    ]
    text = "visits,plan,letter,chance,bought,spent,plan\n" + "1,a,none,0.5,0,0,b\n" * 10
    (tmp_path / "spring.csv").write_text(text)
    with pytest.raises(UnusableFile) as error:
        read_campaign(tmp_path / "spring.csv", schema())
    assert error.value.problems == ("spring.csv: column 'plan': there are 2 columns of this name.",)


def test_an_action_that_is_no_option_is_counted_and_shown(tmp_path: Path) -> None:
    columns = few(letter=["none", "sail", None, *["sale"] * 7])
    assert refusal(tmp_path, columns, schema()) == [
        "spring.parquet: column 'letter': 2 rows have a value that is no option, the first is row "
        "2 ('sail'). Did you mean 'sale'? Allowed: news, none, sale."
    ]


def test_outcomes_must_be_numbers_of_their_kind(tmp_path: Path) -> None:
    columns = few(bought=[2, *[0] * 9], spent=["3 EUR"] * 10)
    assert refusal(tmp_path, columns, schema()) == [
        "spring.parquet: column 'bought': 1 rows are wrong, the first is row 1 (2.0): it must be 0 "
        "or 1.",
        "spring.parquet: column 'spent': it holds string; an outcome must be a number, or true or "
        "false.",
    ]
    columns = few(spent=[1.0, None, float("inf"), *[0.0] * 7])
    assert refusal(tmp_path, columns, schema()) == [
        "spring.parquet: column 'spent': 2 rows are wrong, the first is row 2 (missing): it must "
        "be a finite number."
    ]


def test_a_text_is_no_feature_unless_it_is_declared_a_category(tmp_path: Path) -> None:
    assert refusal(tmp_path, few(), schema(categorical=[])) == [
        "spring.parquet: column 'plan': it holds string, not numbers. List it under 'categorical', "
        "or give the categories with 'one_of'."
    ]


def test_a_category_has_at_most_fifty_levels(tmp_path: Path) -> None:
    columns = {**made(rows=51), "plan": pa.array([f"p{place}" for place in range(51)])}
    assert refusal(tmp_path, columns, schema()) == [
        "spring.parquet: column 'plan': it has 51 categories, 1 to 50 are allowed. Name the ones "
        "that matter with 'one_of', or leave the column out."
    ]
    named = schema(features=["visits", {"column": "plan", "one_of": ["p1", "p2"]}], categorical=[])
    assert read_campaign(written(tmp_path, columns), named).features[1].one_of == ("p1", "p2")


def test_an_empty_file_and_too_few_rows_are_refused(tmp_path: Path) -> None:
    nothing = {name: column.slice(0, 0) for name, column in made(rows=10).items()}
    assert refusal(tmp_path, nothing, schema()) == [
        "spring.parquet: 0 rows; 1 to 5000000 are allowed."
    ]
    assert refusal(tmp_path, few(), schema(batches=6)) == [
        "spring.parquet: 10 rows make 5 held-out and 5 training rows; at least 2 and 6 (one a "
        "batch) are needed. Give more rows, or set 'batches' and 'held_out_share' in s."
    ]


def test_a_file_that_is_missing_or_no_table_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file"):
        read_campaign(tmp_path / "spring.csv", schema())
    (tmp_path / "spring.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UnusableFile, match="neither Parquet nor CSV"):
        read_campaign(tmp_path / "spring.parquet", schema())


def test_times_order_the_rows_and_must_be_there(tmp_path: Path) -> None:
    days = [f"2026-01-{10 - place:02}" for place in range(10)]
    found = read_campaign(written(tmp_path, few(sent=days)), schema(time="sent"))
    assert found.rank.tolist() == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert refusal(tmp_path, few(sent=[None, *days[1:]]), schema(time="sent")) == [
        "spring.parquet: column 'sent': 1 rows are wrong, the first is row 1 (missing): it must be "
        "given."
    ]
    assert "Write times as" in refusal(tmp_path, few(sent=["May"] * 10), schema(time="sent"))[0]


# The replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Spring:
    campaign: Campaign
    stores: Stores
    result: Replayed


def played(folder: Path, stores: Stores) -> Spring:
    campaign = read_campaign(written(folder, made()), schema())
    result = replay(stores, campaign, "bought", seed=1, told=silent)
    return Spring(campaign=campaign, stores=stores, result=result)


@pytest.fixture
def own_spring(tmp_path: Path, stores: Stores) -> Spring:
    """Played in stores that a test may go on writing to."""
    return played(tmp_path, stores)


@pytest.fixture(scope="module")
def spring(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spring]:
    """Played once, for tests that only look."""
    folder = tmp_path_factory.mktemp("spring")
    name = f"spring_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template opportune_template")
    head, _, query = server_url.partition("?")
    url = f"{head.rsplit('/', 1)[0]}/{name}?{query}"
    stores = open_stores(Settings(data_folder=folder / "data", database_url=url), now=NOW)
    yield played(folder, stores)
    stores.close()
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def test_the_learned_policy_beats_every_single_action_where_the_best_depends_on_a_feature(
    spring: Spring,
) -> None:
    found = spring.result
    assert (found.training_rows, found.held_out_rows, found.days) == (3_000, 3_000, 4)
    assert [each.name for each in found.singles] == ["nothing", "sale", "news"]
    assert found.control.name == "nothing"
    # 99 % get what fits, which half of them buy; any single action fits every second customer.
    value = 0.99 * 0.5 + 0.01 * (0.5 + 0.1 + 0.1) / 3
    assert found.learned.doubly_robust.value == pytest.approx(value, abs=0.03)
    for single in found.singles[1:]:
        assert single.doubly_robust.value == pytest.approx(0.3, abs=0.04)
    assert found.edge.low is not None
    assert found.edge.low > 0.1
    assert "earns more than the best single action" in verdict(found)
    assert found.learned.supported_share == pytest.approx(1.0)
    assert found.sample_ratio is None


def test_the_log_is_evaluated_as_its_plain_mean(spring: Spring) -> None:
    kept = spring.result.logged.terms
    assert len(kept) == 3_000
    assert spring.result.logged.ips.value == pytest.approx(kept.mean(), rel=1e-12)


def test_held_out_rows_enter_neither_decisions_nor_rewards_nor_outcomes(spring: Spring) -> None:
    stores = spring.stores
    assert stores.lake.read("features").num_rows == 6_000
    decided = stores.lake.read("decisions")
    assert decided.num_rows == 3_000
    assert decided["policy_version"].unique().to_pylist() == ["logged"]
    assert decided["day"].value_counts().field("counts").to_pylist() == [750] * 4
    rewards = stores.lake.read("rewards")
    assert rewards.num_rows == 3_000
    outcomes = stores.lake.read("events", columns=["type", "user_id"])
    outcomes = outcomes.filter(pc.equal(outcomes["type"], "track"))
    assert set(outcomes["user_id"].to_pylist()) <= set(decided["user_id"].to_pylist())
    everybody = spring.campaign.rewards["bought"].sum()
    assert pc.sum(rewards["reward"]).as_py() + spring.result.logged.terms.sum() == everybody


def test_decisions_are_the_logged_ones_with_their_propensity(spring: Spring) -> None:
    names = ("nothing", "sale", "news")
    decided = spring.stores.lake.read("decisions")
    rows = [int(user.split("-")[1]) - 1 for user in decided["user_id"].to_pylist()]
    logged = [[names[option]] for option in spring.campaign.actions[rows, 0]]
    assert decided["action"].to_pylist() == logged
    assert decided["propensity"].to_pylist() == [1 / 3] * 3_000
    assert decided["variant"].unique().to_pylist() == ["treatment"]
    first = decided.slice(0, 1).to_pylist()[0]
    assert first["decision_id"].endswith(f":{first['profile_id'] & (2**64 - 1):016x}")


def test_features_come_out_of_the_snapshot_as_they_stand_in_the_file(spring: Spring) -> None:
    kept = spring.stores.lake.read("features", columns=["user_id", "values"])
    rows = [int(user.split("-")[1]) - 1 for user in kept["user_id"].to_pylist()]
    visits = spring.campaign.traits["visits"].to_numpy()[rows]
    plans = np.array(spring.campaign.traits["plan"].to_pylist())[rows]
    expected = np.stack([visits, plans == "basic", plans == "plus"], axis=1)
    assert np.array_equal(np.array(kept["values"].to_pylist()), expected.astype(np.float64))


def test_held_out_outcomes_do_not_change_what_is_learned(own_spring: Spring) -> None:
    campaign, stores = own_spring.campaign, own_spring.stores
    decided = stores.lake.read("decisions", columns=["user_id"])["user_id"].to_pylist()
    training = np.zeros(6_000, dtype=np.bool_)
    training[[int(user.split("-")[1]) - 1 for user in decided]] = True
    bought = campaign.rewards["bought"]
    turned = replace(
        campaign,
        rewards={"bought": np.where(training, bought, 1 - bought)},
        fingerprint="turned",
    )
    again = replay(stores, turned, "bought", seed=1, told=silent)
    assert again.logged.ips.value == pytest.approx(1 - _value(own_spring.result.logged))
    sql = "select body from model where day = '2000-01-05' order by use_case"
    models = [policies.FactoredThompson.from_bytes(row["body"]) for row in stores.state.rows(sql)]
    features = np.array([[1.0, 1.0, 0.0], [3.0, 0.0, 1.0], [9.0, 1.0, 0.0]])
    actions = np.array([[0], [1], [2]], dtype=np.int16)
    one, other = (model.expected(features, actions).tolist() for model in models)
    # The customers have other ids, so the same rows were added up in another order.
    assert one == pytest.approx(other, rel=1e-9)


def _value(row: learning.Evaluated) -> float:
    assert row.ips.value is not None
    return row.ips.value


def test_running_again_on_the_same_stores_changes_nothing(own_spring: Spring) -> None:
    spring, stores = own_spring, own_spring.stores
    tables = ("events", "rejects", "features", "decisions", "rewards")
    counts = {name: stores.lake.read(name).num_rows for name in tables}
    again = replay(stores, spring.campaign, "bought", seed=1, told=silent)
    assert {name: stores.lake.read(name).num_rows for name in tables} == counts
    assert counts["rejects"] == 0
    assert again.learned.terms.tolist() == spring.result.learned.terms.tolist()
    assert again.edge == spring.result.edge


def test_another_seed_holds_out_other_rows_and_another_outcome_is_learned_beside_it(
    own_spring: Spring,
) -> None:
    spring, stores = own_spring, own_spring.stores
    other = replay(stores, spring.campaign, "bought", seed=2, told=silent)
    assert other.logged.ips.value != spring.result.logged.ips.value
    spent = replay(stores, spring.campaign, "spent", seed=1, told=silent)
    assert spent.best_single in ("sale", "news")
    assert spent.learned.doubly_robust.value == pytest.approx(0.5 * np.exp(3 + 0.5**2 / 2), abs=1.0)
    assert stores.lake.read("decisions").num_rows == 9_000
    # The customers are the same ones: they entered once.
    kinds = stores.lake.read("events", columns=["type"])["type"].value_counts().to_pylist()
    assert {"values": "identify", "counts": 6_000} in kinds


def test_with_a_time_the_latest_rows_are_held_out(tmp_path: Path, stores: Stores) -> None:
    columns = {**made(rows=400), "sent": pa.array(np.arange(400)[::-1])}
    campaign = read_campaign(written(tmp_path, columns), schema(time="sent"))
    replay(stores, campaign, "bought", seed=1, told=silent)
    decided = stores.lake.read("decisions", columns=["user_id", "day"]).sort_by("day")
    rows = [int(user.split("-")[1]) for user in decided["user_id"].to_pylist()]
    assert set(rows) == set(range(201, 401))
    assert set(rows[:50]) == set(range(351, 401))


def test_an_unknown_outcome_names_the_nearest(spring: Spring) -> None:
    with pytest.raises(UnknownOutcome, match=r"s has no outcome 'spend'\. Did you mean 'spent'\?"):
        replay(spring.stores, spring.campaign, "spend", seed=1, told=silent)


# What is said of it


def test_the_verdict_is_careful(spring: Spring) -> None:
    found = spring.result
    close = replace(found, edge=replace(found.edge, value=0.01, low=-0.01, high=0.03))
    assert verdict(close).startswith(
        f"The learned policy cannot be told from the best single action, '{found.best_single}'"
    )
    worse = replace(found, edge=replace(found.edge, value=-0.02, low=-0.03, high=-0.01))
    assert "earns less than the best single action" in verdict(worse)
    unknown = replace(found, edge=replace(found.edge, low=None, high=None, reason="No rows."))
    assert verdict(unknown).endswith("No rows.")
    weak = replace(found, learned=replace(found.learned, supported_share=0.7))
    assert verdict(weak).startswith("The log never played 30% of what the learned policy")
    few_rows = replace(found.control, snips=replace(found.control.snips, trustworthy=False))
    assert verdict(replace(found, control=few_rows)).startswith("Too little of the log speaks of")


def test_actions_that_were_not_played_as_planned_are_said_first(
    tmp_path: Path, stores: Stores
) -> None:
    columns = made(rows=1_200)
    columns["letter"] = pa.array(["none"] * 600 + ["sale"] * 300 + ["news"] * 300)
    campaign = read_campaign(written(tmp_path, columns), schema(propensity=0.33333333))
    found = replay(stores, campaign, "bought", seed=1, told=silent)
    assert found.sample_ratio is not None
    assert found.sample_ratio.suspicious
    assert verdict(found).startswith("Do not trust any of this before you know why")


# The command


@pytest.fixture
def command() -> typer.Typer:
    from opportune.cli.replay import replay_command

    app = typer.Typer()
    app.command()(replay_command)
    return app


@pytest.fixture
def kept() -> Iterator[Path]:
    """A folder to keep. Not below pytest's own, which it closes to the database's user."""
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place:
        yield Path(place) / "kept"


def test_the_command_prints_the_same_to_the_last_digit_twice(
    tmp_path: Path, kept: Path, command: typer.Typer
) -> None:
    file = written(tmp_path, made(rows=1_500))
    (tmp_path / "s.toml").write_text(SCHEMA)
    given = [str(file), "--schema", str(tmp_path / "s.toml"), "--seed", "5"]
    first = CliRunner().invoke(command, [*given, "--json"])
    second = CliRunner().invoke(command, [*given, "--json", "--data", str(kept)])
    assert first.exit_code == 0
    assert first.stdout == second.stdout
    assert "bought: days played: 4 of 4" in first.stderr
    found = json.loads(first.stdout)
    assert [each["outcome"] for each in found] == ["bought", "spent"]
    assert found[0]["best_single_action"] in ("sale", "news")
    page = CliRunner().invoke(command, [*given, "--outcome", "bought", "--data", str(kept)])
    lines = page.stdout.splitlines()
    assert lines[0].startswith("Spring: bought a row, learned from 750 rows in 4 days")
    assert [line.split("  ")[0] for line in lines[4:9]] == [
        "learned policy",
        "always nothing (control)",
        "always sale",
        "always news",
        "as it was run",
    ]
    assert f"{found[0]['learned']['dr']['value']:.4f} ±" in lines[4]


def test_the_command_refuses_a_file_before_it_makes_anything(
    tmp_path: Path, command: typer.Typer
) -> None:
    file = written(tmp_path, few(chance=[0.0] * 10))
    (tmp_path / "s.toml").write_text(SCHEMA)
    answer = CliRunner().invoke(
        command,
        [str(file), "--schema", str(tmp_path / "s.toml"), "--data", str(tmp_path / "kept")],
    )
    assert isinstance(answer.exception, UnusableFile)
    assert not (tmp_path / "kept").exists()


# Real campaigns


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
