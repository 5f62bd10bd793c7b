from uuid import UUID

from django.db.models import Q
from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ApiToken, ServiceAccount, ServiceOwner
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import changed, lock_service
from stellapromote.identity.attribution import people_behind
from stellapromote.transactions import transactional


class LastOwner(Conflict):
    """A service has at least one owner who is an active member (domain.md §5)."""

    code = "RES_IN_USE"

    def __init__(self, service: ServiceAccount, username: str) -> None:
        super().__init__(
            f"{username} is the only owner of {service.name} who is a member: add another owner first.",
            details={"name": service.name},
        )


@transactional
def end_service_owner(
    *, by: Actor, clock: Clock, service_id: UUID, user_id: UUID, reason: str = ""
) -> tuple[ServiceOwner, int]:
    """Ends the person's ownership of the service; its acts until then stay theirs. Returns also the number of revoked
    tokens.

    Those are the tokens that they issued for it, which they know, and those of the command line, which an owner was
    handed (docs/adr/0143). A person cannot end their own ownership. One that ended already stays as it is. Raises
    Refused (403), Invalid (400), LastOwner (409), Http404 when they never owned it.
    """
    rules.check_manages_members(by, user_id)
    people_behind(by, user_id)
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON, required=False)
    service = lock_service(by.tenant, service_id)
    owned = ServiceOwner.objects.filter(service=service, owner_id=user_id).order_by("-granted_at", "-id")
    newest = owned.select_related("owner").first()
    if newest is None:
        raise Http404("They do not own this service.")
    if newest.ended_at is not None:
        return newest, 0
    if not _owned_by_another(service, user_id):
        raise LastOwner(service, newest.owner.username)
    newest.ended_at, newest.ended_by_id = max(clock.now(), newest.granted_at), by.user_id
    newest.save(update_fields=["ended_at", "ended_by"])
    tokens = ApiToken.objects.filter(
        Q(issuer_id=user_id) | Q(issuer_id=None),
        user_id=service.user_id,
        tenant_id=service.tenant_id,
        revoked_at=None,
    )
    revoked = changed(tokens, revoked_at=newest.ended_at, revoked_by_id=by.user_id)
    record(
        by=by,
        at=newest.ended_at,
        action="service.owner_ended",
        resource="service",
        resource_id=service.id,
        before={"name": service.name, "owner": newest.owner.username},
        after={"reason": reason},
        metadata={"revokedTokens": len(revoked)},
        rows=[newest, *revoked],
    )
    return newest, len(revoked)


def _owned_by_another(service: ServiceAccount, user_id: UUID) -> bool:
    """Whether another person owns it whose tokens would be accepted, by the rule of `actor_lookup`."""
    others = ServiceOwner.objects.filter(service=service, ended_at=None, owner__is_active=True).exclude(owner=user_id)
    return others.filter(owner__memberships__tenant_id=service.tenant_id, owner__memberships__ended_at=None).exists()
