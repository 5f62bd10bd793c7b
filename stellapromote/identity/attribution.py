"""Who stands behind an act in the tenant: machines launder nothing (domain.md §5)."""

from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ServiceOwner
from stellapromote.identity import rules


def people_behind(by: Actor, user_id: UUID) -> list[UUID]:
    """Besides the account that gives a right to `user_id`: the owners of that machine and the issuer of its token.

    Raises OwnRights when one of them is the one who would get it.
    """
    found = {by.token_issuer_id} - {None, by.user_id}
    if by.kind == "service":
        owners = ServiceOwner.objects.filter(service__user_id=by.account, ended_at=None)
        found.update(owners.values_list("owner_id", flat=True))
    if user_id in found:
        raise rules.OwnRights()
    return sorted(each for each in found if each is not None)
