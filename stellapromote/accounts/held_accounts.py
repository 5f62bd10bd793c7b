"""Accounts that may be in the hands of another person: a one-time link was shown to that person, or was sent where they
said (docs/adr/0234)."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from stellapromote.accounts.models import HeldAccount


def hold(
    user_id: UUID, holders: Iterable[UUID], *, because: HeldAccount.Because, tenant_id: UUID, at: datetime
) -> list[HeldAccount]:
    """From now on the account counts as that of these people in the tenant. The new row, for its event; none where
    nobody holds it."""
    found = sorted({*holders} - {user_id})
    if not found:
        return []
    return [
        HeldAccount.objects.create(tenant_id=tenant_id, user_id=user_id, holders=found, because=because, held_at=at)
    ]


def carry_over(user_id: UUID, *, tenant_id: UUID, at: datetime) -> list[HeldAccount]:
    """As ``hold``, for an account that comes into the tenant: the people of whom it counted as theirs in any other,
    confirmed there or not. An account that was held in the tenant before keeps those rows alone."""
    if HeldAccount.objects.filter(tenant_id=tenant_id, user_id=user_id).exists():
        return []
    holders: set[UUID] = set()
    new = {user_id}
    while new:
        rows = HeldAccount.objects.filter(user_id__in=new).values_list("holders", flat=True)
        new = {each for row in rows for each in row} - holders - {user_id}
        holders |= new
    return hold(user_id, holders, because=HeldAccount.Because.ELSEWHERE, tenant_id=tenant_id, at=at)
