"""A draft is published by somebody who did not write it (docs/adr/0091). People only: machines stand for theirs."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import RoleGrant, ServiceOwner
from stellapromote.accounts.scopes import POLICY_PUBLISH, ROLES
from stellapromote.errors import Refused

PUBLISHING_ROLES: Final = [role for role, scopes in ROLES.items() if POLICY_PUBLISH in scopes]

REMEMBERED: Final = timedelta(days=7)
"""Whoever could publish so lately still counts: nobody becomes the only one by taking the role from the others."""


class SecondPersonNeeded(Refused):
    """The draft was written by whoever wants to publish it, and somebody else could."""

    code = "PERM_SEPARATION_OF_DUTIES"

    def __init__(self, name: str, others: Collection[str]) -> None:
        super().__init__(
            f"You edited the draft of {name}, so another person must publish it: {', '.join(sorted(others)[:5])}.",
            details={"reasons": ["POLICY_EDITOR"], "publishers": sorted(others)},
        )


def people_of(by: Actor) -> set[UUID]:
    """The person, or who stands behind the machine: its owners and whoever issued its token."""
    found = {by.user_id, by.token_issuer_id} - {None}
    if by.kind == "service":
        owners = ServiceOwner.objects.filter(service__user_id=by.account, ended_at=None)
        found.update(owners.values_list("owner_id", flat=True))
    return {each for each in found if each is not None}


def check_second_person(by: Actor, name: str, drafters: Collection[UUID], at: datetime) -> bool:
    """SecondPersonNeeded when ``by`` had a hand in the draft and another person could publish it.

    True when a second person publishes; False when ``by`` publishes their own draft because nobody else can: the
    caller tells everybody.
    """
    if people_of(by).isdisjoint(drafters):
        return True
    others = (
        RoleGrant.objects.filter(
            Q(ended_at=None) | Q(ended_at__gt=at - REMEMBERED),
            tenant_id=by.tenant,
            role__in=PUBLISHING_ROLES,
            user__kind="person",
            user__is_active=True,
        )
        .exclude(user_id__in=[*drafters, *people_of(by)])
        .values_list("user__username", flat=True)
    )
    publishers = set(others)
    if publishers:
        raise SecondPersonNeeded(name, publishers)
    return False
