"""The decisions of a use case, one by one, with the files of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote, urlencode

from opportune import project, reports
from opportune.decisions import UseCase
from opportune.reports import DecisionFilter
from opportune.web.asking import Asked, Download, Fields, Shown
from opportune.web.results import tab_of

__all__ = ["as_csv", "as_json", "decisions"]

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """A list as its address says it; what cannot be read in one is left out."""

    use_case: str
    chosen: DecisionFilter

    def at(self, *, page: int = 1, form: str = "") -> str:
        pairs = [*self.fields(), *([("page", str(page))] if page > 1 else [])]
        path = f"/use-cases/{quote(self.use_case, safe='')}/decisions{form}"
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def fields(self) -> list[tuple[str, str]]:
        chosen = self.chosen
        explored = {None: "", True: "yes", False: "no"}[chosen.explored]
        pairs = [
            ("variant", chosen.variant),
            ("option", f"{chosen.dimension}:{chosen.option}" if chosen.option else ""),
            ("explored", explored),
            ("from", "" if chosen.first_day is None else chosen.first_day.isoformat()),
            ("to", "" if chosen.last_day is None else chosen.last_day.isoformat()),
            ("version", "" if chosen.version is None else str(chosen.version)),
            ("profile", "" if chosen.profile_id is None else str(chosen.profile_id)),
        ]
        return [pair for pair in pairs if pair[1]]


def decisions(asked: Asked) -> Shown:
    """Show a page of the decisions that are asked for."""
    chosen, address = _read(asked)
    page = asked.query.page(most=1_000_000)
    log = reports.decision_log(
        asked.stores,
        chosen,
        address.chosen,
        now=asked.now,
        first=(page - 1) * PAGE,
        limit=PAGE,
    )
    told = {
        "log": log,
        "fields": dict(address.fields()),
        "variants": reports.VARIANTS,
        "options": [
            (each.name, [option.name for option in each.options]) for each in chosen.dimensions
        ],
        "page": page,
        "last": max(1, -(-log.total // PAGE)),
        "links": {number: address.at(page=number) for number in (page - 1, page + 1)},
        "exports": [("CSV", address.at(form=".csv")), ("JSON", address.at(form=".json"))],
        "most": reports.MOST_EXPORTED,
    }
    return tab_of("use_case_decisions.html", asked, told)


def as_csv(asked: Asked) -> Download:
    """Send the newest of the decisions that are asked for, at most 100,000, as a table."""
    log = _whole(asked)
    body = reports.decisions_csv(log).encode()
    return Download(body=body, media_type="text/csv; charset=utf-8", name="decisions.csv")


def as_json(asked: Asked) -> Download:
    """Send the newest of the decisions that are asked for, at most 100,000, as a document."""
    body = json.dumps(reports.to_document(_whole(asked))).encode()
    return Download(body=body, media_type="application/json", name="decisions.json")


def _whole(asked: Asked) -> reports.DecisionLog:
    chosen, address = _read(asked)
    limit = reports.MOST_EXPORTED
    return reports.decision_log(asked.stores, chosen, address.chosen, now=asked.now, limit=limit)


def _read(asked: Asked) -> tuple[UseCase, _Address]:
    chosen = project.read(asked.stores.state).use_case(asked.path["name"])
    return chosen, _Address(use_case=chosen.name, chosen=_filter(asked.query))


def _filter(given: Fields) -> DecisionFilter:
    dimension, _, option = given.get("option").partition(":")
    profile = given.get("profile")
    version = given.get("version")
    is_id = profile.removeprefix("-").isdecimal() and len(profile) < 20
    return DecisionFilter(
        variant=given.get("variant"),
        dimension=dimension,
        option=option,
        explored={"yes": True, "no": False}.get(given.get("explored")),
        first_day=_day(given.get("from")),
        last_day=_day(given.get("to")),
        profile_id=int(profile) if is_id else None,
        version=int(version) if version.isdecimal() and len(version) < 10 else None,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
