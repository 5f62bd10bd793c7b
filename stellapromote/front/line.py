"""Requests that wait for a thread: clients take turns, so one that sends many waits for itself (docs/adr/0210)."""

import threading
from collections import OrderedDict, deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """The event loop puts and removes, threads take. Each entry leaves the line once."""

    def __init__(self) -> None:
        self._of_each: Final[OrderedDict[str, deque[T]]] = OrderedDict()
        self._changing: Final = threading.Lock()
        self._ready: Final[SimpleQueue[None]] = SimpleQueue()
        """One entry for each that waits."""

    def put(self, client: str, waiting: T) -> None:
        with self._changing:
            self._of_each.setdefault(client, deque()).append(waiting)
        self._ready.put(None)

    def take(self) -> T:
        """The next one of the client whose turn it is; waits until there is one."""
        while True:
            self._ready.get()
            with self._changing:
                if self._of_each:
                    client = next(iter(self._of_each))
                    taken = self._of_each[client].popleft()
                    self._of_each.move_to_end(client)
                    self._forget_if_empty(client)
                    return taken

    def remove(self, client: str, waiting: T) -> bool:
        """Whether it was still there."""
        with self._changing:
            if waiting not in self._of_each.get(client, ()):
                return False
            self._of_each[client].remove(waiting)
            self._forget_if_empty(client)
        with suppress(Empty):  # a thread has the entry, and finds nothing
            self._ready.get_nowait()
        return True

    def replace(self, client: str, by: T) -> T | None:
        """Puts one in the place of the last one of the client that has most, and gives that back; None, and nothing is
        put, where `client` would have no fewer than that one."""
        with self._changing:
            most = max(self._of_each, key=lambda each: len(self._of_each[each]), default=client)
            if len(self._of_each.get(most, ())) <= len(self._of_each.get(client, ())) + 1:
                return None
            replaced = self._of_each[most].pop()
            self._of_each.setdefault(client, deque()).append(by)
            return replaced

    def _forget_if_empty(self, client: str) -> None:
        if not self._of_each[client]:
            del self._of_each[client]
