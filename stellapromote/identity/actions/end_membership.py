from uuid import UUID

from django.db.models import Q

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ApiToken, Membership, RoleGrant, ScopeGrant, ServiceOwner, TeamGrant
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.last_admin import check_leaves_an_admin
from stellapromote.identity.actions.lock import changed, lock_membership
from stellapromote.identity.attribution import people_behind
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import member_document
from stellapromote.identity.roster import member_of
from stellapromote.transactions import transactional


@transactional
def end_membership(
    *, by: Actor, clock: Clock, user_id: UUID, reason: str = "", if_match: IfMatch | None = None
) -> Membership:
    """Ends the membership with everything the person holds in the tenant: roles, teams, rights by name, services they
    own.

    Revokes their tokens and those they issued for services, which they know. A service without an owner is refused from
    now on (actor_lookup). Past votes and decisions stay as they are. Raises Refused (403), Invalid (400), Http404,
    PreconditionFailed (412), LastAdmin (409).
    """
    rules.check_manages_members(by, user_id)
    tenant_id = by.tenant
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON, required=False)
    people_behind(by, user_id)
    membership = lock_membership(tenant_id, user_id)
    if if_match is not None:
        if_match.check(tag_of("member", member_document(member_of(tenant_id, user_id))))
    check_leaves_an_admin(tenant_id, user_id)
    at = max(clock.now(), membership.granted_at)
    live = {"tenant_id": tenant_id, "user_id": user_id, "ended_at": None}
    owned = ServiceOwner.objects.filter(service__tenant_id=tenant_id, owner_id=user_id, ended_at=None)
    ended = {"ended_at": at, "ended_by_id": by.user_id}
    roles = changed(RoleGrant.objects.filter(**live).order_by("role"), **ended)
    teams = changed(TeamGrant.objects.filter(**live).select_related("team").order_by("team__slug"), **ended)
    by_name = changed(ScopeGrant.objects.filter(**live).order_by("scope"), **ended)
    services = changed(owned.select_related("service").order_by("service__name"), **ended)
    membership.ended_at, membership.ended_by_id = at, by.user_id
    membership.save(update_fields=["ended_at", "ended_by"])
    tokens = ApiToken.objects.filter(Q(user_id=user_id) | Q(issuer_id=user_id), tenant_id=tenant_id, revoked_at=None)
    revoked = changed(tokens, revoked_at=at, revoked_by_id=by.user_id)
    record(
        by=by,
        at=at,
        action="member.ended",
        resource="member",
        resource_id=user_id,
        before={
            "username": membership.user.username,
            "roles": [grant.label for grant in roles],
            "teams": [grant.team.slug for grant in teams],
            "scopes": [grant.scope for grant in by_name],
            "services": [each.service.name for each in services],
        },
        after={"reason": reason},
        metadata={"revokedTokens": len(revoked)},
        rows=[membership, *roles, *teams, *by_name, *services, *revoked],
    )
    return membership
