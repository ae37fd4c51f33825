"""The application: Braze's paths at the root of the host, the control side beside them."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from opportune.sandbox import (
    campaigns,
    direct,
    exports,
    identities,
    messaging,
    schedules,
    segment_export,
    series,
    templates,
    users,
)
from opportune.sandbox.control import control_routes
from opportune.sandbox.exchange import answer
from opportune.sandbox.gate import Operation, endpoint
from opportune.sandbox.inspection import inspection_routes
from opportune.sandbox.limits import POOLS, Limiter
from opportune.sandbox.model import SandboxConfig
from opportune.sandbox.setup import setup_routes
from opportune.sandbox.workspace import open_workspace

__all__ = ["OPERATIONS", "create_app"]

_POSTS = {
    "/campaigns/trigger/send": messaging.trigger_send,  # first, being asked for most
    "/users/track": users.track,
    "/users/delete": identities.delete,
    "/users/export/ids": exports.export_ids,
    "/users/export/segment": segment_export.export_segment,
    "/users/alias/new": identities.alias_new,
    "/users/alias/update": identities.alias_update,
    "/users/identify": identities.identify,
    "/users/merge": identities.merge,
    "/email/status": identities.email_status,
    "/messages/send": direct.messages_send,
    "/messages/schedule/create": schedules.messages_create,
    "/messages/schedule/update": schedules.schedule_update,
    "/messages/schedule/delete": schedules.schedule_delete,
    "/campaigns/trigger/schedule/create": schedules.campaign_create,
    "/campaigns/trigger/schedule/update": schedules.schedule_update,
    "/campaigns/trigger/schedule/delete": schedules.schedule_delete,
    "/canvas/trigger/send": messaging.canvas_send,
    "/canvas/trigger/schedule/create": schedules.canvas_create,
    "/canvas/trigger/schedule/update": schedules.schedule_update,
    "/canvas/trigger/schedule/delete": schedules.schedule_delete,
    "/sends/id/create": campaigns.send_id_create,
    "/templates/email/create": templates.template_create,
    "/templates/email/update": templates.template_update,
    "/content_blocks/create": templates.block_create,
    "/content_blocks/update": templates.block_update,
}
_GETS = {
    "/email/unsubscribes": identities.email_unsubscribes,
    "/campaigns/list": campaigns.campaigns_list,
    "/campaigns/details": campaigns.campaign_details,
    "/campaigns/data_series": series.campaign_series,
    "/canvas/list": campaigns.canvas_list,
    "/canvas/details": campaigns.canvas_details,
    "/canvas/data_series": series.canvas_series,
    "/canvas/data_summary": series.canvas_summary,
    "/segments/list": campaigns.segments_list,
    "/segments/details": campaigns.segment_details,
    "/segments/data_series": series.segment_series,
    "/sends/data_series": series.send_series,
    "/templates/email/info": templates.template_info,
    "/templates/email/list": templates.templates_list,
    "/content_blocks/info": templates.block_info,
    "/content_blocks/list": templates.blocks_list,
}
_PERMISSIONS = {"/email/unsubscribes": "email.unsubscribe"}  # elsewhere the path says it
OPERATIONS = tuple(
    Operation(
        method=method,
        path=path,
        permission=_PERMISSIONS.get(path, path[1:].replace("/", ".")),
        run=run,
    )
    for method, operations in (("POST", _POSTS), ("GET", _GETS))
    for path, run in operations.items()
)


def create_app(config: SandboxConfig, *, wall_clock: Callable[[], float] = time.time) -> Starlette:
    """The sandbox, ready to serve; ``wall_clock`` (epoch seconds) moves the rate windows only."""
    workspace = open_workspace(config)
    limiter = _limiter(config, wall_clock)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        workspace.close()

    async def unknown_path(_: Request, __: Exception) -> Response:
        response = answer(404, "Not Found")
        response.headers.update(limiter.headers("default"))
        response.headers["X-Request-Id"] = str(uuid.uuid4())
        return response

    async def exported(request: Request) -> Response:
        return await segment_export.download(request, workspace, config)

    braze = [
        Route(one.path, endpoint(one, config, workspace, limiter), methods=[one.method])
        for one in OPERATIONS
    ]
    app = Starlette(
        routes=[
            *braze,
            Route("/exports/{name}", exported, methods=["GET"]),
            *control_routes(config, workspace, limiter),
            *setup_routes(workspace),
            *inspection_routes(workspace),
        ],
        exception_handlers={404: unknown_path, 405: unknown_path},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _limiter(config: SandboxConfig, wall_clock: Callable[[], float]) -> Limiter:
    """The documented pools, at the sizes of the configuration."""
    pools = {
        **POOLS,
        "default": (config.requests_per_hour, 3600),
        "export": (config.exports_per_minute, 60),
        **config.limits,
    }
    return Limiter(pools, wall_clock=wall_clock, retry_after_style=config.retry_after_style)
