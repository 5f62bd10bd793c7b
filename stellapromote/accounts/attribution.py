"""The people behind an act: machines launder nothing (domain.md §5)."""

from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ServiceOwner


def accounts_behind(by: Actor) -> frozenset[UUID]:
    """The account that acts, the owners of that machine, and who issued the token that was used.

    Cost: one statement for a service account, none for a person. Empty for the system.
    """
    found = {by.user_id, by.token_issuer_id}
    if by.kind == "service":
        owners = ServiceOwner.objects.filter(service__user_id=by.account, ended_at=None)
        found.update(owners.values_list("owner_id", flat=True))
    return frozenset(each for each in found if each is not None)


def persons_behind(by: Actor) -> frozenset[UUID]:
    """The acting person, or the owners of the acting machine, and the issuer of the token used. A machine itself is not
    among them: it stands for these. Cost: that of accounts_behind."""
    return accounts_behind(by) - ({by.account} if by.kind == "service" else set())
