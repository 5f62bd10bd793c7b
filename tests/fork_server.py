"""Programs in forks of one process that has imported what they need: a new interpreter imports the product for seconds.

As a program of its own, with the standard library alone: `serve SOCKET IMPORTS` is that process, `ask SOCKET CODE …`
runs the code with the arguments, the streams, the directory and the environment of the one that asks.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

LOST = 70
"""The exit code for a fork that was killed."""


def ask(address: str, asked: dict[str, Any], streams: Sequence[int]) -> int:
    """The exit code of the code, run with the streams as its standard input, output and error."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"."], streams)
        server.sendall(json.dumps(asked).encode())
        server.shutdown(socket.SHUT_WR)
        return int(server.recv(16) or LOST)


def serve(address: str, imports: str) -> None:
    exec(imports, {})  # noqa: S102 - written in a test
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            client, _ = listener.accept()
            _forget_ended()
            if os.fork() == 0:
                listener.close()
                client.sendall(str(_answer(client)).encode())
                os._exit(0)
            client.close()


def _forget_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(client: socket.socket) -> int:
    _, streams, *_ = socket.recv_fds(client, 1, 3)
    with client.makefile() as received:
        asked = json.load(received)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["directory"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = asked["arguments"]
    try:
        return _exit_code(asked["code"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _exit_code(code: str) -> int:
    """As an interpreter ends: a text is said, an error with its traceback."""
    try:
        exec(code, {"__name__": "__main__"})  # noqa: S102 - written in a test
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def main(what: str, address: str, code: str, *arguments: str) -> None:
    if what == "serve":
        serve(address, code)
    asked = {"code": code, "arguments": arguments, "directory": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    sys.exit(ask(address, asked, (0, 1, 2)))


if __name__ == "__main__":
    main(*sys.argv[1:])
