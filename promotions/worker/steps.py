"""The worker's steps that are not about one promotion: one that fails stops neither the others nor the worker.

It rests for a second, then for two, doubling up to a minute, with its tenant where it has one. Steps with promotions
are noted beside them (docs/adr/0141).
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from stellapromote.database.errors import is_away

logger = logging.getLogger(__name__)

_TenantId = TypeVar("_TenantId", UUID, UUID | None)

LONGEST_REST: Final = 60.0


@dataclass(slots=True)
class Steps:
    """Takes steps, for as long as a worker lives: it remembers which ones rest. Raises only without a database."""

    resting: dict[tuple[str, UUID | None], tuple[int, float]] = field(default_factory=dict)
    """Failures in a row, and until when it rests, in seconds of time.monotonic."""
    moved_at: float = field(default_factory=time.monotonic)
    """When the last step began or ended, in the same seconds."""
    beside: list["Steps"] = field(default_factory=list)
    """Those of other threads of the worker."""

    def take(self, step: str, act: Callable[[], int | None], tenant_id: UUID | None = None) -> int:
        """The number of things that the step did; 0 while it rests, and when it fails."""
        failures, until = self.resting.get((step, tenant_id), (0, 0.0))
        if until > time.monotonic():
            return 0
        self.moved_at = time.monotonic()
        try:
            done = act() or 0
        except Exception as error:
            if is_away(error):
                raise
            rest = min(LONGEST_REST, 2.0 ** min(failures, 10))
            self.resting[step, tenant_id] = failures + 1, time.monotonic() + rest
            logger.exception("worker_step_failed", extra={"step": step, "tenant_id": tenant_id and str(tenant_id)})
            return 0
        finally:
            self.moved_at = time.monotonic()
        self.resting.pop((step, tenant_id), None)
        return done

    def failing(self) -> list[str]:
        """The steps that failed more than once in a row, the last time not long ago. For any thread."""
        recent = time.monotonic() - LONGEST_REST
        resting = list(self.resting.items())  # in one piece: another thread takes the steps
        failing = {step for (step, _), (times, until) in resting if times > 1 and until > recent}
        return sorted(failing.union(*(each.failing() for each in self.beside)))

    def of_each(self, step: str, find: Callable[[], Iterable[_TenantId]], act: Callable[[_TenantId], int]) -> int:
        """Takes the step for each tenant, or chain, that ``find`` names."""
        return self.take(f"{step}: look", lambda: sum(self.take(step, partial(act, each), each) for each in find()))
