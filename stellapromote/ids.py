"""Identifiers: UUID version 7 of RFC 9562, ordered by creation within one process.

Layout: 48 bits of Unix milliseconds, version, the upper 12 bits of a counter, variant, its lower 30 bits, 32 random
bits. The counter starts at a random value below 2^41 in every new millisecond (RFC 9562 §6.2, method 1).
Identifiers are not secrets: nothing may be protected by not knowing one.
"""

import os
import random
import threading
import time
import uuid
from collections.abc import Callable

_COUNTER_END = 1 << 42
_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)


def _system_milliseconds() -> int:
    return time.time_ns() // 1_000_000


class Uuid7Generator:
    """Makes UUIDv7 values that only ever grow, also when the clock stands still or goes back. Safe between threads."""

    def __init__(self, milliseconds: Callable[[], int] = _system_milliseconds) -> None:
        self._milliseconds = milliseconds
        self.forget()

    def forget(self) -> None:
        """Start anew, with a fresh lock: what a forked child must do before its first identifier."""
        self._lock = threading.Lock()
        # Seeded by the system. Asking the system for each identifier lets another thread of the process go first.
        self._random = random.Random()  # noqa: S311 - they are no secrets
        self._last = -1
        self._counter = 0

    def __call__(self) -> uuid.UUID:
        with self._lock:
            noise = self._random.getrandbits(73)
            tail, seed = noise & 0xFFFFFFFF, noise >> 32
            now = self._milliseconds()
            if now > self._last:
                self._last, self._counter = now, seed
            else:
                self._counter += 1
                if self._counter == _COUNTER_END:
                    self._last, self._counter = self._last + 1, seed
            instant, counter = self._last, self._counter
        high, low = counter >> 30, counter & 0x3FFFFFFF
        return uuid.UUID(int=(instant << 80) | (high << 64) | (low << 32) | tail | _VERSION_AND_VARIANT)


_generate = Uuid7Generator()
# Parent and child would otherwise count on from one value, and a lock held by another thread would stay held for ever.
os.register_at_fork(after_in_child=_generate.forget)


def new_id() -> uuid.UUID:
    """A new UUIDv7, greater than every earlier one of this process: the default of every primary key."""
    return _generate()
