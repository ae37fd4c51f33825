"""One decision, and why it came out as it did."""

from __future__ import annotations

from opportune import pipeline, project
from opportune.web import pages
from opportune.web.asking import Asked, Shown

__all__ = ["decision"]


def decision(asked: Asked) -> Shown:
    """Show what was chosen for one profile, how likely it was, and why nothing else."""
    defined = project.read(asked.stores.state)
    found = pipeline.explain(asked.stores, defined, asked.path["id"], now=asked.now)
    largest = max((abs(each.adds) for each in found.factors), default=1.0)
    context = {"found": found, "said": found.decided, "largest": largest}
    return Shown(body=pages.render("decision.html", asked.frame, context))
