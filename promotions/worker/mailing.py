"""The worker's step that sends e-mails, in a thread of its own: a slow mail server keeps no promotion waiting."""

from concurrent.futures import Future, ThreadPoolExecutor

from django.db import connection

from stellapromote.clock import Clock
from stellapromote.identity.messages import are_due, send_due


class Mailer:
    """The thread of one worker. It has a connection only while it sends."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
        self._under_way: Future[int] | None = None

    def send(self, clock: Clock) -> int:
        """Begins to send what is due, and returns the number of messages sent since the last time. Raises the error
        of the last time."""
        sent = 0
        if self._under_way is not None:
            if not self._under_way.done():
                return 0
            done, self._under_way = self._under_way, None
            sent = done.result()
        if are_due(clock):
            self._under_way = self._thread.submit(_send, clock)
        return sent


def _send(clock: Clock) -> int:
    try:
        return send_due(clock)
    finally:
        connection.close()
