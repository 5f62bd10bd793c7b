"""The requests that a process answered, by method, route and class of status, with their durations. Pure."""

from bisect import bisect_left
from typing import Any, Final

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: the upper bounds of the durations that are counted together. Longer ones are counted last."""
OTHER: Final = "other"
"""The route of what has none, and the method of what the product does not know: strangers write both."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestCounts:
    """The event loop alone counts; any thread may read."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], list[float]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Costs some dictionary operations."""
        key = (method if method in METHODS else OTHER, route, f"{status // 100}xx")
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(BOUNDS) + 1) + [0.0]
        counts[bisect_left(BOUNDS, seconds)] += 1
        counts[-1] += seconds

    def report(self) -> dict[str, Any]:
        """As JSON holds it: of each series the method, route and class, the number up to each bound and beyond the
        last, and the sum of the seconds."""
        series = [[*key, counts[:-1], counts[-1]] for key, counts in self._copied()]
        return {"bounds": list(BOUNDS), "series": series}

    def _copied(self) -> list[tuple[tuple[str, str, str], list[float]]]:
        """Each copy is one step for the interpreter, so that counting meanwhile does no harm."""
        return [(key, counts.copy()) for key, counts in self._counts.copy().items()]
