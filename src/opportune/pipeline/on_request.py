"""Decide when somebody asks: what is the same for everybody is ready, what is decided is kept."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from opportune import decisions, project
from opportune.decisions import (
    Answer,
    Decided,
    DecidedMeanwhile,
    Decider,
    Person,
    Question,
)
from opportune.errors import OpportuneError, Unavailable, nearest
from opportune.pipeline.prepare import Ready, prepare
from opportune.project import Project, ProjectNotFound
from opportune.storage import Asked, Stores

__all__ = ["OnRequest", "TooManyQuestions", "decide_on_request", "would_decide"]

# Definitions and policies are looked at again after this; a moment later they count.
FRESH = timedelta(seconds=1)
# Nobody is answered by what was looked at longer ago.
STALE = timedelta(seconds=10)
# One query, one draw and one commit for so many questions that wait.
MOST_TOGETHER = 64
MOST_WAITING = 5_000
# Whom others get ahead of so often is told to ask again.
MOST_ROUNDS = 8

Outcome = Answer | Decided | OpportuneError


class TooManyQuestions(Unavailable):
    """More decisions are asked for than are made: none is kept waiting for longer."""

    code = "too_many_questions"


def decide_on_request(stores: Stores, question: Question, *, now: datetime) -> Answer:
    """Answer one question and be done with it: for a command or a page.

    Raises what is wrong with the question: ``ProjectNotFound``, ``UnknownProfile``,
    ``NotInAudience``, ``NotStarted``, ``NoOption`` or ``FieldForbidden``.
    """
    definitions = project.read(stores.state)

    def ready() -> Ready:
        return prepare(stores, definitions, [question.use_case], {}, now=now)

    (found,) = _decide_again(stores.state, ready, [question], now=now)
    if isinstance(found, OpportuneError):
        raise found
    return decisions.keep(stores.state, [found])[0] if isinstance(found, Decided) else found


def would_decide(
    stores: Stores, definitions: Project, kind: str, value: str, *, now: datetime
) -> dict[str, Answer | OpportuneError]:
    """Return what each use case would choose for one profile now, or why nothing; none is kept."""
    names = sorted(definitions.use_cases)[:MOST_TOGETHER]
    ready = prepare(stores, definitions, names, {}, now=now)
    questions = [
        Question(use_case=name, kind=kind, value=value, dry_run=True, request_id="")
        for name in names
    ]
    found = _decide(stores.state, ready, questions, now=now)
    return {
        name: each.answer if isinstance(each, Decided) else each
        for name, each in zip(names, found, strict=True)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A question, and the loop on which somebody waits for its answer."""

    question: Question
    now: datetime
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Answer]


class OnRequest:
    """Answers many callers: one thread reads, decides and keeps, each time for all who wait.

    So one query and one commit serve everybody who asked meanwhile, and each loop is woken once
    for all its answers. The thread begins with the first question and ends with the process, or
    with `close`.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._ready = _Prepared(stores)
        self._asked: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._begin = threading.Lock()
        self._thread: threading.Thread | None = None

    async def ask(self, question: Question, *, now: datetime) -> Answer:
        """Return the answer once it is kept; raises what `decide_on_request` would raise."""
        self._start()
        if self._asked.qsize() > MOST_WAITING:
            raise TooManyQuestions(
                f"More than {MOST_WAITING} questions wait for a decision. Nothing was decided; "
                "ask again later, with the same request_id."
            )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(question=question, now=now, loop=loop, answer=loop.create_future())
        self._asked.put(waiting)
        return await waiting.answer

    def close(self) -> None:
        """Answer who waits, and end."""
        self._asked.put(None)
        if self._thread is not None:
            self._thread.join()
        self._ready.close()

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._begin:
            if self._thread is None:
                self._thread = threading.Thread(target=self._answer, name="decide", daemon=True)
                self._thread.start()

    def _answer(self) -> None:
        with self._stores.state.direct() as state:
            while together := _together(self._asked):
                try:
                    outcomes = self._answers(state, together)
                except Exception as error:
                    # Whatever it is: who is not answered would wait for ever.
                    outcomes = [error] * len(together)
                _tell(together, outcomes)

    def _answers(self, state: Asked, together: Sequence[_Waiting]) -> Sequence[Answer | Exception]:
        now = together[-1].now
        questions = [each.question for each in together]
        looks = iter((self._ready.of, self._ready.anew))

        def ready() -> Ready:
            look = next(looks, self._ready.anew)
            return look({each.use_case for each in questions}, now=now)

        found = _decide_again(state, ready, questions, now=now)
        decided = [each for each in found if isinstance(each, Decided)]
        kept = iter(decisions.keep(state, decided) if decided else ())
        return [next(kept) if isinstance(each, Decided) else each for each in found]


def _tell(together: Sequence[_Waiting], outcomes: Sequence[Answer | Exception]) -> None:
    """Wake each loop once, with all that is for it."""
    told: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Answer | Exception]]] = {}
    for waiting, outcome in zip(together, outcomes, strict=True):
        told.setdefault(waiting.loop, []).append((waiting, outcome))
    for loop, those in told.items():
        # On a loop that was closed nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_say, those)


def _say(those: Sequence[tuple[_Waiting, Answer | Exception]]) -> None:
    for waiting, outcome in those:
        if waiting.answer.done():
            # Who asked has gone.
            continue
        if isinstance(outcome, Exception):
            waiting.answer.set_exception(outcome)
        else:
            waiting.answer.set_result(outcome)


class _Prepared:
    """What decides for each use case that was asked about, looked at again now and then."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._reader = project.Reader(stores.state)
        self._defined: frozenset[str] = frozenset()
        self._ready: Ready = {}
        self._at: datetime | None = None
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="decide-prepare")
        self._looking: Future[None] | None = None

    def of(self, names: set[str], *, now: datetime) -> Ready:
        """Return what decides for these use cases, or why nothing does."""
        at = self._at
        new = (names - self._ready.keys()) & self._defined
        if at is None or new or now - at > STALE or now.date() != at.date():
            self._look(names, now)
        elif now - at > FRESH and (self._looking is None or self._looking.done()):
            self._looking = self._aside.submit(self._look_again, now)
        # Names of nothing are not kept: there is no end of them.
        return {
            **self._ready,
            **{name: _unknown(name, self._defined) for name in names - self._defined},
        }

    def anew(self, names: set[str], *, now: datetime) -> Ready:
        """The same after another look: what was ready turned out to be out of date."""
        self._at = None
        return self.of(names, now=now)

    def close(self) -> None:
        """End the thread that looks again."""
        self._aside.shutdown()

    def _look_again(self, now: datetime) -> None:
        try:
            self._look(set(), now)
        except OpportuneError:
            # Whoever asks when this is out of date hears of it.
            return

    def _look(self, names: set[str], now: datetime) -> None:
        definitions = self._reader.read()
        self._defined = frozenset(definitions.use_cases)
        wanted = (names | self._ready.keys()) & self._defined
        self._ready = prepare(self._stores, definitions, wanted, self._ready, now=now)
        self._at = now


def _decide_again(
    state: Asked, ready: Callable[[], Ready], questions: Sequence[Question], *, now: datetime
) -> list[Outcome]:
    """Decide all questions; those that others got ahead of again, with what is ``ready`` then."""
    found = _decide(state, ready(), questions, now=now)
    for _ in range(MOST_ROUNDS):
        behind = [n for n, each in enumerate(found) if isinstance(each, DecidedMeanwhile)]
        if not behind:
            break
        again = _decide(state, ready(), [questions[place] for place in behind], now=now)
        for place, outcome in zip(behind, again, strict=True):
            found[place] = outcome
    return found


def _decide(
    state: Asked, ready: Ready, questions: Sequence[Question], *, now: datetime
) -> list[Outcome]:
    """Decide all questions, those of one use case together."""
    places: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault(question.use_case, []).append(place)
    found: dict[int, Outcome] = {}
    for name, here in places.items():
        decider = ready[name]
        if isinstance(decider, OpportuneError):
            found |= dict.fromkeys(here, _again(decider))
            continue
        answered = _decide_one_case(state, decider, [questions[place] for place in here], now)
        found |= dict(zip(here, answered, strict=True))
    return [found[place] for place in range(len(questions))]


def _decide_one_case(
    state: Asked, decider: Decider, questions: Sequence[Question], now: datetime
) -> list[Outcome]:
    """What was answered before, and what nothing is kept of, is an answer already."""
    use_case = decider.use_case
    people = decisions.people_asked(
        state,
        questions,
        (*use_case.audience, *use_case.minus),
        purpose=decisions.purpose_of(use_case, decider.consent),
    )
    found: list[Outcome | None] = [None] * len(questions)
    asked: list[tuple[Question, Person]] = []
    places: list[int] = []
    for place, (question, person) in enumerate(zip(questions, people, strict=True)):
        if isinstance(person, OpportuneError):
            found[place] = person
        elif person.answer is not None:
            found[place] = decisions.read_answer(person.answer)
        else:
            asked.append((question, person))
            places.append(place)
    if asked:
        decided: Sequence[Outcome]
        if decider.limits is None:
            decided = decisions.decide_asked(decider, asked, now=now)
        else:
            decided = decisions.decide_within(state, decider, asked, now=now)
        for place, each in zip(places, decided, strict=True):
            found[place] = (
                each.answer if isinstance(each, Decided) and questions[place].dry_run else each
            )
    return [each for each in found if each is not None]


def _unknown(name: str, defined: Iterable[str]) -> ProjectNotFound:
    return ProjectNotFound(f"No use case '{name[:63]}'. {nearest(name[:63], defined)}")


def _again(error: OpportuneError) -> OpportuneError:
    """An error that several callers hear, each its own: a raised one keeps where it was raised."""
    return error.with_traceback(None)


def _together(waiting: queue.SimpleQueue[_Waiting | None]) -> list[_Waiting]:
    """Wait for one and take all that wait, up to a limit; nothing at the end."""
    first = waiting.get()
    if first is None:
        return []
    found = [first]
    while len(found) < MOST_TOGETHER:
        try:
            each = waiting.get_nowait()
        except queue.Empty:
            break
        if each is None:
            waiting.put(None)
            break
        found.append(each)
    return found
