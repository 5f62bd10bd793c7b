from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from policies.models import Proposal
from promotions.actions.grant_override import grant_override
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Confirmable, ScopeGrant, Team, TeamGrant
from stellapromote.accounts.scopes import GRANTED_BY_NAME, ROLES
from stellapromote.clock import Clock
from stellapromote.errors import Conflict
from stellapromote.identity import rules
from stellapromote.identity.actions.grant_role import grant_role, live_role
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.attribution import people_behind
from stellapromote.transactions import transactional

Kind = Literal["role", "team", "scope"]


class AlreadyHeld(Conflict):
    """The member holds it: they keep that grant."""

    code = "RES_DUPLICATE"
    about = "name"

    def __init__(self, grant: Confirmable) -> None:
        super().__init__(f"They hold {grant.names_right[1]} already.", details={"id": str(grant.pk)})


@transactional
def give_right(
    *, by: Actor, clock: Clock, user_id: UUID, kind: Kind, name: str, reason: str, products: Sequence[str] = ()
) -> Confirmable | Proposal:
    """Gives a member a role, a team or a right by name that they do not hold, or proposes it (grant_override). A role
    that they hold for other products ends with it.

    Raises Refused (403), Http404 for who is no member, Invalid (400), AlreadyHeld (409).
    """
    rules.check_manages_members(by, user_id)
    people_behind(by, user_id)
    lock_membership(by.tenant, user_id)
    _check_name(by.tenant, kind, name)
    if products and kind != "role":
        raise rules.wrong("products", "Only a role can be limited to products: leave the products out.", "not_allowed")
    held = _live(by.tenant, user_id, kind, name)
    if kind == "role":
        given = grant_role(by=by, clock=clock, user_id=user_id, role=name, products=products, reason=reason)
        if held is not None and given.pk == held.pk:
            raise AlreadyHeld(held)
        return given
    if held is not None:
        raise AlreadyHeld(held)
    if kind == "team":
        return grant_team(by=by, clock=clock, user_id=user_id, team=name, reason=reason)
    return grant_override(by=by, clock=clock, user_id=user_id, scope=name, reason=reason)


def _check_name(tenant_id: UUID, kind: Kind, name: str) -> None:
    if kind == "role" and name not in ROLES:
        raise rules.wrong("name", f"There is no such role. Roles: {', '.join(ROLES)}.", "unknown")
    if kind == "scope" and name not in GRANTED_BY_NAME:
        raise rules.wrong(
            "name", f"No such right is given by name. Such rights: {', '.join(GRANTED_BY_NAME)}.", "unknown"
        )
    if kind == "team" and not Team.objects.filter(tenant_id=tenant_id, slug=name).exists():
        raise rules.wrong("name", "There is no such team: correct the name, or create the team first.", "unknown")


def _live(tenant_id: UUID, user_id: UUID, kind: Kind, name: str) -> Confirmable | None:
    live = {"tenant_id": tenant_id, "user_id": user_id, "ended_at": None}
    if kind == "role":
        return live_role(tenant_id, user_id, name)
    if kind == "team":
        return TeamGrant.objects.select_related("team").filter(**live, team__slug=name).first()
    return ScopeGrant.objects.filter(**live, scope=name).first()
