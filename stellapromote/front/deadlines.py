"""Times by which something is to be over, with one timer for all: an event loop's own timer for each would cost the
threads their lock, twice for each request."""

import asyncio
from collections.abc import Callable
from itertools import takewhile


class Deadlines:
    """For one event loop. Each deadline is `seconds` after it was set."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[Deadline, float] = {}  # in the order of their ends
        self._timed = False

    def set(self, end: Callable[[], object]) -> "Deadline":
        """Calls `end` once the time is over, unless the deadline is cancelled before."""
        loop = asyncio.get_running_loop()
        deadline = Deadline(self._ends, end)
        self._ends[deadline] = loop.time() + self._seconds
        if not self._timed:
            self._time(loop)
        return deadline

    def _time(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timed = bool(self._ends)
        if self._ends:
            loop.call_at(next(iter(self._ends.values())), self._end_those_over, loop)

    def _end_those_over(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for deadline in list(takewhile(lambda each: self._ends[each] <= now, self._ends)):
            deadline.cancel()
            loop.call_soon(deadline.end)
        self._time(loop)


class Deadline:
    __slots__ = ("_ends", "end")

    def __init__(self, ends: "dict[Deadline, float]", end: Callable[[], object]) -> None:
        self._ends = ends
        self.end = end

    def cancel(self) -> None:
        """For what is over in time. May be called again."""
        self._ends.pop(self, None)
