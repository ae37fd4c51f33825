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

from opportune.sandbox import campaigns, users
from opportune.sandbox.control import control_routes
from opportune.sandbox.exchange import Operation, answer, endpoint
from opportune.sandbox.limits import Limiter
from opportune.sandbox.messaging import trigger_send
from opportune.sandbox.model import SandboxConfig
from opportune.sandbox.workspace import open_workspace

__all__ = ["create_app"]

OPERATIONS = tuple(
    Operation(method=method, path=path, permission=path[1:].replace("/", "."), run=run)
    for method, path, run in (
        ("POST", "/campaigns/trigger/send", trigger_send),
        ("POST", "/users/export/ids", users.export_ids),
        ("POST", "/users/track", users.track),
        ("GET", "/campaigns/list", campaigns.listed),
        ("GET", "/campaigns/details", campaigns.details),
    )
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

    braze = [
        Route(one.path, endpoint(one, config, workspace, limiter), methods=[one.method])
        for one in OPERATIONS
    ]
    app = Starlette(
        routes=[*braze, *control_routes(config, workspace)],
        exception_handlers={404: unknown_path, 405: unknown_path},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _limiter(config: SandboxConfig, wall_clock: Callable[[], float]) -> Limiter:
    """Requests and seconds a window, as documented; the two that tests want small are settings."""
    pools = {
        "default": (config.requests_per_hour, 3600),
        "broadcast": (250, 60),
        "broadcast audience": (10, 60),
        "track": (3000, 3),
        "export": (config.exports_per_minute, 60),
        "export light": (40, 1),
    }
    return Limiter(pools, wall_clock=wall_clock, retry_after_style=config.retry_after_style)
