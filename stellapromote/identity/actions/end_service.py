from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.models import ApiToken, ServiceAccount, ServiceOwner
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import changed, lock_service
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import service_document
from stellapromote.identity.roster import owners_of
from stellapromote.transactions import transactional


@transactional
def end_service(
    *, by: Actor, clock: Clock, service_id: UUID, reason: str, if_match: IfMatch | None = None
) -> ServiceAccount:
    """Ends the ownerships of the service and revokes its tokens: it is refused from now on (docs/adr/0231).

    What it did stays theirs who owned it then. A person does not end a service of their own, because nobody ends their
    own ownership (docs/adr/0143). One that has neither owners nor tokens stays as it is. Raises Refused (403),
    Http404, PreconditionFailed (412), Invalid (400).
    """
    rules.check_manages_members(by)
    reason = rules.checked_line("reason", reason, longest=rules.LONGEST_REASON)
    service = lock_service(by.tenant, service_id)
    if if_match is not None:
        if_match.check(tag_of("service", service_document(service, owners_of(service))))
    owners = owners_of(service)
    if persons_behind(by).intersection(each.owner_id for each in owners):
        raise rules.OwnRights()
    at = max([clock.now(), *(each.granted_at for each in owners)])
    live = (
        ServiceOwner.objects.filter(service=service, ended_at=None).select_related("owner").order_by("owner__username")
    )
    owned = changed(live, ended_at=at, ended_by_id=by.user_id)
    tokens = ApiToken.objects.filter(user_id=service.user_id, tenant_id=by.tenant, revoked_at=None)
    revoked = changed(tokens, revoked_at=at, revoked_by_id=by.user_id)
    if owned or revoked:
        record(
            by=by,
            at=at,
            action="service.ended",
            resource="service",
            resource_id=service.id,
            before={"name": service.name, "owners": [each.owner.username for each in owned]},
            after={"reason": reason},
            metadata={"revokedTokens": len(revoked)},
            rows=[*owned, *revoked],
        )
    return service
