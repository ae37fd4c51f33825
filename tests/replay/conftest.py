"""A made-up campaign whose truth is known: its schema, its rows, and the file with them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from opportune.documents import InvalidDefinition
from opportune.replay import Schema, UnusableFile, parse_schema, read_campaign

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


@dataclass(frozen=True)
class Spring:
    """The campaign, to be written into a folder."""

    folder: Path

    def schema(self, **changes: object) -> Schema:
        """The schema with some keys changed; None takes one away."""
        body = {**tomllib.loads(SCHEMA), **changes}
        return parse_schema(
            {name: value for name, value in body.items() if value is not None}, where="s"
        )

    def problems(self, **changes: object) -> list[str]:
        """Why the schema with these changes is refused."""
        with pytest.raises(InvalidDefinition) as refusal:
            self.schema(**changes)
        return list(refusal.value.problems)

    def schema_file(self) -> Path:
        path = self.folder / "s.toml"
        path.write_text(SCHEMA)
        return path

    def made(self, *, rows: int = 6_000, seed: int = 4) -> dict[str, pa.Array]:
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

    def few(self, **changes: object) -> dict[str, pa.Array]:
        """Ten rows with some columns changed."""
        columns = {name: column.slice(0, 10) for name, column in self.made(rows=10).items()}
        return {**columns, **{name: pa.array(values) for name, values in changes.items()}}

    def written(self, columns: Mapping[str, pa.Array], *, name: str = "spring.parquet") -> Path:
        table = pa.table(dict(columns))
        path = self.folder / name
        if path.suffix == ".csv":
            csv.write_csv(table, path)
        else:
            parquet.write_table(table, path)
        return path

    def refusal(self, columns: Mapping[str, pa.Array], **changes: object) -> list[str]:
        """Why a file with these columns is refused, under the schema with these changes."""
        with pytest.raises(UnusableFile) as error:
            read_campaign(self.written(columns), self.schema(**changes))
        return list(error.value.problems)


@pytest.fixture
def spring(tmp_path: Path) -> Spring:
    return Spring(tmp_path)


@pytest.fixture(scope="module")
def lasting_spring(tmp_path_factory: pytest.TempPathFactory) -> Spring:
    """For what is made once and only looked at."""
    return Spring(tmp_path_factory.mktemp("spring"))
