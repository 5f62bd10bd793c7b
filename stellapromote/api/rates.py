"""How many calls a token or an address may make in a minute, counted in this process (contract.md, limits).

A token bucket: it holds the calls of a minute, and fills up again at the same rate.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Final, NamedTuple

from stellapromote.errors import ProductError

MOST_BUCKETS: Final = 10_000
"""Buckets that are remembered; beyond these the one that was used longest ago is forgotten, and begins full again."""


class RateLimited(ProductError):
    """The caller has made all the calls of its minute."""

    families = ("SYS_",)
    code = "SYS_RATE_LIMITED"

    def __init__(self, wait: int) -> None:
        super().__init__(f"You have made all the calls that you have for now: wait {wait} s, then call again.")
        self.retry_after = wait


class Allowance(NamedTuple):
    """What a caller has left: ``reset`` is the seconds until it has all calls again, ``wait`` those until the next one
    where this one is refused, otherwise 0."""

    limit: int
    remaining: int
    reset: int
    wait: int

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class TokenBuckets:
    """One bucket for each caller. Threads may share it."""

    def __init__(self) -> None:
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, caller: Hashable, per_minute: int, now: float | None = None) -> Allowance:
        """Takes one call out of the bucket of this caller. ``now``: seconds of a clock that never goes back."""
        at, rate = time.monotonic() if now is None else now, per_minute / 60
        with self._lock:
            left, before = self._left.pop(caller, (float(per_minute), at))
            left = min(per_minute, left + (at - before) * rate)
            is_granted = left >= 1
            left -= is_granted
            self._left[caller] = (left, at)
            if len(self._left) > MOST_BUCKETS:
                self._left.popitem(last=False)
        reset = math.ceil((per_minute - left) / rate)
        return Allowance(per_minute, int(left), reset, 0 if is_granted else math.ceil((1 - left) / rate))


BUCKETS: Final = TokenBuckets()
