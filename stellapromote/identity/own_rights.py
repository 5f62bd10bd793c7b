"""Nobody gets by a service what their own roles do not give them (product.md, Roles; docs/adr/0222).

A service acts for its owners and for the issuer of its token, who has the token in hand. The command line gives
whatever it likes: the people who run the server are trusted with all accounts.
"""

from collections.abc import Iterable
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.models import RoleGrant, ScopeGrant, ServiceAccount
from stellapromote.accounts.rights import Rights, beyond, rights_of
from stellapromote.errors import Refused


class BeyondOwnRights(Refused):
    """A person never widens their own rights, by a service either (domain.md §5)."""

    def __init__(self, lacking: Rights, then: str) -> None:
        names = sorted(lacking)
        products = sorted(frozenset().union(*(each for each in lacking.values() if each is not None)))
        what = " and ".join(names) + (f" for {', '.join(products)}" if products else "")
        super().__init__(
            f"Your own roles do not give you {what}, and you get no right by a service of yours: {then}",
            details={"scopes": names, **({"products": products} if products else {})},
        )


def rights_held(tenant_id: UUID, user_id: UUID) -> Rights:
    """What the live roles and the rights by name of this member give now. Two statements."""
    live = {"tenant_id": tenant_id, "user_id": user_id, "ended_at": None}
    roles = RoleGrant.objects.filter(**live).values_list("role", "products")
    return rights_of(roles, ScopeGrant.objects.filter(**live).values_list("scope", flat=True))


def check_can_own(by: Actor, owners: Iterable[UUID], rights: Rights) -> None:
    """``by`` may give these people a service with these rights. BeyondOwnRights where a person behind ``by`` is among
    them and lacks one."""
    if by.auth_method == "command":
        return
    for person in sorted(persons_behind(by).intersection(owners)):
        if lacking := beyond(rights, rights_held(by.tenant, person)):
            raise BeyondOwnRights(lacking, "name other owners alone, or ask another administrator to add it.")


def check_can_use(by: Actor, service: ServiceAccount, rights: Rights) -> None:
    """``by`` may have a token of the service with these rights in hand: another person or the command line made them
    an owner, or they hold the rights themselves. BeyondOwnRights."""
    if by.auth_method == "command":
        return
    owned = service.owners.filter(owner_id=by.account, ended_at=None).exclude(granted_by_id=by.account)
    if owned.exists():
        return
    if lacking := beyond(rights, rights_held(by.tenant, by.account)):
        raise BeyondOwnRights(
            lacking, "choose other scopes, or ask an owner whom another person named to issue the token."
        )
