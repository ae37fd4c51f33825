"""Where questions become answers: sessions, forms, and what is shown when something is missing."""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from opportune.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    OpportuneError,
    Unavailable,
    Unsupported,
)
from opportune.sign_in import SESSION_COOKIE, SESSION_FOR, SignInNeeded, check_host, is_needed, who
from opportune.storage import Stores
from opportune.telemetry import LOGGER
from opportune.web import pages
from opportune.web.asking import (
    FORM_BYTES,
    Answer,
    Asked,
    Download,
    Entered,
    Fields,
    FormTooLarge,
    Frame,
    Moved,
    check_post,
    new_session,
    read_form,
    token_of,
)
from opportune.web.dot import dot
from opportune.web.truth import Truth, read_truth

__all__ = ["HEADERS", "Site", "View"]

View = Callable[[Asked], Answer]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With "no-referrer" a browser does not say where a form came from.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SIGN_IN = "/sign-in"
# A script asks for it.
TAIL = "/live/rows"
TITLES: tuple[tuple[type[OpportuneError], int, str], ...] = (
    (Unavailable, 503, "The numbers cannot be read just now"),
    (NotFound, 404, "There is no such page"),
    (InvalidInput, 400, "This cannot be used"),
    (Forbidden, 403, "This is not allowed"),
    (Conflict, 409, "Somebody was faster"),
    (Unsupported, 501, "This part cannot do that"),
)
# How long the dot in the top line stays as it was found.
DOT_S = 2.0


class Site:
    """The pages over some stores; it remembers since when they could not be read."""

    def __init__(self, stores: Stores, clock: Callable[[], datetime]) -> None:
        self._stores = stores
        self._clock = clock
        self._down_since: datetime | None = None
        self._dot = ("fine", "")
        self._dot_until = 0.0
        # Where nobody signs in, a session ends with its browser.
        lasts = is_needed(stores.settings)
        self._session_s = int(SESSION_FOR.total_seconds()) if lasts else None

    def show(self, view: View, *, outside: bool = False) -> Callable[[Request], Response]:
        """Return the endpoint that answers with ``view``; ``outside``: to anybody at all."""

        def endpoint(request: Request) -> Response:
            return self._answer(view, request, Fields(), outside=outside)

        endpoint.__doc__ = view.__doc__
        return endpoint

    def act(self, view: View, *, outside: bool = False) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint that takes a form of this site and answers with ``view``."""

        def acted(asked: Asked, request: Request) -> Answer:
            check_post(
                request.headers,
                session=request.cookies.get(SESSION_COOKIE, ""),
                token=asked.form.get("token"),
            )
            return view(asked)

        async def endpoint(request: Request) -> Response:
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > FORM_BYTES:
                    break
            return await run_in_threadpool(
                partial(
                    self._answer,
                    lambda asked: acted(asked, request),
                    request,
                    body,
                    outside=outside,
                )
            )

        endpoint.__doc__ = view.__doc__
        return endpoint

    def _answer(
        self, view: View, request: Request, sent: Fields | bytes, *, outside: bool
    ) -> Response:
        session = request.cookies.get(SESSION_COOKIE, "")
        fresh = "" if session else new_session()
        truth = read_truth(self._stores.settings.data_folder)
        frame = Frame(
            as_of=self._clock(),
            demo=truth is not None,
            token=token_of(session or fresh),
            outside=is_needed(self._stores.settings),
        )
        try:
            frame = self._let_in(request, session, frame, outside=outside)
            answer = view(self._asked(request, sent, frame, truth))
        except SignInNeeded as error:
            asks = request.method == "GET" and request.url.path != TAIL
            response = _response(Moved(to=SIGN_IN)) if asks else self._problem(error, frame)
        except OpportuneError as error:
            response = self._problem(error, frame)
        except Exception as error:
            response = self._problem(_defect(error), frame)
        else:
            self._down_since = None
            response = _response(answer)
            fresh = answer.session if isinstance(answer, Entered) else fresh
        if fresh:
            self._keep_session(response, fresh, secure=request.url.scheme == "https")
        return response

    def _asked(
        self, request: Request, sent: Fields | bytes, frame: Frame, truth: Truth | None
    ) -> Asked:
        return Asked(
            stores=self._stores,
            frame=frame,
            path=request.path_params,
            query=Fields(tuple(request.query_params.multi_items())),
            form=_form(sent),
            truth=truth,
            address=str(request.base_url).rstrip("/"),
            part="x-part" in request.headers,
            session=request.cookies.get(SESSION_COOKIE, ""),
        )

    def _keep_session(self, response: Response, session: str, *, secure: bool) -> None:
        response.set_cookie(
            SESSION_COOKIE,
            session,
            max_age=self._session_s,
            httponly=True,
            samesite="lax",
            secure=secure,
        )

    def _let_in(self, request: Request, session: str, frame: Frame, *, outside: bool) -> Frame:
        """Return what the page shows to who asks. Raises ``UnknownHost``, ``SignInNeeded``."""
        settings = self._stores.settings
        check_host(settings, request.headers.get("host"))
        if outside:
            return frame
        name = ""
        if is_needed(settings):
            authorization = request.headers.get("authorization")
            name = who(
                self._stores.state, session=session, authorization=authorization, now=frame.as_of
            )
        colour, words = self._look()
        return replace(frame, dot=colour, dot_words=words, signed_in=name, outside=False)

    def _look(self) -> tuple[str, str]:
        """Look how the program is, not more often than somebody can tell."""
        if time.monotonic() >= self._dot_until:
            self._dot = dot(self._stores)
            self._dot_until = time.monotonic() + DOT_S
        return self._dot

    def _problem(self, error: OpportuneError, frame: Frame) -> Response:
        since: datetime | None = None
        found = next((each for each in TITLES if isinstance(error, each[0])), None)
        if found is None:
            # The message of a defect may hold a query; it is for the log.
            LOGGER.error("%s: %s", error.code, error.message)
            status, title = 500, "Something is wrong with this program"
            message = "This is not your fault. The log of the server says more."
        else:
            _, status, title = found
            message = error.message
        if isinstance(error, Unavailable):
            self._down_since = since = self._down_since or frame.as_of
            frame = replace(frame, dot="down", dot_words=message)
        body = pages.problem(
            title=title, message=message, code=error.code, since=since, frame=frame
        )
        return HTMLResponse(body, status, headers=HEADERS)


def _defect(error: Exception) -> OpportuneError:
    """Say where in this program it happened; what the error says may quote somebody's data."""
    places = traceback.extract_tb(error.__traceback__)
    where = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "nowhere"
    return OpportuneError(f"{type(error).__name__} at {where}")


def _form(sent: Fields | bytes) -> Fields:
    if isinstance(sent, Fields):
        return sent
    if len(sent) > FORM_BYTES:
        raise FormTooLarge(f"A form may have {FORM_BYTES} bytes. Split what it describes.")
    return read_form(sent)


def _response(answer: Answer) -> Response:
    if isinstance(answer, Moved | Entered):
        return RedirectResponse(answer.to, 303, headers={"Cache-Control": "no-store"})
    if isinstance(answer, Download):
        kept = {"Content-Disposition": f'attachment; filename="{answer.name}"'}
        return Response(answer.body, headers={**HEADERS, **kept}, media_type=answer.media_type)
    return HTMLResponse(answer.body, answer.status, headers={**HEADERS, **answer.headers})
