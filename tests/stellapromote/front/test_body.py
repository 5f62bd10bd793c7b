"""The bounds of bodies, on a clock that moves only while everybody waits."""

import asyncio
import selectors
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stellapromote.front.body import (
    FIRST_SECONDS,
    LEAST_RATE,
    SMALL,
    Bodies,
    Body,
    BodyTooSlow,
    NoRoomOnDisk,
    TooManyBodies,
)
from stellapromote.front.protocol import Headers

FULL = Path("/dev/full")
CHUNKED = {"transfer-encoding": "chunked"}


class Waiting(selectors.DefaultSelector):
    """The clock of the loop jumps to the next timer: no test waits."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0
        return super().select(0)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    waiting = Waiting()
    loop = asyncio.SelectorEventLoop(waiting)
    loop.time = lambda: waiting.now
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


class Pieces:
    """An exchange that brings `count` pieces of `size` bytes, each after `seconds`."""

    def __init__(self, size: int, *, count: int = 1, seconds: float = 0.0) -> None:
        self.size, self.left, self.seconds = size, count, seconds
        self.ended = False

    def __call__(self) -> "asyncio.Future[bytes]":
        async def whole() -> bytes:
            await asyncio.sleep(self.seconds)
            return b"x" * self.size

        return asyncio.ensure_future(whole())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.ended:
            raise StopAsyncIteration
        if self.left == 0:
            self.ended = True
            return b""
        self.left -= 1
        await asyncio.sleep(self.seconds)
        return b"x" * self.size

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        raise NotImplementedError

    def response_file(self, status: int, headers: Headers, file: str) -> None:
        raise NotImplementedError


@asynccontextmanager
async def taken_in(
    bodies: Bodies, headers: dict[str, str], exchange: Pieces, client: str = "nia"
) -> AsyncIterator[Body]:
    body = await bodies.take_in(headers, exchange, client)
    try:
        yield body
    finally:
        bodies.give_back(body)


async def taken(bodies: Bodies, headers: dict[str, str], exchange: Pieces, client: str = "nia") -> int:
    async with taken_in(bodies, headers, exchange, client) as body:
        assert len(body.file.read()) == body.length
        return body.length


def bodies(number: int = 2, room: int = 10**9) -> Bodies:
    return Bodies(most=10**8, number=number, room=room)


@pytest.mark.parametrize(
    ("headers", "exchange", "is_taken"),
    [
        ({"content-length": "100"}, Pieces(100, seconds=FIRST_SECONDS - 1), True),
        ({"content-length": "100"}, Pieces(100, seconds=FIRST_SECONDS + 1), False),
        (CHUNKED, Pieces(100, seconds=FIRST_SECONDS + 1), False),
        # at the least rate for a minute
        (CHUNKED, Pieces(LEAST_RATE, count=60, seconds=1), True),
        # a tenth below it: after a minute and a half the first seconds are used up
        (CHUNKED, Pieces(LEAST_RATE * 9 // 10, count=90, seconds=1), True),
        (CHUNKED, Pieces(LEAST_RATE * 9 // 10, count=110, seconds=1), False),
        # quick at first, then nothing: what came quickly is no credit beyond the least rate
        (CHUNKED, Pieces(LEAST_RATE * 10, count=2, seconds=21), False),
    ],
)
def test_a_body_has_its_time(headers: dict[str, str], exchange: Pieces, is_taken: bool) -> None:
    if is_taken:
        assert run(taken(bodies(), headers, exchange)) > 0
    else:
        with pytest.raises(BodyTooSlow):
            run(taken(bodies(), headers, exchange))


def test_there_are_so_many_bodies_at_a_time() -> None:
    async def main() -> None:
        of_one = bodies(number=1)
        async with taken_in(of_one, {"content-length": "5"}, Pieces(5)):
            with pytest.raises(TooManyBodies):
                await taken(of_one, {"content-length": "5"}, Pieces(5))
            assert await taken(of_one, {}, Pieces(0)) == 0  # without a body none is held
        for _ in range(3):
            with pytest.raises(BodyTooSlow):
                await taken(of_one, {"content-length": "5"}, Pieces(5, seconds=60))
        assert await taken(of_one, {"content-length": "5"}, Pieces(5)) == 5

    run(main())


def test_together_they_have_so_much_room() -> None:
    async def main() -> None:
        small = bodies(number=9, room=4 * SMALL)
        async with (
            taken_in(small, CHUNKED, Pieces(SMALL, count=2), "a"),
            taken_in(small, CHUNKED, Pieces(SMALL, count=1), "b"),
        ):
            for _ in range(3):
                with pytest.raises(TooManyBodies):
                    await taken(small, CHUNKED, Pieces(SMALL, count=2), "c")
            assert await taken(small, CHUNKED, Pieces(SMALL), "c") == SMALL
        assert await taken(small, CHUNKED, Pieces(SMALL, count=2), "c") == 2 * SMALL

    run(main())


def test_one_client_has_half_of_the_places_and_of_the_room() -> None:
    async def main() -> None:
        four = bodies(number=4, room=8 * SMALL)
        async with (
            taken_in(four, {"content-length": "5"}, Pieces(5), "a"),
            taken_in(four, {"content-length": "5"}, Pieces(5), "a"),
        ):
            for _ in range(3):
                with pytest.raises(TooManyBodies):
                    await taken(four, {"content-length": "5"}, Pieces(5), "a")
                assert await taken(four, {"content-length": "5"}, Pieces(5), "b") == 5
        for _ in range(3):
            with pytest.raises(TooManyBodies):
                await taken(four, CHUNKED, Pieces(SMALL, count=5), "a")
            assert await taken(four, CHUNKED, Pieces(SMALL, count=4), "a") == 4 * SMALL

    run(main())


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("size", [1, 100_000], ids=["when it is read", "when it is written"])
def test_a_full_disk_is_503_and_keeps_no_place(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing such a file fails, too."""
    kept = bodies(number=1)

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(NoRoomOnDisk):
                await taken(kept, CHUNKED, Pieces(size))
        assert await taken(kept, {"content-length": "5"}, Pieces(5)) == 5

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda _: FULL.open("w+b"))
    run(main())
