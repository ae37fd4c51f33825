"""The one table from error family to HTTP status, and the one body that every error has."""

from __future__ import annotations

import logging

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from opportune import errors

__all__ = ["HANDLERS", "STATUSES", "answer", "ours", "status_of"]

LOGGER = logging.getLogger("opportune")
RETRY_AFTER_S = 5

STATUSES: dict[type[errors.OpportuneError], int] = {
    errors.InvalidInput: 400,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unsupported: 501,
    errors.Unavailable: 503,
}
CODES = {400: "invalid_input", 404: "not_found", 405: "method_not_allowed"}
DEFECT = "This is our mistake, not yours. The log of the server says more."


def status_of(error: errors.OpportuneError) -> int:
    """Return the HTTP status of the error's family; 500 for a defect, which has none.

    >>> status_of(errors.NotFound("No such thing."))
    404
    """
    return next((status for family, status in STATUSES.items() if isinstance(error, family)), 500)


def answer(status: int, *, code: str, message: str) -> Response:
    """Return the body that every error has: ``{"code": ..., "message": ...}``."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    content = msgspec.json.encode({"code": code, "message": message})
    return Response(content, status, headers=headers, media_type="application/json")


def ours(_: Request, error: Exception) -> Response:
    """Answer an error of the program by its family; any other is a defect."""
    if not isinstance(error, errors.OpportuneError):
        return _defect(_, error)
    status = status_of(error)
    if status == 500:
        # The message may hold a query with its tables: it is for the log alone.
        LOGGER.error("%s: %s", error.code, error.message)
        return answer(500, code=error.code, message=DEFECT)
    return answer(status, code=error.code, message=error.message)


def _wrong_request(_: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    # What was given is left out: it may be personal.
    places = ", ".join(".".join(str(part) for part in each["loc"]) for each in problems)
    return answer(
        400,
        code="invalid_input",
        message=f"The request cannot be read: {places}. See /api/openapi.json.",
    )


def _no_such_route(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = "There is no such route. See /api/openapi.json."
    if status == 405:
        message = "This route does not know this method. See /api/openapi.json."
    return answer(status, code=CODES.get(status, "error"), message=message)


def _defect(_: Request, __: Exception) -> Response:
    return answer(500, code="defect", message=DEFECT)


# For the application that serves these routes.
HANDLERS = {
    errors.OpportuneError: ours,
    RequestValidationError: _wrong_request,
    HTTPException: _no_such_route,
    Exception: _defect,
}
