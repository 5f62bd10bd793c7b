"""The application that granian serves in RSGI mode: what is done before and after Django's part of a request."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from structlog.contextvars import bound_contextvars

from stellapromote.errors import ProductError
from stellapromote.front.body import SMALL, Bodies
from stellapromote.front.counts import OTHER, RequestCounts
from stellapromote.front.environ import environ_of, sender
from stellapromote.front.lane import Answer, Application, Lane
from stellapromote.front.protocol import Exchange, Scope
from stellapromote.front.readers import end_unread
from stellapromote.front.refusals import headers_of, refusal
from stellapromote.postgresql.parent_death import end_with_parent
from stellapromote.web.request_id import HEADER as REQUEST_ID
from stellapromote.web.request_route import ROUTE
from stellapromote.web.traceparent import HEADER as TRACEPARENT
from stellapromote.web.traceparent import trace_logged

logger = logging.getLogger(__name__)

MOST_BODIES: Final = 256
"""Bodies that a process holds at a time, from their first byte until they are answered."""
ROOM: Final = 512 * 1024 * 1024
"""Bytes that they have together."""
LINE: Final = 128
"""Requests of a process that wait for a thread."""
LINE_SECONDS: Final = 10.0
"""The longest wait of such a request. While the database lets all threads wait, a load balancer must hear of it."""
LARGE_LINE: Final = 8
"""Requests with a body of more than SMALL bytes that wait for theirs."""
LARGE_LINE_SECONDS: Final = 50.0
"""Each upload before it may take seconds. A proxy gives up after 60."""
OPENED_SECONDS: Final = 5.0
"""The server opens a file that it is to send at once, also on a busy machine; then its name may go."""
METRICS: Final = "/metrics"
"""It has a thread of its own: the figures matter most while all others wait."""
METRICS_LINE: Final = 8
"""Requests for the figures that wait for it."""
UNREAD_SECONDS: Final = 15.0
"""The longest for which a client may read nothing of an answer."""


class Front:
    """`application` is a WSGI application, `threads` how many run it, and `most_body` the bytes of the largest body.

    One thread more is for bodies of more than SMALL bytes: an upload is read and checked for seconds, and as many of
    them as there are threads would let all others wait. Another one is for forms sent to addresses that begin like one
    of `passwords`: to compare a password takes a third of a second of processor time, for strangers, too.
    `counts` gets each request with the seconds from its first byte to its answer. /metrics has a thread, too.
    `client_of` names who sent a request, by the address of the peer and X-Forwarded-For: clients take turns.
    `on_start` is called in each process of the server.
    """

    def __init__(
        self,
        application: Application,
        *,
        threads: int,
        most_body: int,
        passwords: tuple[str, ...] = (),
        client_of: Callable[[str, str], str] = lambda peer, _: peer,
        counts: RequestCounts | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> None:
        self._application = application
        self._client_of = client_of
        self._counts = RequestCounts() if counts is None else counts
        self._on_start = on_start
        self._threads = threads
        self._password_paths = passwords
        self._bodies = Bodies(most=most_body, number=MOST_BODIES, room=ROOM)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once in each process of the server."""
        # Killed, it would leave processes that answer beside those of the next start.
        end_with_parent(signal.SIGKILL)
        self._lane = Lane(self._application, threads=self._threads, line=LINE, seconds=LINE_SECONDS)
        self._large = Lane(self._application, threads=1, line=LARGE_LINE, seconds=LARGE_LINE_SECONDS)
        self._passwords = Lane(self._application, threads=1, line=LINE, seconds=LINE_SECONDS)
        self._metrics = Lane(self._application, threads=1, line=METRICS_LINE, seconds=LINE_SECONDS)
        self._files: set[Path] = set()
        loop.call_soon(end_unread, UNREAD_SECONDS)  # the loop runs once the server listens
        if self._on_start is not None:
            self._on_start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called when the process is to end, also with requests that wait."""
        for file in self._files:
            file.unlink()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        if scope.path == "/healthz" and scope.method in ("GET", "HEAD"):
            exchange.response_bytes(200, headers_of(scope, "application/json"), b'{"status":"ok"}')
            return
        began, route = time.monotonic(), OTHER
        try:
            client = self._client_of(*sender(scope))
            body = await self._bodies.take_in(scope.headers, exchange, client)
            try:
                lane = self._lane_of(scope, body.length)
                environ = environ_of(scope, body.file, body.length)
                answer = await lane.answer(environ, client)
                route = environ.get(ROUTE, OTHER)
            finally:
                self._bodies.give_back(body)
        except ProductError as error:
            answer = refusal(error, scope)
            headers = dict(answer.headers)
            with bound_contextvars(request_id=headers[REQUEST_ID], **trace_logged(headers.get(TRACEPARENT))):
                logger.info("%s at %s: %s", error.code, scope.path, error.message)
        self._counts.count(scope.method, route, answer.status, time.monotonic() - began)
        await self._send(answer, exchange, is_head=scope.method == "HEAD")

    def _lane_of(self, scope: Scope, length: int) -> Lane:
        if scope.method == "POST" and scope.path.startswith(self._password_paths):
            return self._passwords
        if scope.path == METRICS:
            return self._metrics
        return self._lane if length <= SMALL else self._large

    async def _send(self, answer: Answer, exchange: Exchange, *, is_head: bool) -> None:
        file = answer.content
        if isinstance(file, bytes):
            exchange.response_bytes(answer.status, answer.headers, file)
            return
        length = [] if _has_length(answer) else [("Content-Length", str(file.stat().st_size))]
        if is_head:
            file.unlink()
            exchange.response_bytes(answer.status, [*answer.headers, *length], b"")
            return
        self._files.add(file)
        exchange.response_file(answer.status, [*answer.headers, *length], str(file))
        await asyncio.sleep(OPENED_SECONDS)
        self._files.remove(file)
        file.unlink()


def _has_length(answer: Answer) -> bool:
    return any(name.lower() == "content-length" for name, _ in answer.headers)
