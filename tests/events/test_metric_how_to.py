"""The examples of the page on metrics are metrics, and come to what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np

from opportune.events import parse_metric, parse_metrics
from opportune.rules import FUNCTIONS, evaluate, names_in, parse_formula

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "how-to" / "define-a-metric.md"
EXAMPLE = re.compile(r"^```toml\n(.*?)^```\n", flags=re.DOTALL | re.MULTILINE)


def test_every_example_is_a_metric() -> None:
    examples = [tomllib.loads(text) for text in EXAMPLE.findall(PAGE.read_text())]
    orders, _, formula, _, renewal = examples
    problems: list[str] = []
    read = [parse_metric("example", body, problems) for body in examples if body is not formula]
    assert problems == []
    assert None not in read
    revenue = {**orders, "value": "revenue", "unit": "EUR"}
    bodies = {"orders": orders, "revenue": revenue, "value": formula}
    calculated = parse_metrics(bodies, problems)["value"]
    assert problems == []
    assert calculated is not None
    assert calculated.unit == "EUR per orders"
    worth = parse_formula(renewal["value"])
    assert names_in(worth) == ("fee", "months")
    found = evaluate(worth, {"fee": np.array([30.0]), "months": np.array([24.0])}, rows=1)
    assert f"is worth {found[0]:.2f} EUR" in PAGE.read_text()


def test_every_function_is_on_its_page() -> None:
    page = (DOCS / "reference" / "formulas.md").read_text()
    assert [name for name, each in FUNCTIONS.items() if f"| `{each.usage}` |" not in page] == []
    assert [name for name, each in FUNCTIONS.items() if not each.usage.startswith(f"{name}(")] == []
