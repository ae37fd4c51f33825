"""Commands about who is who: ``identity show``, cuts, the review list, ``refold``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import profiles, settings
from opportune.cli.stores import opened

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Why identifiers are one profile, and changing that.")

Kind = Annotated[str, typer.Argument(help="Kind of the identifier, such as user_id or email.")]
Value = Annotated[str, typer.Argument(help="The identifier itself.")]
By = Annotated[str, typer.Option(help="Who says so; it goes into the history.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
def show(kind: Kind, value: Value, *, as_json: AsJson = False) -> None:
    """Show the identifiers of a profile, the links between them, cuts and changes."""
    with opened(settings.load()) as stores:
        found = profiles.identity(stores.state, kind, value)
    if as_json:
        typer.echo(json.dumps(asdict(found), default=str))
        return
    typer.echo(f"profile {found.profile_id}")
    for each in found.identifiers:
        typer.echo(f"  {each.kind} {each.value}, since {_time(each.linked_at)}")
    for link in found.links:
        state = f"set aside: {link.set_aside}" if link.set_aside else "holds"
        if link.decision and link.decided_at:
            state += f", decided: {link.decision}, by {link.decided_by} on {_time(link.decided_at)}"
        typer.echo(
            f"link {_named(link.owner)} - {_named(link.other)}, {_time(link.occurred_at)}, "
            f"{link.rule} in message {link.message_id} of {link.source_id}, {state}"
        )
    for cut in found.cuts:
        typer.echo(_cut(cut))
    for decision in found.decisions:
        typer.echo(f"decision {_decided(decision)}")
    for change in found.changes:
        typer.echo(
            f"change {_named(change.identifier)} from {change.from_profile_id} to "
            f"{change.to_profile_id}, {_time(change.changed_at)}, {change.reason}"
            + (f" by {change.changed_by}" if change.changed_by else "")
        )


@app.command("cut")
def cut_identifier(
    kind: Kind,
    value: Value,
    *,
    by: By,
    reason: Annotated[str, typer.Option(help="Why it does not belong there.")],
) -> None:
    """Take an identifier out of its profile; each side gets back what is its own."""
    with opened(settings.load()) as stores:
        done = profiles.cut(stores.state, kind, value, by=by, reason=reason, now=datetime.now(UTC))
    typer.echo(_cut(done))


@app.command()
def restore(
    cut_id: Annotated[int, typer.Argument(help="Id of the cut, as `identity show` prints it.")],
    *,
    by: By,
) -> None:
    """Undo a cut: everything is again as if it had never been made."""
    with opened(settings.load()) as stores:
        done = profiles.restore(stores.state, cut_id, by=by, now=datetime.now(UTC))
    typer.echo(_cut(done))


@app.command()
def review(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    decided: Annotated[
        bool, typer.Option("--decided", help="List what was decided instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the links that were set aside and wait for a decision, the newest first."""
    if decided:
        _list_decided(limit, as_json=as_json)
        return
    with opened(settings.load()) as stores:
        found = profiles.review(stores.state, limit=limit)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=str))
        return
    for each in found:
        typer.echo(
            f"{each.review_id}  {each.reason}: {_named(each.owner)} claims {_named(each.other)}, "
            f"{_time(each.occurred_at)}, {each.rule} in message {each.message_id} of "
            f"{each.source_id}"
        )
    typer.echo(f"{len(found)} to decide." if found else "Nothing to decide.")


@app.command()
def decide(
    review_id: Annotated[str, typer.Argument(help="Id, as `identity review` prints it.")],
    decision: Annotated[
        profiles.Decision,
        typer.Argument(help="apart: two persons; move: it is the claimant's; same: one person."),
    ],
    *,
    by: By,
) -> None:
    """Decide on a link that was set aside."""
    with opened(settings.load()) as stores:
        profiles.settle(stores.state, review_id, decision, by=by, now=datetime.now(UTC))
    typer.echo(f"{review_id}: {decision}.")


@app.command()
def take_back(
    review_id: Annotated[str, typer.Argument(help="Id, as `identity review --decided` prints it.")],
    *,
    by: By,
) -> None:
    """Take back that two are apart: the link waits for a decision again."""
    with opened(settings.load()) as stores:
        profiles.take_back(stores.state, review_id, by=by, now=datetime.now(UTC))
    typer.echo(f"{review_id}: to decide.")


@app.command()
def refold() -> None:
    """Apply rules of identity that were changed to all that is known."""
    with opened(settings.load()) as stores:
        count = profiles.refold(stores.state, now=datetime.now(UTC))
    typer.echo(f"{count} profiles changed.")


def _list_decided(limit: int, *, as_json: bool) -> None:
    with opened(settings.load()) as stores:
        found = profiles.decided(stores.state, limit=limit)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=str))
        return
    for each in found:
        typer.echo(_decided(each))
    if not found:
        typer.echo("Nothing was decided.")


def _decided(each: profiles.Decided) -> str:
    back = (
        f", taken back by {each.taken_back_by} on {_time(each.taken_back_at)}"
        if each.taken_back_at
        else ""
    )
    return (
        f"{each.review_id}  {each.decision}: {_named(each.owner)} and {_named(each.other)}, by "
        f"{each.decided_by} on {_time(each.decided_at)}{back}"
    )


def _named(identifier: tuple[str, str]) -> str:
    return " ".join(identifier)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _cut(cut: profiles.Cut) -> str:
    restored = (
        f", restored by {cut.restored_by} on {_time(cut.restored_at)}" if cut.restored_at else ""
    )
    return (
        f"cut {cut.cut_id}: {_named(cut.identifier)} from {_named(cut.anchor)}, by {cut.cut_by} on "
        f"{_time(cut.cut_at)}: {cut.reason}{restored}"
    )
