"""The server's interface to the front, as far as it is used: RSGI 1.6, granian's own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

Headers = list[tuple[str, str]]


class RequestHeaders(Protocol):
    """Names are in lower case. A value that is not ASCII is nowhere but in `keys`."""

    def keys(self) -> list[str]: ...
    def items(self) -> Headers: ...
    def get(self, key: str) -> str | None: ...


class Scope(Protocol):
    """`path` is unquoted; `client` and `server` are `address:port`."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str

    @property
    def headers(self) -> RequestHeaders: ...


class Exchange(Protocol):
    """The body by a call as a whole, or in pieces by iteration; One answer.

    RuntimeError from the call when the client has gone; from the iteration an empty piece more (body.py).
    """

    def __call__(self) -> "asyncio.Future[bytes]": ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...
    def response_file(self, status: int, headers: Headers, file: str) -> None: ...
