"""The worker's step that sends e-mails, in a thread of its own: a slow mail server keeps no promotion waiting."""

import threading
from concurrent.futures import Future

from django.db import connection

from stellapromote.clock import Clock
from stellapromote.identity.messages import are_due, send_due


class Mailer:
    """The thread of one worker, and its connection, are there only while it sends. The end of the process does not wait
    for it: what it leaves is sent again."""

    def __init__(self) -> None:
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
            self._under_way = Future()
            threading.Thread(target=_carry_out, args=(self._under_way, clock), name="mail", daemon=True).start()
        return sent


def _carry_out(under_way: "Future[int]", clock: Clock) -> None:
    try:
        under_way.set_result(_send(clock))
    except Exception as error:
        under_way.set_exception(error)


def _send(clock: Clock) -> int:
    try:
        return send_due(clock)
    finally:
        connection.close()
