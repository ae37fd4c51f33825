"""One call on its way through an operation, and how it is read and answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from opportune.sandbox.limits import Limiter
from opportune.sandbox.model import Refused, SandboxConfig
from opportune.sandbox.workspace import Workspace

__all__ = ["Exchange", "answer", "decoded", "json_answer"]

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One call on its way through an operation; ``headers`` go out with the answer."""

    config: SandboxConfig
    workspace: Workspace
    limiter: Limiter
    request: Request
    request_id: str
    headers: dict[str, str]
    body: bytes = b""
    export_fault: str = ""
    partial: bool = False  # a fault: the first object of the call cannot be processed

    def draw(self, pool: str, *, of: str = "") -> None:
        """Count this call against a pool, ``of`` one audience; past its limit it ends with 429."""
        self.headers = self.limiter.draw(pool, of)


def answer(status: int, message: str, extra: Mapping[str, object] | None = None) -> Response:
    """A JSON answer with Braze's ``message`` and what else there is to say."""
    return json_answer(status, {**(extra or {}), "message": message})


def json_answer(status: int, content: object) -> Response:
    """Any JSON answer."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as the decoder's type; anything else is answered 400."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refused(f"Invalid parameter: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"The request body is not valid JSON: {error}") from error
