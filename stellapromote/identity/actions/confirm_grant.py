from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.held_accounts import accounts_alike
from stellapromote.accounts.models import Confirmable, RoleGrant, ScopeGrant, TeamGrant
from stellapromote.accounts.second_factor import check_second_factor
from stellapromote.accounts.vouching import vouched_for
from stellapromote.audit.events import Audited
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.transactions import transactional

_CONFIRMED: Final[Mapping[str, Audited]] = {
    "role": "role.confirmed",
    "scope": "scope.confirmed",
    "team": "team.confirmed",
}


@transactional
def confirm_grant(*, by: Actor, clock: Clock, user_id: UUID, grant_id: UUID) -> Confirmable:
    """Vouches for a live role, team or right of a member, from now on and for open promotions too (domain.md §5).

    Confirmed by another person than its giver and its holder, under a role that is vouched for itself; or on the
    command line. A grant that is vouched for stays as it is. Raises Refused (403), OwnGift (403), HeldByYou (403),
    NotVouchedFor (403), SecondFactorRequired (403), Http404.
    """
    rules.check_can_confirm(by, user_id)
    tenant_id = by.tenant
    people = {user_id} if by.user_id is None else {user_id, by.user_id}
    memberships = {each: lock_membership(tenant_id, each) for each in sorted(people)}
    grant = live_grant(tenant_id, user_id, grant_id)
    if grant.is_vouched_for:
        return grant
    under = None if by.user_id is None else vouched_for(tenant_id, by.user_id)
    is_vouched_for = by.user_id is None or under is not None
    alike = frozenset[UUID]() if by.user_id is None else accounts_alike(tenant_id, [by.user_id])
    rules.check_can_confirm_grant(by, user_id, grant, is_vouched_for=is_vouched_for, alike=alike)
    at = max(clock.now(), grant.granted_at)
    check_second_factor(by, at)
    grant.confirmed_at, grant.confirmed_by_id, grant.confirmed_under = at, by.user_id, under
    grant.save(update_fields=["confirmed_at", "confirmed_by", "confirmed_under"])
    record(
        by=by,
        at=at,
        action=_CONFIRMED[grant.names_right[0]],
        resource="member",
        resource_id=user_id,
        after={"username": memberships[user_id].user.username, **grant.as_audited},
        rows=[grant],
    )
    return grant


def live_grant(tenant_id: UUID, user_id: UUID, grant_id: UUID) -> Confirmable:
    """The live role, team or right with this id. Http404."""
    live = {"pk": grant_id, "tenant_id": tenant_id, "user_id": user_id, "ended_at": None}
    for grants in (RoleGrant.objects, TeamGrant.objects.select_related("team"), ScopeGrant.objects):
        found: Confirmable | None = grants.select_related("granted_by", "confirmed_by").filter(**live).first()
        if found is not None:
            return found
    raise Http404("No such grant.")
