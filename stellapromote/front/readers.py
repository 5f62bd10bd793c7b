"""Connections with unread answers: each would hold one of those that a process takes (docs/adr/0200)."""

import os
import socket
from pathlib import Path
from typing import Final

_DESCRIPTORS: Final = Path("/proc/self/fd")


def end_unread(seconds: float) -> None:
    """Linux ends a connection that has had bytes to send for this long while its other end took none.

    A connection has this from the socket that listens. The server makes that socket and hands it to no caller: it is
    found among the descriptors of the process. Other systems have no such bound.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None or not _DESCRIPTORS.is_dir():
        return
    for descriptor in list(_DESCRIPTORS.iterdir()):
        listening = _listening(int(descriptor.name))
        if listening is not None:
            with listening:
                listening.setsockopt(socket.IPPROTO_TCP, option, int(1000 * seconds))


def _listening(descriptor: int) -> socket.socket | None:
    """A copy of it, to be closed, if it is a TCP socket that listens."""
    try:
        copy = os.dup(descriptor)
    except OSError:  # closed since it was listed
        return None
    try:
        found = socket.socket(fileno=copy)
    except OSError:  # no socket
        os.close(copy)
        return None
    is_tcp = found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM
    if is_tcp and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return found
    found.close()
    return None
