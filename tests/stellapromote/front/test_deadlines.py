import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from stellapromote.front.deadlines import Deadlines

SECONDS = 0.2


def in_a_loop(story: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await story()

    for runner in (asyncio.run, uvloop.run):
        runner(run())


def test_a_deadline_that_is_cancelled_ends_nothing() -> None:
    async def story() -> None:
        ended: list[str] = []
        deadlines = Deadlines(SECONDS)
        first, _, last = (deadlines.set(lambda name=name: ended.append(name)) for name in ("first", "second", "last"))
        for each in (first, last, last):
            each.cancel()
        await asyncio.sleep(2 * SECONDS)
        assert ended == ["second"]

    in_a_loop(story)


def test_each_has_its_whole_time() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        set_at: dict[str, float] = {}
        lasted: dict[str, float] = {}
        deadlines = Deadlines(SECONDS)
        for name, pause in (("first", 0.5), ("second", 0.5), ("third", 3), ("later", 2)):
            set_at[name] = loop.time()
            deadlines.set(lambda name=name: lasted.update({name: loop.time() - set_at[name]}))
            await asyncio.sleep(pause * SECONDS)
        assert list(lasted) == ["first", "second", "third", "later"]
        assert min(lasted.values()) > SECONDS - 0.01

    in_a_loop(story)


def test_one_that_fails_stops_no_other() -> None:
    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        ended: list[str] = []
        deadlines = Deadlines(SECONDS)
        for name in ("first", "second"):
            deadlines.set(lambda: 1 / 0)
            deadlines.set(lambda name=name: ended.append(name))
            await asyncio.sleep(2 * SECONDS)
        assert ended == ["first", "second"]

    in_a_loop(story)
