"""The people behind an act in the tenant: machines launder nothing (domain.md §5)."""

from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.identity import rules


def people_behind(by: Actor, user_id: UUID) -> list[UUID]:
    """Besides the account that gives a right to `user_id`: the owners of that machine and the issuer of its token.

    Raises OwnRights when one of them is the one who would get it.
    """
    found = accounts_behind(by) - {by.user_id}
    if user_id in found:
        raise rules.OwnRights()
    return sorted(found)
