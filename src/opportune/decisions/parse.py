"""Read a use case as the marketer wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, time
from functools import partial

from opportune.decisions.check import check_constraints
from opportune.decisions.model import STATES, Activation, Dimension, Feature, Option, UseCase
from opportune.decisions.parse_constraints import (
    read_constraints,
    read_dimension,
    read_option,
    read_rule,
)
from opportune.decisions.parse_groups import read_groups
from opportune.decisions.parse_limits import (
    check_limits,
    parse_budget,
    parse_cost,
    parse_guard_rails,
    parse_report_metrics,
)
from opportune.documents import Document
from opportune.errors import nearest

__all__ = ["parse_use_case", "read_use_case"]

# A bitmask of options is kept as a signed 64-bit integer.
MOST_OPTIONS = 63
# What is sent with every action beside its dimensions.
RESERVED = "decision_id"
ABOUT_CONSENT = ("purpose", "channel")
# What takes a send back that still waits for its time.
ENDS = ("converted", "left")
# Whose schedule a send waits in until its time; the first is meant where nothing is said.
SCHEDULES = ("ours", "braze")


def parse_use_case(
    name: str, body: Mapping[str, object], problems: list[str], *, version: int = 0
) -> UseCase | None:
    """Read the table of ``use_cases/{name}.toml``; mistakes are added to ``problems``: None."""
    before = len(problems)
    use_case = read_use_case(name, body, problems, version=version)
    return use_case if len(problems) == before else None


def read_use_case(
    name: str, body: Mapping[str, object], problems: list[str], *, version: int = 0
) -> UseCase:
    """Like `parse_use_case`, but with a stand-in (an empty name) for every value that is a mistake.

    So that what is not a mistake can be checked against other definitions at the same time.
    """
    document = Document(body, f"use_cases/{name}.toml", problems)
    audience = document.table("audience")
    groups = document.table("groups", required=False)
    policy = document.table("policy", required=False)
    use_case = UseCase(
        name=name,
        version=version,
        title=document.text("title", name),
        success_metric=document.text("success_metric"),
        audience=audience.texts("segments"),
        minus=audience.texts("minus", ()),
        features=tuple(
            _feature(document, place, item)
            for place, item in enumerate(document.items("features", ()))
        ),
        dimensions=tuple(_dimension(table) for table in document.tables("dimensions")),
        control_share=0.0,
        policy=policy.text("name", "factored_thompson"),
        policy_settings={key: value for key, value in policy.body.items() if key != "name"},
        decide_at=_decide_at(document),
        activation=_activation(document.table("activation")),
        budget=parse_budget(document),
        guard_rails=parse_guard_rails(document),
        report_metrics=parse_report_metrics(document),
        state=_state(document),
    )
    constraints = document.table("constraints", required=False)
    use_case = replace(use_case, constraints=read_constraints(constraints, use_case.dimensions))
    use_case = read_groups(groups, use_case)
    for table in (audience, groups, document):
        table.close()
    if audience.body.get("segments") == []:
        audience.wrong("segments", "[] given, must name one segment or more.")
    _check_names(document, use_case)
    check_limits(document, use_case)
    return use_case


def _feature(document: Document, place: int, item: object) -> Feature:
    if isinstance(item, str) and item:
        return Feature(trait=item, one_of=())
    where = f"{document.where}: features[{place}]"
    if not isinstance(item, Mapping):
        document.problems.append(
            f"{where}: {item!r} given, must be the name of a trait or a table with 'trait'."
        )
        return Feature(trait="", one_of=())
    table = Document(item, where, document.problems)
    feature = Feature(
        trait=table.text("trait"),
        one_of=table.texts("one_of", ()),
    )
    table.close()
    if item.get("one_of") == []:
        table.wrong("one_of", "[] given, must be a list of one text or more.")
    return feature


def _dimension(table: Document) -> Dimension:
    dimension = Dimension(
        name=table.text("name"),
        meaning=table.text("meaning", "choice"),
        options=tuple(_option(option) for option in table.tables("options")),
    )
    table.close()
    if len(dimension.options) > MOST_OPTIONS:
        table.wrong("options", f"{len(dimension.options)} given, at most {MOST_OPTIONS} allowed.")
    read_dimension(table, dimension)
    return dimension


def _option(table: Document) -> Option:
    option = Option(name=table.text("name"), eligible=read_rule(table, "eligible"))
    cost, cost_due = parse_cost(table)
    option = read_option(table, replace(option, cost=cost, cost_due=cost_due))
    table.close()
    return option


def _decide_at(document: Document) -> time:
    text = document.text("decide_at", "06:00")
    try:
        given = time.fromisoformat(text or "06:00")
    except ValueError:
        given = time(6, tzinfo=UTC)
    if given.tzinfo is not None:
        document.wrong("decide_at", f"{text!r} given, must be a time of day in UTC such as 06:00.")
    return given.replace(tzinfo=None)


def _state(document: Document) -> str:
    state = document.text("state", "live")
    if state not in STATES:
        document.wrong("state", f"{state!r} given, must be one of {', '.join(STATES)}.")
    return state


def _activation(table: Document) -> Activation:
    connector = table.text("connector")
    purpose, channel = (table.text(key) if key in table.body else None for key in ABOUT_CONSENT)
    # What else stands here is the connector's to read and check.
    read = ("connector", "cancel_when", "schedule", *ABOUT_CONSENT)
    given = {key: value for key, value in table.body.items() if key not in read}
    for key, value in given.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            table.wrong(key, f"{value!r} given, must be a text or a whole number.")
    return Activation(
        connector=connector,
        config={key: str(value) for key, value in given.items()},
        purpose=purpose,
        channel=channel,
        cancel_when=_cancel_when(table),
        schedule=_schedule(table),
    )


def _cancel_when(table: Document) -> tuple[str, ...]:
    """Read what stands there as one text, with commas: that is how a form writes it too."""
    said = table.text("cancel_when") if "cancel_when" in table.body else ""
    found = tuple(each.strip() for each in said.split(",") if each.strip())
    for each in found:
        if each not in ENDS:
            table.wrong("cancel_when", f"{each!r} given. {nearest(each, ENDS)}")
    return found


def _schedule(table: Document) -> str:
    schedule = table.text("schedule", SCHEDULES[0])
    if schedule not in SCHEDULES:
        table.wrong("schedule", f"{schedule!r} given. {nearest(schedule, SCHEDULES)}")
    return schedule


def _check_names(document: Document, use_case: UseCase) -> None:
    twice = partial(_twice, document)
    twice("dimensions", [dimension.name for dimension in use_case.dimensions])
    twice("features", list(use_case.feature_names))
    for dimension in use_case.dimensions:
        twice(f"dimensions.{dimension.name}.options", [option.name for option in dimension.options])
    if any(dimension.name == RESERVED for dimension in use_case.dimensions):
        document.wrong("dimensions", f"{RESERVED!r} is sent with every action; take another name.")
    check_constraints(document, use_case)


def _twice(document: Document, key: str, names: list[str]) -> None:
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        document.wrong(key, f"{name!r} stands there twice, names must differ.")
