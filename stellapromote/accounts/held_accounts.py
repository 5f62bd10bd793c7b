"""Accounts that may be in the hands of another person: a one-time link was shown to that person, or was sent where they
said (docs/adr/0234)."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from stellapromote.accounts.alike import alike, possible_people
from stellapromote.accounts.models import HeldAccount, Membership


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


def carry_over(user_id: UUID, *, tenant_id: UUID, at: datetime, invited_by: Iterable[UUID] = ()) -> list[HeldAccount]:
    """As ``hold``, for an account that comes into the tenant: the people of whom it counted as theirs in any other,
    confirmed there or not. ``invited_by``: where it comes for the first time, the people by whose word alone it does.
    An account that was held in the tenant before keeps those rows alone."""
    if HeldAccount.objects.filter(tenant_id=tenant_id, user_id=user_id).exists():
        return []
    was_member = Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).exists()
    holders: set[UUID] = set() if was_member else {*invited_by}
    new = {user_id}
    while new:
        rows = HeldAccount.objects.filter(user_id__in=new).values_list("holders", flat=True)
        new = {each for row in rows for each in row} - holders - {user_id}
        holders |= new
    return hold(user_id, holders, because=HeldAccount.Because.ELSEWHERE, tenant_id=tenant_id, at=at)


def held_in(tenant_id: UUID) -> dict[UUID, frozenset[UUID]]:
    """The holders of each account of the tenant that nobody confirmed there. One statement."""
    found: dict[UUID, frozenset[UUID]] = {}
    rows = HeldAccount.objects.filter(tenant_id=tenant_id, confirmed_at=None)
    for user_id, holders in rows.values_list("user_id", "holders"):
        found[user_id] = found.get(user_id, frozenset()) | frozenset(holders)
    return found


def is_held(tenant_id: UUID, user_id: UUID) -> bool:
    """Whether the account may be in another person's hands: it vouches for nothing. One statement."""
    return HeldAccount.objects.filter(tenant_id=tenant_id, user_id=user_id, confirmed_at=None).exists()


def with_holders(tenant_id: UUID, accounts: Iterable[UUID]) -> frozenset[UUID]:
    """The accounts, and everybody who may have one of them now in the tenant. One statement."""
    held = held_in(tenant_id)
    return frozenset().union(*(possible_people(held, each) for each in accounts))


def accounts_alike(tenant_id: UUID, accounts: Iterable[UUID]) -> frozenset[UUID]:
    """The other accounts that may be of the same person as one of these, in the tenant. One statement."""
    return alike(held_in(tenant_id), accounts)
