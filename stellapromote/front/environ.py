"""The WSGI environment of a request (PEP 3333), as granian's own WSGI mode makes it, but for the two places named."""

import sys
from functools import lru_cache
from typing import IO

from stellapromote.front.lane import Environ
from stellapromote.front.protocol import Scope

_WITHOUT_PREFIX = {"content-type": "CONTENT_TYPE"}


def environ_of(scope: Scope, body: IO[bytes], length: int) -> Environ:
    """`length` is that of the received body.

    Names of headers with an underscore are left out: `X_Forwarded_For` would be taken for `X-Forwarded-For`.
    """
    server, port = _address(scope.server)
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _wsgi_text(scope.path),
        "QUERY_STRING": _wsgi_text(scope.query_string),
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": _address(scope.client)[0],
        "HTTP_HOST": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    headers = scope.headers
    for name in headers.keys():  # noqa: SIM118 - no mapping
        variable = _variable_of(name)
        if variable:
            environ[variable] = ""
    for name, value in headers.items():
        variable = _variable_of(name)
        if variable:
            before = environ[variable]
            environ[variable] = f"{before}{'; ' if name == 'cookie' else ','}{value}" if before else value
        elif name == "content-length":
            environ["CONTENT_LENGTH"] = str(length)
    if length:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


@lru_cache(maxsize=256)
def _variable_of(header: str) -> str:
    """Its name in the environment; empty for what has none."""
    if "_" in header or header in _OF_THE_BODY:
        return ""
    return _WITHOUT_PREFIX.get(header) or "HTTP_" + header.upper().replace("-", "_")


def sender(scope: Scope) -> tuple[str, str]:
    """The address of the peer, and what X-Forwarded-For says."""
    headers = scope.headers
    if headers.get("x-forwarded-for") is None:
        return _address(scope.client)[0], ""
    said = [value for name, value in headers.items() if name == "x-forwarded-for"]
    return _address(scope.client)[0], ",".join(said)


_OF_THE_BODY = ("content-length", "transfer-encoding")


def _wsgi_text(text: str) -> str:
    """PEP 3333: bytes as characters."""
    return text if text.isascii() else text.encode().decode("latin-1")


def _address(text: str) -> tuple[str, str]:
    """Host and port of `192.0.2.1:80`, `[::1]:80`, or the path of a socket."""
    host, colon, port = text.rpartition(":")
    return (host.strip("[]"), port) if colon else (text, "0")
