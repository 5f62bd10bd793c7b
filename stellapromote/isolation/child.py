"""The child's side: answers one task after the other until its parent is gone. Started by pool.py, never imported."""

import importlib
import json
import math
import resource
import signal
import socket
from collections.abc import Callable
from typing import Final

from stellapromote.isolation import wire
from stellapromote.isolation.outcomes import TaskRefused
from stellapromote.isolation.tasks import Group

Task = Callable[[bytes], bytes]


def main(what: str) -> None:
    """Imports the tasks, gives up what they do not need, and serves the socket that is standard input.

    `what` is the JSON that pool.py wrote: the names of the tasks, and their group.
    """
    said = json.loads(what)
    group = Group(**said["group"])
    tasks = {name: task for name in said["tasks"] if (task := _load(name)) is not None}
    _limit(group)
    with socket.socket(fileno=0) as channel:
        channel.sendall(wire.REPLY.pack(wire.READY, 0))
        try:
            while True:
                _serve(channel, tasks, group)
        except (wire.Closed, ConnectionError):
            return


def _load(name: str) -> Task | None:
    """The task's function, or None where what it needs is not installed."""
    module, _, function = name.partition(":")
    try:
        task: Task = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError):
        return None
    return task


_NOTHING: Final = ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NPROC")


def _limit(group: Group) -> None:
    """After the imports: no new process, no file written, no more descriptors and memory than the group has."""
    for name in _NOTHING:
        resource.setrlimit(getattr(resource, name), (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (group.open_files, group.open_files))
    resource.setrlimit(resource.RLIMIT_AS, (group.memory, group.memory))


def _serve(channel: socket.socket, tasks: dict[str, Task], group: Group) -> None:
    length, seconds, size = wire.REQUEST.unpack(wire.receive(channel, wire.REQUEST.size))
    name = wire.receive(channel, length).decode()
    payload = bytes(wire.receive(channel, size))
    _allow(seconds)
    kind, body = _answer(tasks.get(name), payload, group)
    signal.setitimer(signal.ITIMER_PROF, 0)
    channel.sendall(wire.REPLY.pack(kind, len(body)))
    channel.sendall(body)


def _allow(seconds: float) -> None:
    """So much processor time from now on. The kernel ends what takes more, also in native code and without a parent."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 2 + math.ceil(seconds), hard))


def _answer(task: Task | None, payload: bytes, group: Group) -> tuple[int, bytes]:
    if task is None:
        return wire.FAILED, b"this task is not installed here"
    try:
        answer = task(payload)
    except TaskRefused as refusal:
        said = {"code": refusal.code, "message": refusal.message[:2000], "place": refusal.place[:500]}
        return wire.REFUSED, json.dumps(said).encode()
    except Exception as error:
        return wire.FAILED, type(error).__name__.encode()
    if len(answer) > group.most_output:
        return wire.FAILED, f"an answer of {len(answer)} bytes".encode()
    return wire.ANSWER, answer
