"""Between a draft and the document of a rule, in both directions, without loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opportune.web.draft import Draft, plain, written

__all__ = [
    "AGGREGATES",
    "COMPARISONS",
    "DISTANCES",
    "FIELD_OPERATORS",
    "UNITS",
    "document_of",
    "draft_of",
]

Document = dict[str, Any]

UNITS = ("minutes", "hours", "days", "weeks")
COMPARISONS = {
    "at_least": "at least",
    "at_most": "at most",
    "is": "exactly",
    "is_not": "not exactly",
    "more_than": "more than",
    "less_than": "fewer than",
}
AGGREGATES = {
    "count": "times",
    "sum": "the sum of",
    "average": "the average of",
    "minimum": "the smallest",
    "maximum": "the largest",
    "distinct": "the number of different",
}
# Operator -> how it is said, and what its value is.
FIELD_OPERATORS: Mapping[str, tuple[str, str]] = {
    "is": ("is", "any"),
    "is_not": ("is known and not", "any"),
    "one_of": ("is one of", "list"),
    "exists": ("is known", "nothing"),
    "missing": ("is not known", "nothing"),
    "at_least": ("is at least", "number"),
    "at_most": ("is at most", "number"),
    "more_than": ("is more than", "number"),
    "less_than": ("is less than", "number"),
    "contains": ("contains", "text"),
    "starts_with": ("starts with", "text"),
    "ends_with": ("ends with", "text"),
    "before": ("is before", "date"),
    "after": ("is after", "date"),
    "in_last_days": ("is in the last days", "number"),
    "in_next_days": ("is in the next days", "number"),
}
DISTANCES = {
    **{unit: unit for unit in UNITS},
    "events": "events",
    "sessions": "sessions",
}
KIND_OF = {bool: "boolean", str: "text"}
WINDOW_SPANS = ("within", "ago")
WINDOW_MOMENTS = ("since", "until")


def draft_of(document: Mapping[str, Any]) -> Draft:
    """Return the draft that says what ``document`` says; the document must be a rule."""
    for form, read in READ.items():
        if form in document:
            return read(document)
    return Draft(form="all")


def document_of(draft: Draft) -> Document:
    """Return the document of a draft, with its mistakes: `rules.parse` finds them."""
    return WRITE.get(draft.form, _written_group)(draft)


def _read_group(document: Mapping[str, Any]) -> Draft:
    form = "all" if "all" in document else "any"
    return Draft(form=form, parts=tuple(draft_of(each) for each in document[form]))


def _written_group(draft: Draft) -> Document:
    form = "any" if draft.form == "any" else "all"
    return {form: [document_of(each) for each in draft.parts]}


def _read_inner(form: str) -> Callable[[Mapping[str, Any]], Draft]:
    return lambda document: Draft(form=form, parts=(draft_of(document[form]),))


def _written_inner(draft: Draft) -> Document:
    inner = draft.parts[0] if draft.parts else Draft(form="all")
    return {draft.form: document_of(inner)}


def _read_field(noun: str) -> Callable[[Mapping[str, Any]], Draft]:
    def read(document: Mapping[str, Any]) -> Draft:
        operator = next((key for key in document if key != noun), "exists")
        given = document.get(operator, True)
        values = {"name": written(document[noun]), "operator": operator}
        if operator == "exists":
            values["operator"] = "exists" if given else "missing"
        elif operator == "one_of":
            values |= {"kind": _kind(given[0]), "value": "\n".join(_typed(each) for each in given)}
        else:
            values |= {"kind": _kind(given), "value": _typed(given)}
        return Draft(form=noun, values=values)

    return read


def _written_field(draft: Draft) -> Document:
    operator = draft.get("operator", "is")
    named: Document = {draft.form: plain(draft.get("name"))}
    if operator in ("exists", "missing"):
        return {**named, "exists": operator == "exists"}
    typed = draft.get("value")
    kinds = {"number": "number", "text": "text", "date": "text"}
    kind = kinds.get(FIELD_OPERATORS.get(operator, ("", ""))[1], draft.get("kind", "text"))
    if operator == "one_of":
        lines = [line for line in typed.split("\n") if line.strip()]
        return {**named, operator: [_value(line, kind) for line in lines]}
    return {**named, operator: _value(typed, kind)}


def _read_segment(document: Mapping[str, Any]) -> Draft:
    return Draft(form="segment", values={"name": written(document["segment"])})


def _written_segment(draft: Draft) -> Document:
    return {"segment": plain(draft.get("name"))}


def _read_event(document: Mapping[str, Any]) -> Draft:
    aggregate = next((name for name in AGGREGATES if name in document), "count")
    asked = document.get(aggregate, {"at_least": 1})
    operator = next((name for name in COMPARISONS if name in asked), "at_least")
    values = {
        "aggregate": aggregate,
        "operator": operator,
        "value": _number(asked[operator]),
        **({"property": written(asked["property"])} if "property" in asked else {}),
        **_read_window(document),
    }
    return _matching("event", document, values)


def _written_event(draft: Draft) -> Document:
    aggregate = draft.get("aggregate", "count")
    asked: Document = {draft.get("operator", "at_least"): _value(draft.get("value", "1"), "number")}
    if aggregate != "count":
        asked["property"] = plain(draft.get("property"))
    return {**_match(draft), aggregate: asked, **_written_window(draft)}


def _read_sequence(document: Mapping[str, Any]) -> Draft:
    values = _read_window(document)
    if "same" in document:
        values["same"] = written(document["same"])
    return Draft(
        form="sequence",
        values=values,
        parts=tuple(_read_step(each) for each in document["sequence"]),
    )


def _written_sequence(draft: Draft) -> Document:
    steps = [_written_step(step, first=place == 0) for place, step in enumerate(draft.parts)]
    same = {"same": plain(draft.get("same"))} if draft.get("same").strip() else {}
    return {"sequence": steps, **same, **_written_window(draft)}


def _read_step(document: Mapping[str, Any]) -> Draft:
    values = {"absent": "yes"} if document.get("absent") else {}
    for name in ("after", "within"):
        if name in document:
            given = document[name]
            unit = next(unit for unit in DISTANCES if unit in given)
            values |= {name: _number(given[unit]), f"{name}_unit": unit}
            if "of" in given:
                values[f"{name}_of"] = written(given["of"])
    step = _matching("step", document, values)
    if "without" not in document:
        return step
    without = _matching("match", document["without"], {})
    return Draft(
        form="step",
        values=step.values,
        events=step.events,
        below={**step.below, "without": without},
    )


def _written_step(draft: Draft, *, first: bool) -> Document:
    document = _match(draft)
    if first:
        return document
    for name in ("after", "within"):
        if draft.get(name).strip():
            unit = draft.get(f"{name}_unit", "hours")
            document[name] = {unit: _value(draft.get(name), "number")}
            if unit == "events" and draft.get(f"{name}_of").strip():
                document[name]["of"] = plain(draft.get(f"{name}_of"))
    if "without" in draft.below:
        document["without"] = _match(draft.below["without"])
    return {**document, "absent": True} if draft.get("absent") else document


def _matching(form: str, document: Mapping[str, Any], values: Mapping[str, str]) -> Draft:
    names = document["event"]
    listed = [names] if isinstance(names, str) else names
    below = {"where": draft_of(document["where"])} if "where" in document else {}
    return Draft(
        form=form, values=values, events=tuple(written(each) for each in listed), below=below
    )


def _match(draft: Draft) -> Document:
    typed = [plain(each) for each in draft.events if each.strip()]
    named: Document = {"event": typed[0] if len(typed) == 1 else typed or ""}
    if "where" in draft.below:
        named["where"] = document_of(draft.below["where"])
    return named


def _read_window(document: Mapping[str, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in WINDOW_SPANS:
        if name in document:
            unit = next(unit for unit in UNITS if unit in document[name])
            values |= {name: _number(document[name][unit]), f"{name}_unit": unit}
    return values | {name: document[name] for name in WINDOW_MOMENTS if name in document}


def _written_window(draft: Draft) -> Document:
    spans = {
        name: {draft.get(f"{name}_unit", "days"): _value(draft.get(name), "number")}
        for name in WINDOW_SPANS
        if draft.get(name).strip()
    }
    moments = {name: plain(draft.get(name)) for name in WINDOW_MOMENTS if draft.get(name).strip()}
    return {**spans, **moments}


def _kind(value: object) -> str:
    return KIND_OF.get(type(value), "number")


def _typed(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return written(value) if isinstance(value, str) else _number(value)


def _number(value: Any) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else repr(value)


def _value(typed: str, kind: str) -> object:
    """Return a value of that kind, or the text as typed where it is none: a mistake to be told."""
    text = typed.strip()
    if kind == "boolean":
        return text == "true"
    if kind == "text":
        return plain(typed)
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


READ: Mapping[str, Callable[[Mapping[str, Any]], Draft]] = {
    "all": _read_group,
    "any": _read_group,
    "not": _read_inner("not"),
    "session": _read_inner("session"),
    "sequence": _read_sequence,
    "trait": _read_field("trait"),
    "property": _read_field("property"),
    "segment": _read_segment,
    "event": _read_event,
}
WRITE: Mapping[str, Callable[[Draft], Document]] = {
    "not": _written_inner,
    "session": _written_inner,
    "sequence": _written_sequence,
    "trait": _written_field,
    "property": _written_field,
    "segment": _written_segment,
    "event": _written_event,
}
