"""A displayed name names one account: gate messages and signed texts show it alone (docs/adr/0056)."""

import unicodedata
from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from stellapromote.accounts.models import Membership, Tenant, User
from stellapromote.identity import rules


def check_free(field: str, name: str, *, username: str, tenants: Collection[UUID]) -> None:
    """Invalid where the name is the username or the displayed name of another account of these tenants, now or before,
    in any letter case. ``username``: the account that gets it, which is there or not.

    Two statements: the first lets nobody else take a name there until this transaction ends, the second reads the
    names.
    """
    list(Tenant.objects.select_for_update(no_key=True).filter(pk__in=tenants).order_by("pk").values_list("pk"))
    of_tenants = Q(memberships__tenant_id__in=tenants) | Q(service__tenant_id__in=tenants)
    others = User.objects.filter(of_tenants).exclude(username=username)
    wanted = _folded(name)
    for labels in others.values_list("username", "display_name").distinct():
        if wanted in map(_folded, labels):
            message = f"This is the name of another account here, {labels[0]}: choose another one, or add to it."
            raise rules.wrong(field, message, "taken")


def tenants_of(user_id: UUID) -> list[UUID]:
    """The tenants of which the person is a member now."""
    live = Membership.objects.filter(user_id=user_id, ended_at=None)
    return list(live.values_list("tenant_id", flat=True))


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
