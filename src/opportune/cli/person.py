"""Commands about one person: ``person show`` and ``person consent``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from opportune import activation, project, reports, settings
from opportune.cli.stores import opened
from opportune.reports import ConsentAnswer, Person, Timeline

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="What is known of a person, and what they allow.")

Kind = Annotated[str, typer.Argument(help="Kind of the identifier, such as user_id or email.")]
Value = Annotated[str, typer.Argument(help="The identifier itself.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


class Answer(StrEnum):
    """What a person said."""

    granted = "granted"
    withdrawn = "withdrawn"
    unknown = "unknown"


GRANTED = {Answer.granted: True, Answer.withdrawn: False, Answer.unknown: None}


@app.command()
def show(
    kind: Kind,
    value: Value,
    *,
    entries: Annotated[
        int, typer.Option(min=0, max=200, help="So many of the newest events.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show identifiers, traits with their sources, consent, segments, messages and events."""
    with opened(settings.load()) as stores:
        zone = stores.settings.time_zone
        found = reports.person(stores.state, kind, value, default_zone=zone)
        answers = reports.consent_answers(found.consent, project.read(stores.state).consent)
        page = None
        if entries:
            page = reports.timeline(stores, found.profile_id, limit=entries)
    if as_json:
        whole = {"person": asdict(found), "consent": [asdict(each) for each in answers]}
        told = [] if page is None else [asdict(each) for each in page.entries]
        typer.echo(json.dumps({**whole, "timeline": told}, default=str))
        return
    for line in (*_lines(found), *_allowed(answers), *_happened(page)):
        typer.echo(line)


@app.command()
def consent(
    kind: Kind,
    value: Value,
    answer: Annotated[Answer, typer.Argument(help="What the person said; unknown: nothing.")],
    *,
    by: Annotated[str, typer.Option(help="Who puts it on record.")],
    evidence: Annotated[str, typer.Option(help="How it is known, such as 'letter of 3 May'.")],
    purpose: Annotated[str, typer.Option(help="A purpose of consent.toml, or all of them.")] = "*",
    channel: Annotated[str, typer.Option(help="A channel such as email, or all of them.")] = "*",
) -> None:
    """Put on record what a person allows or refuses; it takes effect at once."""
    said = activation.Statement(
        purpose=purpose, channel=channel, granted=GRANTED[answer], by=by, evidence=evidence
    )
    with opened(settings.load()) as stores:
        ended = activation.state_consent(stores, kind, value, said, now=datetime.now(UTC))
    typer.echo(f"On record. {ended} sends that were waiting will not be made.")


def _lines(found: Person) -> list[str]:
    zone = found.time_zone
    because = f" (default: it is {zone.known_from})" if zone.is_default else ""
    return [
        f"profile {found.profile_id}" + (", a test person" if found.is_test_person else ""),
        *(
            f"  {each.kind} {each.value}, since {_time(each.linked_at)}"
            for each in found.identifiers
        ),
        f"time zone {zone.name}{because}",
        *(
            f"trait {each.name} = {json.dumps(each.value, ensure_ascii=False)}"
            + (f", said {_time(each.said_at)}" if each.said_at else "")
            + (f" in message {each.message_id} of {each.source_id}" if each.message_id else "")
            for each in found.traits
        ),
        *(f"segment {each.segment}, since {_time(each.entered_at)}" for each in found.segments),
        *(f"account {each.account_id}, since {_time(each.joined_at)}" for each in found.accounts),
        *(
            f"message {each.decision_id}, due {_time(each.due_at)}: {each.state}"
            + (f" ({each.reason})" if each.reason else "")
            for each in found.messages
        ),
    ]


def _allowed(answers: tuple[ConsentAnswer, ...]) -> list[str]:
    return [
        f"consent {each.purpose} by {each.channel}: {'yes' if each.allowed else 'no'}, "
        + (
            "nothing was said"
            if each.because is None
            else f"{each.because.state} {_time(each.because.said_at)} in message "
            f"{each.because.message_id} of {each.because.source_id}"
        )
        for each in answers
    ]


def _happened(page: Timeline | None) -> list[str]:
    entries = () if page is None else page.entries
    return [f"{_time(each.at)} {each.kind} {each.title}" for each in entries]


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
