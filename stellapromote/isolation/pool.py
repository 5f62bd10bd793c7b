"""The parent's side: one child for each group of tasks, started when first needed and replaced when it misbehaves.

Safe for threads (calls of one group queue) and for fork (a forked process starts children of its own).
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Final

from stellapromote.isolation import wire
from stellapromote.isolation.outcomes import IsolationBusy, IsolationCrashed, IsolationTimeout, TaskRefused
from stellapromote.isolation.tasks import TASKS, Group

START_SECONDS: Final = 20.0
"""For a child to import what its tasks need, on a busy machine."""

WALL_FACTOR: Final = 5
"""A task has its time-out as processor time, and so many times as long on the clock: machines may be busy."""

QUEUE_SECONDS: Final = (2.0, 30.0)
"""The least and the most that a call waits for other threads' calls of its group; three of its own kind between."""

_BODY_OF_FAILURE: Final = 4096
_PROJECT: Final = str(Path(__file__).resolve().parent.parent.parent)
_BOOT: Final = "import sys; sys.path[:] = sys.argv[2:]; import stellapromote.isolation.child as c; c.main(sys.argv[1])"


class Pool:
    """The children of one process, for a table of tasks."""

    def __init__(self, tasks: Mapping[str, Group]) -> None:
        self._tasks = tasks
        self._seats = {group.name: _Seat(group, _names(tasks, group)) for group in tasks.values()}
        _pools.add(self)

    def run(self, task: str, payload: bytes, *, timeout: float, patience: float | None = None) -> bytes:
        """The answer of a task of the table. `timeout` in seconds of processor time, from when its child is ready;
        `patience` in seconds until it is, where other threads call too (see QUEUE_SECONDS).

        IsolationBusy, IsolationTimeout, IsolationCrashed, or the TaskRefused that the task raised. KeyError for a task
        that is not in the table: the program is wrong.
        """
        seat = self._seats[self._tasks[task].name]
        least, most = QUEUE_SECONDS
        longest = min(most, max(least, 3 * WALL_FACTOR * timeout)) if patience is None else patience
        if not seat.lock.acquire(timeout=longest):
            raise IsolationBusy(f"{task}: other calls took all the time")
        try:
            return seat.call(task, payload, timeout)
        finally:
            seat.lock.release()

    def close(self) -> None:
        """Ends all children; the next call starts new ones."""
        for seat in self._seats.values():
            seat.dismiss()

    def forget(self) -> None:
        """In a forked process: the children are the parent's, and so are the locks its threads held."""
        for seat in self._seats.values():
            seat.forget()


class _Seat:
    """Where a group's child sits, if it has one."""

    def __init__(self, group: Group, tasks: list[str]) -> None:
        self.group = group
        self.tasks = tasks
        self.lock = Lock()
        self.child: _Child | None = None

    def call(self, task: str, payload: bytes, timeout: float) -> bytes:
        child = self.child
        if child is None or not child.is_alive():
            self.dismiss()
            child = self.child = _Child(self.group, self.tasks)
        try:
            return child.call(task, payload, timeout)
        finally:
            if not child.is_sound:
                self.dismiss()

    def dismiss(self) -> None:
        if self.child is not None:
            self.child.end()
            self.child = None

    def forget(self) -> None:
        self.lock = Lock()
        if self.child is not None:
            with contextlib.suppress(OSError):
                self.child.forget()
            self.child = None


class _Child:
    """A running child. After `is_sound` is false it answers nothing any more and has to be ended."""

    def __init__(self, group: Group, tasks: list[str]) -> None:
        self.group = group
        self.is_sound = True
        ours, theirs = socket.socketpair()
        self.channel = ours
        path = [_PROJECT, *(entry for entry in sys.path if entry and entry != _PROJECT)]
        what = json.dumps({"tasks": tasks, "group": asdict(group)})
        try:
            with theirs:
                self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                    [sys.executable, "-I", "-S", "-B", "-c", _BOOT, what, *path],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    close_fds=True,
                    cwd="/",
                    env={},
                )
        except OSError as error:
            ours.close()
            raise IsolationCrashed(f"the {group.name} process cannot be started ({type(error).__name__})") from error
        try:
            self._reply(time.monotonic() + START_SECONDS, 0)
        except (TimeoutError, wire.Closed, OSError) as error:
            self.end()
            raise IsolationCrashed(f"the {group.name} process did not start") from error

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def call(self, task: str, payload: bytes, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout * WALL_FACTOR
        name = task.encode()
        head = wire.REQUEST.pack(len(name), timeout, len(payload)) + name
        try:
            self.channel.settimeout(timeout * WALL_FACTOR)
            if len(payload) < 1 << 16:
                self.channel.sendall(head + payload)
            else:
                self.channel.sendall(head)
                self.channel.sendall(payload)
            kind, body = self._reply(deadline, self.group.most_output)
        except TimeoutError:
            self.is_sound = False
            raise IsolationTimeout(f"{task}: no answer within {timeout} s") from None
        except (wire.Closed, OSError):
            self.is_sound = False
            if self._ended_by() == signal.SIGPROF:
                raise IsolationTimeout(f"{task}: more than {timeout} s of processor time") from None
            raise IsolationCrashed(f"{task}: its process ended") from None
        if kind == wire.ANSWER:
            return bytes(body)
        if kind == wire.REFUSED:
            raise TaskRefused(**json.loads(body))
        # A failed process may have left anything behind, above all after a MemoryError.
        self.is_sound = False
        raise IsolationCrashed(f"{task}: {body.decode(errors='replace')}")

    def _reply(self, deadline: float, most: int) -> tuple[int, bytearray]:
        kind, size = wire.REPLY.unpack(wire.receive(self.channel, wire.REPLY.size, deadline))
        if size > max(most, _BODY_OF_FAILURE):
            raise wire.Closed
        return kind, wire.receive(self.channel, size, deadline)

    def _ended_by(self) -> int | None:
        """The signal that ended it, if one did; its end of the channel closes a moment before."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return -self.process.wait(1)
        return None

    def end(self) -> None:
        self.channel.close()
        self.process.kill()
        self.process.wait()

    def forget(self) -> None:
        """In a forked process: the child is the parent's."""
        self.channel.close()
        self.process.returncode = 0


def _names(tasks: Mapping[str, Group], group: Group) -> list[str]:
    return [name for name, each in tasks.items() if each.name == group.name]


_pools: Final[weakref.WeakSet[Pool]] = weakref.WeakSet()
_pool: Final = Pool(TASKS)


def run(task: str, payload: bytes, *, timeout: float, patience: float | None = None) -> bytes:
    """Pool.run over the product's own table. Cost: 0.1 ms and the task; a child to be started first, 0.1 to 1 s."""
    return _pool.run(task, payload, timeout=timeout, patience=patience)


def _after_fork() -> None:
    for pool in list(_pools):
        pool.forget()


def _at_exit() -> None:
    for pool in list(_pools):
        pool.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
