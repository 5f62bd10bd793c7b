from uuid import UUID

from stellapromote.accounts.models import RoleGrant
from stellapromote.accounts.vouching import GRANTING_ROLES
from stellapromote.errors import Conflict


class LastAdmin(Conflict):
    """A tenant always has a person who may give rights (access.md, People)."""

    code = "RES_LAST_ADMIN"


def check_leaves_an_admin(tenant_id: UUID, user_id: UUID) -> None:
    """Raises LastAdmin where nobody else in the tenant has a role that gives rights; asked before such a role ends.

    Locks the grants of these roles: two administrators do not end each other at once. One statement.
    """
    live = RoleGrant.objects.filter(tenant_id=tenant_id, role__in=GRANTING_ROLES, ended_at=None, user__is_active=True)
    held = live.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("user_id", flat=True)
    if set(held) == {user_id}:
        raise LastAdmin
