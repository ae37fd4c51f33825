"""Start a use case, let it decide in shadow, pause it, or let one go on that was stopped."""

from __future__ import annotations

import time
from urllib.parse import quote

from opportune import decisions, pipeline, profiles, project
from opportune.activation.braze import Asking, Patience
from opportune.profiles import PeopleFilter
from opportune.web import pages
from opportune.web.asking import Asked, Moved, Shown
from opportune.web.people import display_name

__all__ = ["change_state", "state"]

RESUME = "resume"
# Somebody waits for the page: a Braze that does not come soon stops nothing.
ASKING = Asking(
    clock=time.monotonic,
    sleep=time.sleep,
    patience=Patience(tries=1, wait_s=0.0),
    read_timeout_s=5.0,
)


def state(asked: Asked) -> Shown:
    """Show what the use case may do, who said so, and what it may do next."""
    chosen = project.read(asked.stores.state).use_case(asked.path["name"])
    found = decisions.audience_people(asked.stores.state, chosen.audience, chosen.minus)
    context = {
        "use_case": chosen,
        "people": found.people,
        "names": _names(asked, found.profile_ids),
        "stopped": decisions.stopped(asked.stores.state, chosen.name),
        "changes": decisions.state_changes(asked.stores.state, chosen.name),
    }
    return Shown(body=pages.render("use_case_state.html", asked.frame, context))


def change_state(asked: Asked) -> Moved:
    """Do what a button of that page says.

    Raises ``InvalidState``, ``NotStopped``, or ``BrazeSetUpWrong`` for a start that would not work.
    """
    defined = project.read(asked.stores.state)
    use_case = defined.use_case(asked.path["name"])
    name, to = use_case.name, asked.form.get("to")
    if to == "live":
        pipeline.check_before_start(asked.stores.settings, defined, use_case, ASKING)
    if to == RESUME:
        decisions.resume(asked.stores.state, name, by=asked.by, now=asked.now)
    else:
        pipeline.change_state(asked.stores, name, to, by=asked.by, now=asked.now)
    return Moved(to=f"/use-cases/{quote(name)}/state")


def _names(asked: Asked, ids: tuple[int, ...]) -> list[tuple[int, str]]:
    if not ids:
        return []
    found = profiles.people(asked.stores.state, PeopleFilter(ids=ids), limit=len(ids))
    return [(each.profile_id, display_name(each.traits, each.identifiers)) for each in found.rows]
