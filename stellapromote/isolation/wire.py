"""The messages between a process and its child: length first, over one stream socket."""

import socket
import struct
import time
from typing import Final

REQUEST: Final = struct.Struct("!HdQ")
"""Bytes of the task's name, seconds of processor time it may use, bytes of the payload."""

REPLY: Final = struct.Struct("!BQ")
"""Kind of reply, bytes of its body."""

READY: Final = 0
ANSWER: Final = 1
REFUSED: Final = 2
FAILED: Final = 3


class Closed(Exception):
    """The other side is gone."""


def receive(channel: socket.socket, size: int, deadline: float | None = None) -> bytearray:
    """Exactly so many bytes. Closed, or TimeoutError when `deadline` (of time.monotonic) passes first."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            channel.settimeout(left)
        got = channel.recv_into(view, min(len(view), 1 << 20))
        if not got:
            raise Closed
        view = view[got:]
    return buffer
