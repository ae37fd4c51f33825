"""What the buttons of the builder do to a draft: each returns another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from opportune.web.draft import ROOT, Draft

__all__ = ["FRESH", "edit"]

BLANK = Draft(form="all")
FRESH: Mapping[str, Draft] = {
    "trait": Draft(form="trait", values={"operator": "is", "kind": "text"}),
    "property": Draft(form="property", values={"operator": "is", "kind": "text"}),
    "segment": Draft(form="segment"),
    "event": Draft(
        form="event",
        values={
            "aggregate": "count",
            "operator": "at_least",
            "value": "1",
            "within": "30",
            "within_unit": "days",
        },
        events=("",),
    ),
    "step": Draft(form="step", events=("",)),
    "sequence": Draft(
        form="sequence",
        parts=(
            Draft(form="step", events=("",)),
            Draft(form="step", events=("",), values={"within": "4", "within_unit": "hours"}),
        ),
    ),
    "session": Draft(form="session", parts=(Draft(form="all"),)),
    "not": Draft(form="not", parts=(Draft(form="all"),)),
    "all": BLANK,
    "any": Draft(form="any"),
}


def edit(draft: Draft, act: str) -> Draft:
    """Do what a button says: "verb:path" or "verb:path:form"; anything else changes nothing.

    >>> edit(Draft(form="all"), "add:rule:trait").parts[0].form
    'trait'
    """
    verb, _, rest = act.partition(":")
    path, _, form = rest.partition(":")
    if verb == "remove":
        return _removed(draft, path)
    change = CHANGES.get(verb)
    if change is None:
        return draft
    return _at(draft, path, lambda found: change(found, form))


def _at(draft: Draft, path: str, change: Callable[[Draft], Draft]) -> Draft:
    """Return ``draft`` with ``change`` made to the node at ``path``; as it is if there is none."""
    steps = path.split("-")
    return _below(draft, steps[1:], change) if steps[0] == ROOT else draft


def _below(draft: Draft, steps: list[str], change: Callable[[Draft], Draft]) -> Draft:
    if not steps:
        return change(draft)
    step, rest = steps[0], steps[1:]
    if step in draft.below:
        inner = _below(draft.below[step], rest, change)
        return replace(draft, below={**draft.below, step: inner})
    if step.isdecimal() and int(step) < len(draft.parts):
        place = int(step)
        inner = _below(draft.parts[place], rest, change)
        return replace(draft, parts=(*draft.parts[:place], inner, *draft.parts[place + 1 :]))
    return draft


def _removed(draft: Draft, path: str) -> Draft:
    parent, _, last = path.rpartition("-")
    if not parent:
        return BLANK

    def without(found: Draft) -> Draft:
        if last in found.below:
            return replace(
                found, below={name: each for name, each in found.below.items() if name != last}
            )
        if not last.isdecimal():
            return found
        kept = tuple(each for place, each in enumerate(found.parts) if place != int(last))
        # What holds one rule goes with it.
        return BLANK if found.form in ("not", "session") else replace(found, parts=kept)

    return _at(draft, parent, without)


def _added(found: Draft, form: str) -> Draft:
    if form not in FRESH:
        return found
    return replace(found, parts=(*found.parts, FRESH[form]))


def _wrapped(found: Draft, form: str) -> Draft:
    return Draft(form=form, parts=(found,)) if form in ("all", "any", "not") else found


def _unwrapped(found: Draft, _: str) -> Draft:
    return found.parts[0] if len(found.parts) == 1 else found


def _another_event(found: Draft, _: str) -> Draft:
    return replace(found, events=(*found.events, ""))


def _with_where(found: Draft, _: str) -> Draft:
    where = Draft(form="all", parts=(FRESH["property"],))
    return replace(found, below={**found.below, "where": where})


def _with_without(found: Draft, _: str) -> Draft:
    return replace(found, below={**found.below, "without": Draft(form="match", events=("",))})


CHANGES: Mapping[str, Callable[[Draft, str], Draft]] = {
    "add": _added,
    "wrap": _wrapped,
    "unwrap": _unwrapped,
    "or": _another_event,
    "where": _with_where,
    "without": _with_without,
}
