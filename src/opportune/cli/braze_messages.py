"""``opportune braze preview`` and ``test-send``: what a combination says, and to see it arrive."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from opportune import pipeline, project, settings
from opportune.activation import braze
from opportune.cli.stores import opened

__all__ = ["asking", "preview", "preview_lines", "remove_test_profiles", "send_test"]

Name = Annotated[str, typer.Argument(help="A use case.")]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option", help="DIMENSION=OPTION; where a dimension is left out, its first option."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
LABELS = {"subject": "Subject", "preheader": "Preheader", "title": "Title", "alert": "Alert"}


def asking(patience: braze.Patience) -> braze.Asking:
    """How a command asks: it may wait."""
    return braze.Asking(clock=time.monotonic, sleep=time.sleep, patience=patience)


def preview(name: Name, *, option: Options = None, as_json: AsJson = False) -> None:
    """Show what goes out for a combination of options; nothing is sent."""
    configured = settings.load()
    with opened(configured) as stores:
        use_case = project.read(stores.state).use_case(name)
    chosen = _chosen(option or ())
    found = pipeline.preview_message(configured, use_case, chosen, asking(braze.Patience()))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    typer.echo("\n".join(preview_lines(found)))


def preview_lines(found: pipeline.MessagePreview) -> list[str]:
    """Say it in words: the combination, what is handed over, and each message."""
    lines = [
        f"{found.use_case}: " + ", ".join(f"{name}={value}" for name, value in found.action.items())
    ]
    lines += [f"  {name}: {value}" for name, value in found.properties.items()]
    for each in found.messages:
        content = each.content
        lines += ["", " ".join(part for part in (content.channel, content.name) if part)]
        lines += [
            f"  {label}: {getattr(content, field)}"
            for field, label in LABELS.items()
            if getattr(content, field)
        ]
        lines += [f"  {line}" for line in (content.body or "").splitlines()]
        lines += [f"  ({each.problem})"] if each.problem else []
    return [*lines, found.trouble] if found.trouble else lines


def send_test(
    name: Name,
    *,
    to: Annotated[str, typer.Option(help="Email address, or phone number as +491701234567.")],
    option: Options = None,
    by: Annotated[str, typer.Option(help="Who asks for it; kept with the profile.")] = "console",
) -> None:
    """Send a combination to a temporary profile in Braze; it is removed later, nothing counts."""
    tester = pipeline.Tester(to=to, by=by, number=secrets.token_hex(8))
    now = datetime.now(UTC)
    with opened(settings.load()) as stores:
        use_case = project.read(stores.state).use_case(name)
        patience = asking(braze.Patience())
        given = _chosen(option or ())
        found = pipeline.send_test(stores, use_case, given, tester=tester, asking=patience, now=now)
    if not found.accepted:
        typer.echo(f"Not sent. {found.reason}", err=True)
        raise typer.Exit(code=2)
    typer.echo(
        f"Braze took it, to the temporary profile {found.external_id}. A worker removes it from "
        f"{found.removed_from:%H:%M} UTC on; without one: opportune braze remove-test-profiles"
    )


def remove_test_profiles() -> None:
    """Remove the temporary profiles of test sends that are 15 minutes old; a worker does so too."""
    configured, now = settings.load(), datetime.now(UTC)
    patience = asking(braze.Patience())
    reach = partial(braze.connected, api_key=configured.braze_api_key, asking=patience)
    with opened(configured) as stores:
        removed = braze.remove_test_profiles(stores.state, reach, now=now)
    typer.echo(f"{removed} removed.")


def _chosen(given: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign:
            raise pipeline.UnknownCombination(
                f"{each!r} given, must be DIMENSION=OPTION, as offer=tv."
            )
        found[name.strip()] = value.strip()
    return found
