"""``explain``: why one decision came out as it did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import pipeline, project, reports, settings
from opportune.cli.stores import opened
from opportune.decisions import in_words
from opportune.pipeline import Explanation

__all__ = ["explain"]

SHOWN_CANDIDATES = 10


def explain(
    decision_id: Annotated[str, typer.Argument(help="As `opportune decisions` lists it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say why a decision came out as it did: what else it could be, how likely, and what not."""
    with opened(settings.load()) as stores:
        defined = project.read(stores.state)
        found = pipeline.explain(stores, defined, decision_id, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(reports.to_document(found)))
        return
    for line in _lines(found):
        typer.echo(line)


def _lines(found: Explanation) -> list[str]:
    said = found.decided
    return [
        f"{found.title}, {said.day}, decided {said.decided_at:%Y-%m-%d %H:%M} UTC in version "
        f"{said.version}",
        f"action: {_named(said.action)}, probability {said.propensity:.4f}, "
        + ("explored" if said.explored else "exploited"),
        found.group,
        f"delivery: {said.delivery or 'none'}" + (f" ({said.reason})" if said.reason else ""),
        f"policy {found.policy} {said.policy_version}, learned through "
        f"{found.trained_through or 'nothing yet'}",
        *([found.missing] if found.missing else []),
        *(
            f"candidate {_named(each.action)}: probability {each.probability:.4f}"
            + ("" if each.score is None else f", expects {each.score:.4g}")
            for each in found.candidates[:SHOWN_CANDIDATES]
        ),
        *(
            f"{'for' if each.adds > 0 else 'against'} {in_words(each)}: {each.adds:+.3f}"
            for each in found.factors
        ),
        *(
            [f"together {found.advantage:+.3f} log-odds above the average of all it could get"]
            if found.advantage is not None
            else []
        ),
        *(f"excluded {_named(each.options)}: {each.because}" for each in found.excluded),
    ]


def _named(options: Mapping[str, str]) -> str:
    return ", ".join(f"{dimension} {option}" for dimension, option in options.items())
