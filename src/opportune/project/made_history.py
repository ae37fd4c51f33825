"""History that is made up: what the customers of a template were and did before its first day.

It is a function of what the template says, a seed and a day: no person is behind it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

__all__ = ["made_history", "schema_of", "to_csv"]

# Whose rows they are, and which messages they become.
SHARED = ("kind", "event", "customer", "at")
DAY_SECONDS = 86_400

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """Draws for one column each: a column more changes none of the others."""

    seed: int
    day: date
    name: str
    known: Mapping[str, pa.Array] = field(default_factory=dict)

    def rng(self, *place: str) -> np.random.Generator:
        label = "/".join((self.name, *place)).encode()
        return np.random.default_rng((self.seed, zlib.crc32(label)))


def made_history(name: str, spec: Spec, *, seed: int, day: date) -> pa.Table:
    """Make the rows of the template ``name``: who its customers are, and what they did before.

    ``spec`` has ``customers`` (how many), ``traits`` and ``events``; all lies before ``day``.
    The same arguments give the same rows; another seed gives others.

    >>> from datetime import date
    >>> spec = {"customers": 2, "traits": {"plan": {"one_of": ["basic"]}}, "events": []}
    >>> made_history("tea", spec, seed=1, day=date(2026, 3, 1)).column("customer").to_pylist()
    ['tea-customer-0001', 'tea-customer-0002']
    """
    draw = _Draw(seed=seed, day=day, name=name)
    count = int(spec["customers"])
    who = np.arange(count)
    traits = {
        trait: _column(draw, what, who, "trait", trait) for trait, what in spec["traits"].items()
    }
    known = _Draw(seed=seed, day=day, name=name, known=traits)
    yesterday = np.full(count, _midnight(day - timedelta(days=1)))
    tables = [_rows(known, "identify", "", who, yesterday, traits)]
    tables += [_happened(known, place, event, who) for place, event in enumerate(spec["events"])]
    return pa.concat_tables(tables, promote_options="default").sort_by(
        [(column, "ascending") for column in ("at", "customer", "kind", "event")]
    )


def to_csv(history: pa.Table) -> bytes:
    """Write rows as CSV with a header; what a row does not have is an empty cell."""
    written = BytesIO()
    csv.write_csv(history, written, csv.WriteOptions(quoting_style="needed"))
    return written.getvalue()


def schema_of(spec: Spec) -> str:
    """Say in TOML, for ``opportune import``, which messages the rows of `made_history` become."""
    properties = {
        name: what for event in spec["events"] for name, what in event.get("properties", {}).items()
    }
    kinds = {
        name: kind
        for name, what in {**properties, **spec["traits"]}.items()
        if (kind := _kind(what)) is not None
    }
    types = "\n".join(f'{name} = "{kind}"' for name, kind in sorted(kinds.items()))
    return SCHEMA.format(
        types=types,
        traits=json.dumps(list(spec["traits"])),
        properties=json.dumps(list(properties)),
    )


SCHEMA = """\
# What the rows of history.csv mean. Yours need other columns and another schema of this kind.

[types]
{types}

[[messages]]
type = "identify"
only = {{ kind = ["identify"] }}
user_id = "customer"
timestamp = "at"
traits = {traits}

[[messages]]
type = "track"
only = {{ kind = ["track"] }}
event = "event"
user_id = "customer"
timestamp = "at"
properties = {properties}
"""


def _happened(draw: _Draw, place: int, event: Spec, customers: NDArray[np.int64]) -> pa.Table:
    """Return the rows of one kind of event: once each, at the day of a trait, or by chance."""
    name, label = event["name"], f"{event['name']} {place}"
    rng = draw.rng("event", label)
    if "at" in event:
        who = customers
        days = np.array(draw.known[event["at"]].to_numpy(zero_copy_only=False), "datetime64[D]")
        starts = days.astype("datetime64[s]")
    else:
        who = np.repeat(customers, rng.poisson(event["mean"], len(customers)))
        starts = _midnight(draw.day) - _days_ago(rng, event["days_ago"], len(who))
    moments = starts + rng.integers(0, DAY_SECONDS, len(who)).astype("timedelta64[s]")
    properties = {
        each: _column(draw, what, who, label, each)
        for each, what in event.get("properties", {}).items()
    }
    return _rows(draw, "track", name, who, moments, properties)


def _rows(
    draw: _Draw,
    kind: str,
    event: str,
    who: NDArray[np.int64],
    moments: NDArray[np.datetime64],
    columns: Mapping[str, pa.Array],
) -> pa.Table:
    numbers = np.char.zfill((who + 1).astype(str), 4)
    shared = (
        pa.array([kind] * len(who), pa.string()),
        pa.array([event or None] * len(who), pa.string()),
        pa.array(np.char.add(f"{draw.name}-customer-", numbers), pa.string()),
        pa.array(np.char.add(np.datetime_as_string(moments, unit="s"), "Z"), pa.string()),
    )
    return pa.table(dict(zip(SHARED, shared, strict=True)) | dict(columns))


def _column(draw: _Draw, what: Spec, who: NDArray[np.int64], *place: str) -> pa.Array:
    """Draw a value for each of ``who``: of a list, a number, a truth, a day, or their trait."""
    rng, size = draw.rng(*place), len(who)
    if "trait" in what:
        return draw.known[what["trait"]].take(pa.array(who))
    if "one_of" in what:
        return pa.array(rng.choice(what["one_of"], size, p=what.get("shares")), pa.string())
    if "share" in what:
        return pa.array(rng.random(size) < what["share"])
    if "days_ago" in what:
        days = (_midnight(draw.day) - _days_ago(rng, what["days_ago"], size)).astype(
            "datetime64[D]"
        )
        return pa.array(np.datetime_as_string(days), pa.string())
    if what.get("decimals", 0):
        return pa.array(np.round(rng.uniform(what["from"], what["to"], size), what["decimals"]))
    return pa.array(rng.integers(what["from"], what["to"], size, endpoint=True))


def _kind(what: Spec) -> str | None:
    if "share" in what:
        return "boolean"
    if "from" in what:
        return "number" if what.get("decimals", 0) else "integer"
    return None


def _midnight(day: date) -> np.datetime64:
    return np.datetime64(day, "s")


def _days_ago(
    rng: np.random.Generator, between: tuple[int, int], size: int
) -> NDArray[np.timedelta64]:
    """Whole days, both ends included; days still to come are below 0."""
    days = rng.integers(*between, size, endpoint=True)
    return (days * DAY_SECONDS).astype("timedelta64[s]")
