"""A chain to write to: tests of the chain count events, so they make a tenant by its one action alone."""

from itertools import count

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.sealer import seal_chain
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.create_tenant import create_tenant

_numbers = count(1)


def make_chain() -> Tenant:
    """A tenant whose chain has one sealed link, that of its creation."""
    tenant = create_tenant(by=command_actor(), clock=DATABASE_CLOCK, slug=f"chain-{next(_numbers)}")
    seal_chain(tenant.id)
    return tenant
