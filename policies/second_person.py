"""A person who did not write a draft publishes it (docs/adr/0091). People only: a machine counts as its owners."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from policies.people import source_of, vouching_in
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.held_accounts import accounts_alike, is_held
from stellapromote.accounts.models import RoleGrant, ServiceOwner
from stellapromote.accounts.scopes import POLICY_PUBLISH, ROLES
from stellapromote.errors import Refused

PUBLISHING_ROLES: Final = [role for role, scopes in ROLES.items() if POLICY_PUBLISH in scopes]

REMEMBERED: Final = timedelta(days=7)
"""A person who could publish within this time still counts: taking the role from the others leaves no one alone."""


class SecondPersonNeeded(Refused):
    """The author of the draft wants to publish it, and another person could."""

    code = "PERM_SEPARATION_OF_DUTIES"

    def __init__(self, name: str, others: Collection[str]) -> None:
        """``others``: the people who may publish and did not edit the draft; empty when all of them edited it."""
        if others:
            way_out = f"so another person must publish it: {', '.join(sorted(others)[:5])}."
        else:
            way_out = (
                "and so did everybody else who may publish: take the draft back by saving the published text (or begin "
                "under another name if nothing is published yet), then let one person write it and another publish it."
            )
        super().__init__(
            f"You edited the draft of {name}, {way_out}",
            details={"reasons": ["POLICY_EDITOR"], "publishers": sorted(others)},
        )


def is_vouched_for(by: Actor, *scopes: str, against: Collection[UUID]) -> bool:
    """Whether ``by`` is a person whose role with one of these scopes does not rest on their own word, nor on that of
    ``against``: an account that the author alone could make is no second person (domain.md §5). An account that may be
    in other hands vouches for nothing. Three statements."""
    if by.kind != "person" or is_held(by.tenant, by.account):
        return False
    roles = [role for role, held in ROLES.items() if not held.isdisjoint(scopes)]
    grants = RoleGrant.objects.filter(tenant_id=by.tenant, user_id=by.account, role__in=roles, ended_at=None)
    vouching = vouching_in(by.tenant, {str(each): None for each in against}).without(str(by.account))
    return any(vouching.counts(source_of(grant)) for grant in grants)


def accountable_accounts(tenant_id: UUID, accounts: Collection[UUID], since: datetime | None = None) -> frozenset[UUID]:
    """The accounts, and every person on whose word alone one of them has a role or owns a machine: an act of such an
    account counts as an act of that person, too (domain.md §5, docs/adr/0184). So does one of an account that may be
    of the same person (docs/adr/0234).

    Also for roles that ended after ``since``. The search goes on through ended and confirmed roles. Four statements;
    two more for each step over the person who made an owner, or who gave a role that counts nowhere.
    """
    held = Q(ended_at=None) if since is None else Q(ended_at=None) | Q(ended_at__gte=since)
    vouching = vouching_in(tenant_id, {})
    found: set[UUID] = set()
    new = set(accounts)
    while new:
        found |= new
        owners = ServiceOwner.objects.filter(held, service__tenant_id=tenant_id, service__user_id__in=new)
        sources = [source_of(grant) for grant in RoleGrant.objects.filter(held, tenant_id=tenant_id, user_id__in=new)]
        new = {
            each for giver, behind in owners.values_list("granted_by_id", "granted_behind") for each in (giver, *behind)
        }
        for source in sources:
            alone = {UUID(each) for each in vouching.resting_on(source)}
            if vouching.counts(source):
                found |= alone
            else:
                new |= alone
        new = {each for each in new if each is not None} - found
        held = Q()
    return frozenset(found) | accounts_alike(tenant_id, found)


def check_second_person(by: Actor, name: str, drafters: Collection[UUID], at: datetime) -> bool:
    """SecondPersonNeeded when ``by`` edited the draft and is not the only person who could publish it.

    True when a second person publishes; False when ``by`` publishes their own draft because no other person can: the
    caller records that for all readers. Other editors of the draft count as people who could publish: an edit by a
    machine may be that of another owner.
    """
    acting = accounts_behind(by)
    behind = acting | accounts_alike(by.tenant, acting)
    if behind.isdisjoint(drafters):
        return True
    publishers = dict(
        RoleGrant.objects.filter(
            Q(ended_at=None) | Q(ended_at__gt=at - REMEMBERED),
            tenant_id=by.tenant,
            role__in=PUBLISHING_ROLES,
            user__kind="person",
            user__is_active=True,
        ).values_list("user_id", "user__username")
    )
    if len(publishers) <= 1 and behind.issuperset(publishers):
        return False
    raise SecondPersonNeeded(name, [who for user_id, who in publishers.items() if user_id not in drafters])
