"""A draft is published by somebody who did not write it (docs/adr/0091). People only: machines stand for theirs."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.models import RoleGrant
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


def check_second_person(by: Actor, name: str, drafters: Collection[UUID], at: datetime) -> bool:
    """SecondPersonNeeded when ``by`` had a hand in the draft and another person could publish it.

    True when a second person publishes; False when ``by`` publishes their own draft because nobody else can: the
    caller tells everybody.
    """
    if accounts_behind(by).isdisjoint(drafters):
        return True
    others = (
        RoleGrant.objects.filter(
            Q(ended_at=None) | Q(ended_at__gt=at - REMEMBERED),
            tenant_id=by.tenant,
            role__in=PUBLISHING_ROLES,
            user__kind="person",
            user__is_active=True,
        )
        .exclude(user_id__in=[*drafters, *accounts_behind(by)])
        .values_list("user__username", flat=True)
    )
    publishers = set(others)
    if publishers:
        raise SecondPersonNeeded(name, publishers)
    return False
