"""A displayed name names one account: gate messages and signed texts show it alone (docs/adr/0056)."""

import unicodedata
from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from stellapromote.accounts.models import Membership, User
from stellapromote.identity import rules


def check_free(field: str, name: str, *, tenants: Collection[UUID], but: UUID | None = None) -> None:
    """Invalid where the name is the username or the displayed name of another account of these tenants, now or before,
    in any letter case. ``but``: the account that gets it. One statement, which reads the names of the tenants."""
    of_tenants = Q(memberships__tenant_id__in=tenants) | Q(service__tenant_id__in=tenants)
    others = User.objects.filter(of_tenants).values_list("pk", "username", "display_name").distinct()
    wanted = _folded(name)
    for user_id, *labels in others:
        if user_id != but and wanted in map(_folded, labels):
            message = f"This is the name of another account here, {labels[0]}: choose another one, or add to it."
            raise rules.wrong(field, message, "taken")


def tenants_of(user_id: UUID) -> list[UUID]:
    """The tenants of which the person is a member now."""
    live = Membership.objects.filter(user_id=user_id, ended_at=None)
    return list(live.values_list("tenant_id", flat=True))


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
