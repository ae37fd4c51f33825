"""``decide``: what one profile gets now, how likely that was, and why nothing else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from opportune import pipeline, settings
from opportune.cli.stores import opened
from opportune.decisions import SENT, Answer, InvalidQuestion, Question, in_words

__all__ = ["decide"]


SHOWN_CANDIDATES = 10
SHOWN_FACTORS = 8


def decide(  # noqa: PLR0913 - the options of a command
    use_case: Annotated[str, typer.Argument(help="Name of the use case.")],
    kind: Annotated[str, typer.Argument(help="Kind of the identifier, such as user_id or email.")],
    value: Annotated[str, typer.Argument(help="The identifier itself.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Keep nothing: what the day's run would choose.")
    ] = False,
    request_id: Annotated[
        str, typer.Option(help="Asked again with the same one, the answer is the same.")
    ] = "",
    traits: Annotated[
        str, typer.Option(help="A JSON object that counts before the stored traits.")
    ] = "{}",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Decide for one profile now, keep the decision and say why; nothing is sent."""
    asked_as = request_id or ("" if dry_run else uuid.uuid4().hex)
    question = Question(
        use_case=use_case,
        kind=kind,
        value=value,
        request_id=asked_as,
        traits=_traits(traits),
        dry_run=dry_run,
    )
    with opened(settings.load()) as stores:
        answer = pipeline.decide_on_request(stores, question, now=datetime.now(UTC))
    if as_json:
        typer.echo(msgspec.json.encode(answer))
        return
    for line in _lines(answer):
        typer.echo(line)


def _traits(text: str) -> dict[str, object]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise InvalidQuestion('--traits is no JSON object. Allowed: such as {"plan": "plus"}.')
    return given


def _lines(answer: Answer) -> list[str]:
    is_control = answer.group not in SENT
    chosen = _named(answer.action or {})
    return [
        f"{answer.use_case} version {answer.version}, group {answer.group}"
        + (": business as usual, do nothing" if is_control else ""),
        f"{'it would have got' if is_control else 'action'}: {chosen}"
        + f", probability {answer.propensity:.4f}"
        + (", explored" if answer.explored else ""),
        f"decision {answer.decision_id}" if answer.decision_id else "dry run: nothing was kept",
        f"policy {answer.policy} {answer.policy_version}, learned through "
        f"{answer.trained_through or 'nothing yet'}; newest event of the profile "
        f"{answer.last_event_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        *(
            f"candidate {_named(each.action)}: probability {each.probability:.4f}"
            + ("" if each.score is None else f", expects {each.score:.4g}")
            for each in answer.candidates[:SHOWN_CANDIDATES]
        ),
        f"any of {answer.eligible_actions} actions with {answer.uniform_share:.2%} in all",
        *(
            f"{'for' if each.adds > 0 else 'against'} {in_words(each)}: {each.adds:+.3f}"
            for each in answer.factors[:SHOWN_FACTORS]
        ),
        *(f"excluded {_named(each.options)}: {each.because}" for each in answer.excluded),
    ]


def _named(options: Mapping[str, str]) -> str:
    return ", ".join(f"{dimension} {option}" for dimension, option in options.items())
