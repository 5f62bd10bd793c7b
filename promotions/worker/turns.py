"""The order in which the worker takes promotions: tenants have equal time, so slow policies of one tenant keep no other
waiting (docs/adr/0201)."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import UUID

from stellapromote.accounts.actor import Actor

STEP_SECONDS: Final = 5.0
"""The seconds for which a step of a round takes promotions; the rest waits for the next round, and other steps have
their turn. The last promotion may take longer."""


@dataclass(frozen=True, slots=True)
class DuePromotion:
    """One promotion that needs a look, and the system acting in its tenant."""

    promotion_id: UUID
    by: Actor


@dataclass(slots=True)
class Turns:
    """For as long as a worker lives: it remembers how many seconds each tenant took lately."""

    taken: dict[UUID, float] = field(default_factory=dict)
    left: list[DuePromotion] = field(default_factory=list)
    """Promotions with new outside answers that were not evaluated yet."""

    def begin_round(self) -> None:
        """Halves the time that each tenant took, once per round."""
        self.taken = {tenant: seconds / 2 for tenant, seconds in self.taken.items() if seconds > 0.001}

    def take(self, due: Iterable[DuePromotion], act: Callable[[DuePromotion], None]) -> list[DuePromotion]:
        """Acts on each, always the next one of the tenant that took least. Those for which there was no time."""
        lines: dict[UUID, deque[DuePromotion]] = {}
        for each in due:
            lines.setdefault(each.by.tenant, deque()).append(each)
        until = monotonic() + STEP_SECONDS
        while lines and (began := monotonic()) < until:
            tenant = min(lines, key=lambda line: self.taken.get(line, 0.0))
            each = lines[tenant].popleft()
            if not lines[tenant]:
                del lines[tenant]
            try:
                act(each)
            finally:
                self.taken[tenant] = self.taken.get(tenant, 0.0) + monotonic() - began
        return [each for line in lines.values() for each in line]
