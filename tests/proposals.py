"""A second person for tests of something else: what waits for one is confirmed by the platform owner."""

from typing import Any

from policies.models import Proposal
from promotions.actions.proposals import confirm_proposal
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK


def confirmed(result: Any, clock: Clock = DATABASE_CLOCK) -> Any:
    """What an action returned, done: a proposal is confirmed and returned as it ended."""
    if not isinstance(result, Proposal):
        return result
    return confirm_proposal(result.pk, by=command_actor(Tenant.objects.get(pk=result.tenant_id)), clock=clock)
