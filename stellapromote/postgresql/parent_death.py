"""A child process that ends when its parent is gone, even by kill -9 (Linux; elsewhere nothing happens)."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def die_with_parent(by: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """A preexec_fn for subprocess.Popen. The kernel watches the starting thread: start from one that lives on."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()
    return lambda: _end_after(parent, by, prctl)


def end_with_parent(by: signal.Signals) -> None:
    """For a process that multiprocessing has started, in itself; another goes on as it is."""
    parent = multiprocessing.parent_process()
    if sys.platform == "linux" and parent is not None and parent.pid is not None:
        _end_after(parent.pid, by, ctypes.CDLL(None, use_errno=True).prctl)


def _end_after(parent: int, by: signal.Signals, prctl: Callable[..., int]) -> None:
    prctl(PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), by)
