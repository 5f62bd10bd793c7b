"""Requests byte for byte: slow ones, half ones, and those that no client library sends."""

import json
import socket
from dataclasses import dataclass
from typing import Any

PATIENCE = 60.0
MOST_BODY = 8 * 1024 * 1024
"""What the server of these tests takes."""


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class Wire:
    """One connection."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, client: str = "") -> None:
        self._socket = socket.create_connection((host, port), timeout=PATIENCE, source_address=(client, 0))
        self._file = self._socket.makefile("rb")

    def with_small_buffer(self) -> "Wire":
        """The system holds little of what was sent and not taken."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        return self

    def send(self, data: bytes) -> "Wire":
        self._socket.sendall(data)
        return self

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def answer(self, *, head: bool = False) -> Answered:
        """The next answer. ConnectionError when the server closes without one."""
        line = self._file.readline()
        if not line:
            raise ConnectionError
        status, headers = int(line.split()[1]), {}
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        content = b"" if head or status < 200 else self._file.read(int(headers["content-length"]))
        return Answered(status, headers, content)

    def rest(self) -> bytes:
        """What comes until the server closes."""
        return self._file.read()


def request(method: str, path: str, *headers: str, body: bytes = b"", length: int | None = None) -> bytes:
    """`length` is announced, whatever of the body comes."""
    lines = [f"{method} {path} HTTP/1.1", *headers]
    if not any(header.startswith("Host:") for header in headers):
        lines.insert(1, "Host: 127.0.0.1")
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def ask(port: int, method: str, path: str, *headers: str, body: bytes = b"", length: int | None = None) -> Answered:
    wire = Wire(port)
    try:
        return wire.send(request(method, path, *headers, body=body, length=length)).answer(head=method == "HEAD")
    finally:
        wire.close()
