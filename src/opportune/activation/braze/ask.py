"""Ask a workspace of Braze: typed answers, its rate limits kept, reads repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from opportune.activation.braze.pools import Pools
from opportune.activation.connectors.braze_answers import refusal
from opportune.activation.model import Answer, Request
from opportune.errors import Forbidden, InvalidInput, Unavailable

__all__ = [
    "BrazeForbidden",
    "BrazeRefused",
    "BrazeUnavailable",
    "Patience",
    "UnreadableAnswer",
    "Workspace",
]

T = TypeVar("T")

NOT_LET_IN = (401, 403, 407)
FIRST_WAIT_S = 1.0


class BrazeForbidden(Forbidden):
    """Braze does not know the API key, or the key may not do this. The message never shows it."""

    code = "braze_forbidden"


class BrazeRefused(InvalidInput):
    """Braze took the call for a wrong one; the same again would be refused again."""

    code = "braze_refused"


class BrazeUnavailable(Unavailable):
    """Braze did not answer, or its rate limit is used up for longer than we wait."""

    code = "braze_unavailable"


class UnreadableAnswer(Unavailable):
    """What came back does not read as Braze's answer; the message says where."""

    code = "unreadable_braze_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a question may take. ``tries`` counts calls, ``wait_s`` seconds of waiting in all.

    A page has little of it; a command that may wait for a rate limit of an hour has much.
    """

    tries: int = 6
    wait_s: float = 60.0


class Workspace:
    """One workspace of Braze. Safe to use from several threads.

    Parameters
    ----------
    call:
        Makes a request once, as ``Transport.call``: it knows base URL and key, and shows neither.
    clock, sleep:
        Seconds from any start that never go back, and waiting for some.
    patience:
        How long one question may take.
    """

    __slots__ = ("_call", "_clock", "_patience", "_pools", "_sleep")

    def __init__(
        self,
        call: Callable[[Request], Answer],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        patience: Patience,
    ) -> None:
        self._call = call
        self._clock = clock
        self._sleep = sleep
        self._patience = patience
        self._pools = Pools(clock)

    def get(self, path: str, query: Mapping[str, str | int], shape: type[T]) -> T:
        """Read ``path`` as ``shape``; repeated until an answer comes or patience ends.

        Raises ``BrazeForbidden``, ``BrazeRefused``, ``BrazeUnavailable`` or ``UnreadableAnswer``.
        """
        asked = f"{path}?{urlencode(query)}" if query else path
        request = Request(method="GET", path=asked, body=b"", keys=())
        return _read(path, self.ask(request, repeatable=True), shape)

    def post(self, path: str, body: object, shape: type[T], *, repeatable: bool) -> T:
        """Post ``body`` as JSON and read the answer as ``shape``; raises as `get`.

        ``repeatable``: whether the same call twice does no more than once. What is not, is made
        again only when Braze surely did not have it.
        """
        request = Request(method="POST", path=path, body=msgspec.json.encode(body), keys=())
        return _read(path, self.ask(request, repeatable=repeatable), shape)

    def ask(self, request: Request, *, repeatable: bool) -> Answer:
        """Make a call when the rate limit allows it; return its 2xx answer. Raises as `get`."""
        waited_s = 0.0
        for attempt in range(1, self._patience.tries + 1):
            waited_s += self._wait(request, self._pools.wait_s(request.path), waited_s)
            answer = self._call(request)
            self._pools.note(request.path, answer)
            if answer.status is not None and 200 <= answer.status < 300:
                return answer
            outcome, reason, asked_s = refusal(_plain(request), answer)
            _raise_unless_passing(answer, outcome, reason)
            if attempt == self._patience.tries or (outcome == "unknown" and not repeatable):
                break
            wait_s = self._backoff_s(request, attempt) if asked_s is None else asked_s
            waited_s += self._wait(request, wait_s, waited_s)
        doubt = "" if repeatable or outcome != "unknown" else " It may have had the call: look."
        raise BrazeUnavailable(
            f"{_plain(request).path}, tried {attempt} times: {reason}{doubt} Try again later."
        )

    def _wait(self, request: Request, wait_s: float, waited_s: float) -> float:
        if waited_s + wait_s > self._patience.wait_s:
            raise BrazeUnavailable(
                f"{_plain(request).path}: Braze wants to be left alone for {wait_s:.0f} s, longer "
                f"than the {self._patience.wait_s:.0f} s that are waited here. Try again then."
            )
        if wait_s > 0:
            self._sleep(wait_s)
        return wait_s

    def _backoff_s(self, request: Request, attempt: int) -> float:
        """Twice as long each time, of which a part that differs from caller to caller is left."""
        seed = f"{request.path}:{attempt}:{self._clock()}".encode()
        chance = int.from_bytes(blake2b(seed, digest_size=8).digest()) / 2.0**64
        return FIRST_WAIT_S * 2.0 ** (attempt - 1) * (1 + chance) / 2


def _raise_unless_passing(answer: Answer, outcome: str, reason: str) -> None:
    status = answer.status
    if status in NOT_LET_IN or (status is not None and 300 <= status < 400):
        raise BrazeForbidden(reason)
    if outcome == "failed":
        raise BrazeRefused(reason)


def _plain(request: Request) -> Request:
    """The request without its query, as messages name it."""
    path = request.path.partition("?")[0]
    return Request(method=request.method, path=path, body=b"", keys=())


def _read(path: str, answer: Answer, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as trouble:
        # Its words name types and places, never values.
        words = trouble if isinstance(trouble, msgspec.ValidationError) else "this is no JSON"
        raise UnreadableAnswer(
            f"{path}: the answer {answer.status} does not read as Braze's: {words}. Check base_url;"
            " it must be the REST host of the workspace."
        ) from trouble
