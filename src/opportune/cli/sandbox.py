"""``opportune sandbox braze``: a stand-in for Braze on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from opportune.cli.serve import free_port
from opportune.sandbox import SandboxConfig, create_app

__all__ = ["app", "braze"]

HOST = "127.0.0.1"

app = typer.Typer(no_args_is_help=True, help="Stand-ins for other systems, for trying and testing.")


_Market = Annotated[str, typer.Option(help="Made-up market of the workspace.")]
_Start = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day of its clock.")
]
_WriteKey = Annotated[str, typer.Option(envvar="SANDBOX_WRITE_KEY", help="Write key for orders.")]
_CurrentsKey = Annotated[
    str, typer.Option(envvar="SANDBOX_CURRENTS_KEY", help="Bearer token for engagement.")
]
_Sends = Annotated[bool, typer.Option(help="Report every message as a Send event, too.")]
_Journal = Annotated[Path | None, typer.Option(help="Remember accepted sends in this file.")]
_Sticks = Annotated[bool, typer.Option(help="Who unsubscribes gets no further email.")]
_Style = Annotated[
    bool, typer.Option(help="Answer 429 as newer contracts do: seconds to wait, alone.")
]
_Cap = Annotated[int | None, typer.Option(min=1, help="Frequency cap: messages a user and day.")]
_Polls = Annotated[int, typer.Option(min=0, help="How often an export's address says: not yet.")]
_Bucket = Annotated[
    Path | None, typer.Option(help="Folder that segment exports go to, as to own storage.")
]


@app.callback()
def sandbox() -> None:
    """Stand-ins for other systems, for trying and testing."""


@app.command("braze")
def braze(  # noqa: PLR0913 - one option each
    *,
    api_key: Annotated[str, typer.Option(envvar="SANDBOX_API_KEY", help="REST key to accept.")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8421,
    market: _Market = "internet-provider",
    customers: Annotated[int, typer.Option(min=1, help="How many customers it has.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Same seed, same customers.")] = 1,
    start: _Start = None,
    events_url: Annotated[str | None, typer.Option(help="Where reactions are posted.")] = None,
    write_key: _WriteKey = "",
    currents_key: _CurrentsKey = "",
    report_sends: _Sends = True,
    unsubscribes_stick: _Sticks = True,
    retry_after_style: _Style = False,
    messages_per_day: _Cap = None,
    export_polls: _Polls = 2,
    bucket: _Bucket = None,
    journal: _Journal = None,
) -> None:
    """Serve Braze's REST contract with customers who answer by a known truth."""
    free = free_port(HOST, port)
    config = SandboxConfig(
        api_key=api_key,
        customers=customers,
        seed=seed,
        start=(start or datetime.now(UTC)).date(),
        market=market,
        events_url=events_url,
        write_key=write_key,
        currents_key=currents_key,
        report_sends=report_sends,
        unsubscribes_stick=unsubscribes_stick,
        retry_after_style=retry_after_style,
        messages_per_day=messages_per_day,
        export_polls=export_polls,
        bucket=bucket,
        journal=journal,
    )
    uvicorn.run(create_app(config), host=HOST, port=free, log_level="warning")
