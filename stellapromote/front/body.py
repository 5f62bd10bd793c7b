"""Taking in the body of a request, within bounds of time and size (docs/production.md, Limits)."""

import asyncio
import logging
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Final

from stellapromote.errors import Invalid, ProductError
from stellapromote.front.deadlines import Deadlines
from stellapromote.front.protocol import Exchange, RequestHeaders

logger = logging.getLogger(__name__)

SMALL: Final = 64 * 1024
"""Bytes: a body of at most so many is taken in as one piece."""
FIRST_SECONDS: Final = 10.0
"""For a small body, and for the first bytes of any other."""
LEAST_RATE: Final = 64 * 1024
"""Bytes per second that a body brings after its first seconds."""
IN_MEMORY: Final = 1024 * 1024
"""Bytes: what is longer is kept in a temporary file."""


class BodyTooSlow(Invalid):
    code = "VAL_BODY_TOO_SLOW"


class TooManyBodies(ProductError):
    """Other bodies take all the room there is for them."""

    code = "SYS_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("The server is taking in as much as it can: send this again in a few seconds.")


class NoRoomOnDisk(ProductError):
    """The directory for temporary files takes no more."""

    code = "SYS_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(
            "The server cannot keep this body, because its directory for temporary files (TMPDIR) takes no more: tell "
            "the operator, and send this again then."
        )


class BodyIncomplete(Invalid):
    """The client has closed the connection, what comes are no chunks, or fields follow them: to the front these look
    alike (docs/adr/0168)."""

    def __init__(self) -> None:
        super().__init__(
            "The body ended before it was complete, its chunks cannot be read, or fields follow them (trailers): send "
            "it whole, and without trailers."
        )


class Bodies:
    """The bodies that one process holds, from their first byte until the request is answered. For one event loop.

    `most` bytes are the largest body that any call takes, `number` how many there are at a time, `room` the bytes that
    they have together. One client has at most half of both.
    """

    def __init__(self, *, most: int, number: int, room: int) -> None:
        self._most = most
        self._all = _Places(number, room)
        self._half = (number + 1) // 2, room // 2
        self._of_each: dict[str, _Places] = {}
        self._deadlines = Deadlines(FIRST_SECONDS)

    async def take_in(self, headers: RequestHeaders, exchange: Exchange, client: str) -> "Body":
        """The whole body, which is to be given back once the request is answered.

        Invalid (400, 413), BodyIncomplete (400), BodyTooSlow (408), TooManyBodies and NoRoomOnDisk (503).
        """
        announced = self._announced(headers)
        if announced == 0:
            return Body(BytesIO(), client, counts=False)
        own = self._of_each.get(client) or _Places(*self._half)
        if self._all.number == 0 or own.number == 0:
            raise TooManyBodies
        self._of_each[client] = own
        for places in (self._all, own):
            places.number -= 1
        small = announced is not None and announced <= SMALL
        body = Body(BytesIO() if small else tempfile.SpooledTemporaryFile(IN_MEMORY), client)  # noqa: SIM115 - give_back closes it
        try:
            await (self._receive_whole if small else self._receive_in_pieces)(body, exchange)
            body.file.seek(0)  # writes what was not written yet
        except BaseException as error:
            self.give_back(body)
            if isinstance(error, TimeoutError):
                raise BodyTooSlow from None
            if isinstance(error, RuntimeError):
                raise BodyIncomplete from None
            if isinstance(error, OSError):
                logger.error("A body cannot be kept: %s", error)
                raise NoRoomOnDisk from None
            raise
        return body

    def give_back(self, body: "Body") -> None:
        if body.counts:
            own = self._of_each[body.client]
            for places in (self._all, own):
                places.room += body.length
                places.number += 1
            if own.number == self._half[0]:
                del self._of_each[body.client]
        with suppress(OSError):  # of a full disk again
            body.file.close()

    def _announced(self, headers: RequestHeaders) -> int | None:
        """The length that the client names; None for a body in chunks."""
        encoding = headers.get("transfer-encoding")
        if encoding is not None:
            if encoding.strip().lower() != "chunked":
                raise Invalid("Of transfer encodings only chunked is read here: send the body as it is.")
            return None
        length = int(headers.get("content-length") or 0)  # the server has refused what is no number
        if length > self._most:
            raise self._too_large()
        return length

    async def _receive_whole(self, body: "Body", exchange: Exchange) -> None:
        whole = exchange()
        deadline = self._deadlines.set(whole.cancel)
        try:
            self._add(body, await whole)
        except asyncio.CancelledError:
            raise TimeoutError from None
        finally:
            deadline.cancel()

    async def _receive_in_pieces(self, body: "Body", exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        began, pieces, ended = loop.time(), aiter(exchange), False
        while True:
            left = began + FIRST_SECONDS + body.length / LEAST_RATE - loop.time()
            try:
                piece = await asyncio.wait_for(anext(pieces), left)
            except StopAsyncIteration:
                return
            if ended:  # granian gives one empty piece at the end, and one more for what it could not read
                raise BodyIncomplete
            ended = not piece
            self._add(body, piece)

    def _add(self, body: "Body", piece: bytes) -> None:
        if body.length + len(piece) > self._most:
            raise self._too_large()
        own = self._of_each[body.client]
        if len(piece) > min(self._all.room, own.room):
            raise TooManyBodies
        for places in (self._all, own):
            places.room -= len(piece)
        body.length += len(piece)
        body.file.write(piece)

    def _too_large(self) -> Invalid:
        message = f"The body is larger than {self._most} bytes, which is more than any call takes."
        return Invalid(message, code="VAL_BODY_TOO_LARGE", details={"limit": self._most})


@dataclass(slots=True)
class _Places:
    """The rest of the body."""

    number: int
    room: int


@dataclass(slots=True)
class Body:
    """`counts`: whether it has one of the places there are for bodies."""

    file: IO[bytes]
    client: str
    length: int = 0
    counts: bool = True
