"""Computed traits: values that follow from the events of a profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from opportune import rules
from opportune.documents import Document
from opportune.errors import nearest
from opportune.events import Metric

__all__ = ["ComputedTrait", "parse_computed_trait"]

COMPUTES: tuple[rules.Compute, ...] = get_args(rules.Compute)
# What may show a value that somebody sent, and not only how many or how much.
SHOWING = ("first", "last", "most_frequent", "minimum", "maximum")
OF_METRICS: Mapping[str, rules.Compute] = {"sum": "sum", "mean": "average", "last": "last"}
# These stand in a metric, where there is one.
OF_EVENTS = ("compute", "property", "event", "events", "where")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedTrait:
    """A trait that nobody tells: it follows from events, and is read like any other.

    It counts before a trait of the same name that was told. It is its one computation, or a
    ``formula`` over several by their ``parts``.
    """

    name: str
    title: str
    computations: tuple[rules.Computation, ...]
    formula: rules.Formula | None = None
    parts: tuple[str, ...] = ()

    @property
    def rule(self) -> rules.Rule:
        """A rule that reads the same events and properties."""
        found = tuple(each for asked in self.computations for each in _read_by(asked))
        return found[0] if len(found) == 1 else rules.AllOf(rules=found)

    @property
    def events(self) -> tuple[str, ...]:
        """The names of the events that it reads."""
        names = (name for asked in self.computations for name in asked.match.events)
        return tuple(dict.fromkeys(names))

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The events and their properties whose values it may repeat."""
        return tuple(
            (event, name)
            for asked in self.computations
            if asked.compute in SHOWING
            for name in _properties(asked)
            for event in asked.match.events
        )


def parse_computed_trait(
    name: str,
    body: Mapping[str, object],
    problems: list[str],
    *,
    metrics: Mapping[str, Metric | None] | None = None,
) -> ComputedTrait | None:
    """Read the table of ``computed_traits/{name}.toml``; mistakes go to ``problems``, then None.

    It may be one of ``metrics``, over the metric's window where it says no other.

    >>> body = {"event": "Order Completed", "compute": "sum", "property": "revenue",
    ...         "within": {"days": 90}}
    >>> parse_computed_trait("revenue_90d", body, []).computations[0].property
    'revenue'
    """
    before = len(problems)
    document = Document(body, f"computed_traits/{name}.toml", problems)
    title = document.text("title", name)
    if "metric" in body:
        return _of_metric(document, name, title, metrics or {})
    asked = document.text("compute")
    compute = next((each for each in COMPUTES if each == asked), None)
    if compute is None and asked:
        document.wrong("compute", f"{asked!r} given, must be one of {', '.join(COMPUTES)}.")
    field = document.text("property") if "property" in body else None
    if compute is not None and (field is None) != (compute in rules.OF_EVENTS):
        needed = "takes no property" if field is not None else "needs the property to look at"
        document.wrong("property", f"'{compute}' {needed}.")
    told = {"title", "compute", "property"}
    happened = _happened({key: value for key, value in body.items() if key not in told}, document)
    if len(problems) > before or compute is None or happened is None:
        return None
    computation = rules.Computation(
        match=happened.match, window=happened.window, compute=compute, property=field
    )
    return ComputedTrait(name=name, title=title, computations=(computation,))


def _of_metric(
    document: Document, name: str, title: str, metrics: Mapping[str, Metric | None]
) -> ComputedTrait | None:
    """Read a trait that is a metric of one profile, up to the moment it is calculated."""
    before, asked = len(document.problems), document.text("metric")
    for key in OF_EVENTS:
        if key in document.body:
            document.wrong(key, "stands in the metric. Leave it out, or leave 'metric' out.")
    metric = metrics.get(asked)
    if asked and asked not in metrics:
        document.wrong("metric", f"no metric '{asked}'. {nearest(asked, metrics)}")
    elif metric is not None and metric.is_over_rows:
        document.wrong(
            "metric",
            f"'{asked}' looks at all rows together, and a trait is of one profile. Use a metric of "
            "events, or a formula of such row by row.",
        )
    told = {"title", "metric", *OF_EVENTS}
    window = _window(
        {key: each for key, each in document.body.items() if key not in told}, document
    )
    if len(document.problems) > before or metric is None:
        return None
    return ComputedTrait(
        name=name,
        title=title,
        computations=tuple(_computation(base, window) for base in metric.bases),
        formula=metric.formula,
        parts=tuple(base.name for base in metric.bases) if metric.formula is not None else (),
    )


def _window(asked: Mapping[str, object], document: Document) -> rules.Window | None:
    """Read when events must have happened; None: each metric of events has its own window."""
    happened = _happened({"event": "any", **asked}, document)
    return happened.window if happened is not None and asked else None


def _computation(base: Metric, window: rules.Window | None) -> rules.Computation:
    own = rules.Window(within=rules.Span(count=base.window_days, unit="days"))
    measure = base.measure
    counts: rules.Compute = "unique_days" if base.aggregate == "unique_days" else "count"
    return rules.Computation(
        match=measure.match,
        window=window or own,
        compute=counts if measure.amount is None else OF_METRICS[base.aggregate],
        property=None,
        amount=measure.amount,
    )


def _properties(asked: rules.Computation) -> tuple[str, ...]:
    named = () if asked.amount is None else rules.names_in(asked.amount)
    return named if asked.property is None else (asked.property,)


def _read_by(asked: rules.Computation) -> tuple[rules.Rule, ...]:
    """Rules that read the same events and properties as a computation."""
    properties: tuple[str | None, ...] = _properties(asked)
    return tuple(
        rules.Happened(
            match=asked.match,
            window=asked.window,
            aggregate="count" if name is None else "distinct",
            property=name,
            operator="at_least",
            value=1.0,
        )
        for name in properties or (None,)
    )


def _happened(asked: Mapping[str, object], document: Document) -> rules.Happened | None:
    """Read which events are meant, and when they must have happened, as a rule says it."""
    wrong = [key for key in asked if key in rules.AGGREGATES]
    for key in wrong:
        document.wrong(key, "stands in a rule. Here it is: compute = ... and property = ...")
    if wrong:
        return None
    try:
        rule = rules.parse({"event": None, **asked}, where=document.where)
    except rules.InvalidRule as error:
        document.problems.extend(error.problems)
        return None
    return rule if isinstance(rule, rules.Happened) else None
