"""The groups of a use case beside each other, and who of its audience other use cases send to."""

from __future__ import annotations

from opportune import project, reports
from opportune.web.asking import Asked, Shown
from opportune.web.results import tab_of

__all__ = ["groups"]


def groups(asked: Asked) -> Shown:
    """Show what treatment earns beside each other group, and the overlap with other use cases."""
    defined = project.read(asked.stores.state)
    chosen = defined.use_case(asked.path["name"])
    found = reports.groups(asked.stores, chosen, defined.metric_of(chosen), now=asked.now)
    shared = reports.overlap(asked.stores, chosen, defined.use_cases.values(), now=asked.now)
    return tab_of("use_case_groups.html", asked, {"found": found, "overlap": shared})
