"""A draft is published by somebody who did not write it (docs/adr/0091). People only: machines stand for theirs."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from policies.people import source_of, vouching_in
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.models import GrantedVia, RoleGrant
from stellapromote.accounts.scopes import POLICY_PUBLISH, ROLES
from stellapromote.errors import Refused

PUBLISHING_ROLES: Final = [role for role, scopes in ROLES.items() if POLICY_PUBLISH in scopes]

REMEMBERED: Final = timedelta(days=7)
"""Whoever could publish so lately still counts: nobody becomes the only one by taking the role from the others."""


class SecondPersonNeeded(Refused):
    """The draft was written by whoever wants to publish it, and they are not the only one who could."""

    code = "PERM_SEPARATION_OF_DUTIES"

    def __init__(self, name: str, others: Collection[str]) -> None:
        """``others``: who may publish and did not edit the draft; none when everybody did."""
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
    ``against``: an account that the author alone could make is no second person (domain.md §5). Two statements."""
    if by.kind != "person":
        return False
    roles = [role for role, held in ROLES.items() if not held.isdisjoint(scopes)]
    grants = RoleGrant.objects.filter(tenant_id=by.tenant, user_id=by.account, role__in=roles, ended_at=None)
    vouching = vouching_in(by.tenant, {str(each): None for each in against}).without(str(by.account))
    return any(vouching.counts(source_of(grant)) for grant in grants)


def brought_in(tenant_id: UUID, accounts: Collection[UUID]) -> frozenset[UUID]:
    """The accounts, and everybody who granted them a role that is not vouched for: what such an account does counts as
    done by who brought it in too, and so on (domain.md §5). One statement for each step, at least one."""
    found: set[UUID] = set()
    new = set(accounts)
    while new:
        found |= new
        grants = RoleGrant.objects.filter(tenant_id=tenant_id, user_id__in=new, ended_at=None)
        unconfirmed = grants.filter(granted_via=GrantedVia.PAGE, confirmed_at=None)
        held = unconfirmed.values_list("granted_by_id", "granted_behind")
        new = {each for granter, behind in held for each in (granter, *behind)} - found
    return frozenset(found)


def check_second_person(by: Actor, name: str, drafters: Collection[UUID], at: datetime) -> bool:
    """SecondPersonNeeded when ``by`` had a hand in the draft and is not the only one who could publish it.

    True when a second person publishes; False when ``by`` publishes their own draft because nobody else can: the
    caller tells everybody. A hand in the draft makes nobody unable to publish: it may be that of a machine which
    somebody else used.
    """
    behind = accounts_behind(by)
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
