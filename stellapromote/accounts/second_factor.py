"""Whether a tenant requires a second factor of people who decide, read where an action holds its locks."""

from datetime import datetime
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import SignInSettings


def requires_second_factor(tenant_id: UUID, at: datetime) -> bool:
    """One statement."""
    return SignInSettings.objects.filter(tenant_id=tenant_id, second_factor_from__lte=at).exists()


def check_second_factor(by: Actor, at: datetime) -> None:
    """Raises SecondFactorRequired. One statement, for a person without one alone."""
    if not by.second_factor:
        by.require_second_factor(required=requires_second_factor(by.tenant, at))
