"""Threads that run the WSGI application, and the requests that wait for them."""

import asyncio
import logging
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from stellapromote.errors import ProductError
from stellapromote.front.deadlines import Deadlines
from stellapromote.front.line import Line
from stellapromote.front.protocol import Headers

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

IN_MEMORY: Final = 1024 * 1024
"""Bytes: a longer answer is sent from a file, which waits for slow readers without memory or a thread."""


class TooManyRequests(ProductError):
    """The line is full: one that waited in it longer would be given up by its client."""

    code = "SYS_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("More requests are waiting than the server can answer: send this again in a few seconds.")


class WaitedTooLong(ProductError):
    """No thread came free: each has a request that waits itself."""

    code = "SYS_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(
            "The server has no thread free: as a rule the database makes them wait. Nothing was changed: send this "
            "again in a few seconds."
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` is a file to be sent and removed where it is a path."""

    status: int
    headers: Headers
    content: bytes | Path


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A request that waits."""

    environ: Environ
    answered: "asyncio.Future[Answer]"

    def refuse(self, error: ProductError) -> None:
        """In the event loop, once it is out of the line."""
        if not self.answered.done():
            self.answered.set_exception(error)


class Lane:
    """A number of threads, each with one request from its first to its last byte: database connections are per thread.

    At most `line` requests wait, for at most `seconds`, and clients take turns. For one event loop.
    """

    def __init__(self, application: Application, *, threads: int, line: int, seconds: float) -> None:
        self._application = application
        self._room = threads + line
        self._deadlines = Deadlines(seconds)
        self._line: Line[_Job] = Line()
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    async def answer(self, environ: Environ, client: str) -> Answer:
        """The application's answer.

        TooManyRequests, also for one that waits and has to make room for a client with fewer, and WaitedTooLong (503);
        ProductError SYS_INTERNAL when the application failed.
        """
        job = _Job(environ, asyncio.get_running_loop().create_future())
        if self._room > 0:
            self._line.put(client, job)
        else:
            replaced = self._line.replace(client, job)
            if replaced is None:
                raise TooManyRequests
            replaced.refuse(TooManyRequests())
        self._room -= 1  # below none until the one that made room is answered
        deadline = self._deadlines.set(partial(self._give_up, client, job))
        try:
            return await job.answered
        finally:
            deadline.cancel()
            self._room += 1

    def _give_up(self, client: str, job: _Job) -> None:
        if self._line.remove(client, job):
            job.refuse(WaitedTooLong())

    def _work(self) -> None:
        while True:
            job = self._line.take()
            environ, answered = job.environ, job.answered
            tell = answered.get_loop().call_soon_threadsafe
            try:
                answer = run(self._application, environ)
            except BaseException:  # also of errors that would end the thread: nothing starts another
                logger.exception("The application failed at %s", environ["PATH_INFO"])
                tell(answered.set_exception, ProductError(code="SYS_INTERNAL"))
            else:
                tell(answered.set_result, answer)


def run(application: Application, environ: Environ) -> Answer:
    """The whole answer, closed: Django signals the request's end in the thread that made it."""
    head: list[Any] = []

    def start_response(status: str, headers: Headers, _exc_info: Any = None) -> None:
        head[:] = int(status[:3]), headers

    body = application(environ, start_response)
    try:
        content = _collected(body)
    finally:
        getattr(body, "close", lambda: None)()
    status, headers = head
    return Answer(status, headers, content)


def _collected(body: Iterable[bytes]) -> bytes | Path:
    parts: list[bytes] = []
    length, rest = 0, iter(body)
    for part in rest:
        parts.append(part)
        length += len(part)
        if length > IN_MEMORY:
            return _written(chain(parts, rest))
    return b"".join(parts)


def _written(parts: Iterable[bytes]) -> Path:
    with tempfile.NamedTemporaryFile(prefix="answer-", delete=False) as file:
        path = Path(file.name)
        try:
            file.writelines(parts)
        except BaseException:
            path.unlink()
            raise
    return path
