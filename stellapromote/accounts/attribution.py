"""The people behind an act: machines launder nothing (domain.md §5)."""

from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.held_accounts import with_holders
from stellapromote.accounts.models import ServiceOwner


def accounts_behind(by: Actor) -> frozenset[UUID]:
    """The account that acts, the owners of that machine, who issued the token that was used, and everybody who may
    have one of these accounts now: what is stored with an act stays theirs when the account is confirmed
    (docs/adr/0234).

    Cost: one statement, and one more for a service account; none for a command. Empty for the system.
    """
    found = {by.user_id, by.token_issuer_id}
    if by.kind == "service":
        owners = ServiceOwner.objects.filter(service__user_id=by.account, ended_at=None)
        found.update(owners.values_list("owner_id", flat=True))
    known = frozenset(each for each in found if each is not None)
    return with_holders(by.tenant, known) if known and by.tenant_id else known


def persons_behind(by: Actor) -> frozenset[UUID]:
    """The acting person, or the owners of the acting machine, and the issuer of the token used. A machine itself is not
    among them: it stands for these. Cost: that of accounts_behind."""
    return accounts_behind(by) - ({by.account} if by.kind == "service" else set())
