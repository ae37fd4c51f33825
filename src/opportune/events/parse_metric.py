"""Read metrics as a marketer writes them in TOML, each file alone and then all together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from opportune import rules
from opportune.documents import Document
from opportune.errors import nearest
from opportune.events.metric import Aggregate, Metric

__all__ = ["parse_metric", "parse_metrics"]

COUNT = "count"
# A count is a sum of ones.
AGGREGATES = (COUNT, "unique_days", "sum", "mean", "last")
WITHOUT_VALUE = (COUNT, "unique_days")
MAX_WINDOW_DAYS = 365
MAX_EVENTS = 20
MAX_COST = 1e12
MAX_PARTS = 300
# What makes a value more than the name of a property, which may well have a '-' or a '/'.
CALCULATED = re.compile(r"[*(`]|\s[-+/<>=]=?\s")

Body = Mapping[str, object]


def parse_metrics(
    bodies: Mapping[str, Body | None], problems: list[str]
) -> dict[str, Metric | None]:
    """Read all metrics, calculated ones with what they are made of; None: it cannot be read.

    None of ``bodies`` is a file that is there and cannot be read. A formula may name any other
    metric, and no metric may be made of itself.
    """
    metrics = {
        name: None if body is None else parse_metric(name, body, problems, known=[*bodies])
        for name, body in bodies.items()
    }
    for name in metrics:
        _complete(name, metrics, problems, way=(name,))
    return metrics


def parse_metric(
    name: str, body: Body, problems: list[str], *, known: list[str] | None = None
) -> Metric | None:
    """Read the table of ``metrics/{name}.toml``; mistakes are added to ``problems``, then None.

    A calculated one still lacks its parts, and names only ``known`` ones (None: any).

    >>> parse_metric("revenue", {"event": "Order Completed", "value": "revenue", "unit": "EUR",
    ...               "window_days": 2}, []).property
    'revenue'
    """
    before = len(problems)
    document = Document(body, f"metrics/{name}.toml", problems)
    metric = _calculated(document, name, known) if "formula" in body else _counted(document, name)
    document.close()
    return metric if len(problems) == before else None


def _calculated(document: Document, name: str, known: list[str] | None) -> Metric | None:
    text = document.text("formula")
    title = document.text("title", name)
    # "" until the formula says which.
    unit = document.text("unit", "")
    others = None if known is None else [each for each in known if each != name]
    try:
        formula = rules.parse_formula(text, known=others, noun="other metric") if text else None
    except rules.InvalidFormula as error:
        document.wrong("formula", error.message)
        return None
    return Metric(
        name=name, title=title, event="", property=None, unit=unit, window_days=1, formula=formula
    )


def _counted(document: Document, name: str) -> Metric:
    written = document.text("value", COUNT)
    value = _value(document, written)
    days = document.number("window_days", low=1, high=MAX_WINDOW_DAYS)
    if days != int(days):
        document.wrong("window_days", f"{days!r} given, must be a whole number of days.")
    first, *also = _events(document)
    currency = _currency(document)
    where, filtered = _where(document, (first, *also))
    metric = Metric(
        name=name,
        title=document.text("title", name),
        event=first,
        property=value.name if isinstance(value, rules.Named) else None,
        unit=document.text("unit", currency or None),
        window_days=int(days),
        also=tuple(also),
        where=where,
        filtered=filtered,
        aggregate=_aggregate(document, written),
        currency=currency,
        proxy=document.flag("proxy", default=False),
        value=None if isinstance(value, rules.Named) else value,
    )
    if currency and metric.unit != currency:
        document.wrong("unit", f"{metric.unit!r} given, but the currency is '{currency}'.")
    document.optional("formula")
    return metric


def _value(document: Document, written: str) -> rules.Formula | None:
    """Read what one event is worth, less what it costs; None: events are counted."""
    value = None if written == COUNT else _amount(document, "value", written)
    asked = document.optional("cost")
    if asked is None:
        return value
    if value is None:
        document.wrong("cost", "is taken off a value, and there is none: give 'value'.")
    cost: rules.Formula | None
    if isinstance(asked, str):
        cost = _amount(document, "cost", document.text("cost"))
    else:
        cost = rules.Number(value=document.number("cost", low=0, high=MAX_COST))
    if value is None or cost is None:
        return value
    return rules.Combined(sign="-", left=value, right=cost)


def _amount(document: Document, key: str, written: str) -> rules.Formula | None:
    if not CALCULATED.search(written):
        return rules.Named(name=written)
    try:
        formula = rules.parse_formula(written)
        rules.check_formula(formula, dict.fromkeys(rules.names_in(formula)), over_rows=False)
    except rules.InvalidFormula as error:
        document.wrong(key, error.message)
        return None
    return formula


def _events(document: Document) -> tuple[str, ...]:
    if document.optional("events") is None:
        return (document.text("event"),)
    events = tuple(dict.fromkeys(document.texts("events")))
    if document.optional("event") is not None:
        document.wrong("events", "there is also 'event'. Give one of the two.")
    elif not 0 < len(events) <= MAX_EVENTS:
        document.wrong("events", f"{len(events)} names given, must be 1 to {MAX_EVENTS}.")
    return events or ("",)


def _currency(document: Document) -> str:
    currency = document.text("currency", "")
    if currency and not re.fullmatch("[A-Z]{3}", currency):
        document.wrong("currency", f"{currency!r} given, must be three capitals such as 'EUR'.")
    return currency


def _aggregate(document: Document, value: str) -> Aggregate:
    default = COUNT if value == COUNT else "sum"
    asked = document.text("aggregate", default)
    if asked not in AGGREGATES:
        document.wrong("aggregate", f"{asked!r} given. {nearest(asked, AGGREGATES)}")
    elif asked in WITHOUT_VALUE and value != COUNT:
        document.wrong("aggregate", f"'{asked}' takes no value: leave 'value' out.")
    elif asked not in WITHOUT_VALUE and value == COUNT:
        document.wrong("aggregate", f"'{asked}' needs the property to look at: give 'value'.")
    known: dict[str, Aggregate] = {"mean": "mean", "last": "last", "unique_days": "unique_days"}
    return known.get(asked, "sum")


def _where(document: Document, events: tuple[str, ...]) -> tuple[rules.Rule | None, str]:
    """Read which of the events are meant, and how that was written."""
    asked = document.optional("where")
    if asked is None:
        return None, ""
    try:
        rule = rules.parse(
            {"event": list(events) if all(events) else "?", "where": asked}, where=document.where
        )
    except rules.InvalidRule as error:
        document.problems.extend(error.problems)
        return None, ""
    assert isinstance(rule, rules.Happened), "nothing else begins with an event"
    if rule.match.where is not None and rules.depends_on_time(rule.match.where):
        document.wrong("where", "what counts must not change with time. Use 'before' or 'after'.")
    return rule.match.where, json.dumps(asked, sort_keys=True, default=str)


def _complete(
    name: str, metrics: dict[str, Metric | None], problems: list[str], *, way: tuple[str, ...]
) -> Metric | None:
    """Give a calculated metric its parts, after those it names; None if one cannot be read."""
    metric = metrics[name]
    if metric is None or metric.formula is None or metric.parts:
        return metric
    document = Document({}, f"metrics/{name}.toml", problems)
    named: list[Metric] = []
    for other in rules.names_in(metric.formula):
        if other in way:
            circle = " > ".join((*way[way.index(other) :], other))
            document.wrong("formula", f"it is made of itself: {circle}. Break the circle.")
            found = None
        else:
            found = _complete(other, metrics, problems, way=(*way, other))
        if found is None:
            metrics[name] = None
            return None
        named.append(found)
    metrics[name] = _checked(metric, metric.formula, named, document)
    return metrics[name]


def _checked(
    metric: Metric, formula: rules.Formula, named: list[Metric], document: Document
) -> Metric | None:
    units = {each.name: rules.unit_of(each.unit) if each.unit else () for each in named}
    inner = {each.name: each.formula for each in named if each.formula is not None}
    whole = rules.replaced(formula, inner)
    parts = tuple(dict.fromkeys(base for each in named for base in each.bases))
    bases = {each.name: rules.unit_of(each.unit) for each in parts}
    try:
        unit = rules.check_formula(formula, units).unit
        if inner:
            _check_whole(whole, bases)
    except rules.InvalidFormula as error:
        document.wrong("formula", error.message)
        return None
    if not parts:
        document.wrong("formula", "it names no metric.")
        return None
    found = rules.unit_text(unit)
    if not metric.unit and not found:
        document.wrong("unit", "missing: the formula comes to a number without unit; name it.")
        return None
    if unit and metric.unit and rules.unit_of(metric.unit) != unit:
        document.wrong("unit", f"{metric.unit!r} given, but the formula comes to '{found}'.")
        return None
    days = max(each.window_days for each in parts)
    return replace(metric, formula=whole, parts=parts, unit=metric.unit or found, window_days=days)


def _check_whole(whole: rules.Formula, bases: Mapping[str, rules.Unit]) -> None:
    """Look at the formula with those that it names written out."""
    if sum(1 for _ in rules.nodes(whole)) > MAX_PARTS:
        raise rules.InvalidFormula(0, "too long once what it names is written out. Simplify it.")
    # What a number without unit is called is no unit to calculate with.
    rules.check_formula(whole, dict.fromkeys(bases))
