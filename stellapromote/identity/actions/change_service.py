from collections.abc import Iterable
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ApiToken, ServiceAccount
from stellapromote.accounts.scopes import NEVER_FOR_SERVICES, SCOPES
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_service
from stellapromote.identity.etags import tag_of
from stellapromote.identity.own_rights import check_can_own
from stellapromote.identity.presenters import service_document
from stellapromote.identity.roster import owners_of
from stellapromote.transactions import transactional


@transactional
def change_service(
    *,
    by: Actor,
    clock: Clock,
    service_id: UUID,
    scopes: Iterable[str] | None = None,
    if_match: IfMatch | None = None,
) -> ServiceAccount:
    """Gives the service these scopes in place of those that it has, from now on and for its present tokens too.

    An owner, and the issuer of a token that works, add no scope that they do not hold (docs/adr/0222); a service does
    not change itself. Without a change it leaves no trace. Raises Refused (403), Http404, PreconditionFailed (412),
    Invalid (400).
    """
    rules.check_manages_members(by)
    service = lock_service(by.tenant, service_id)
    if by.user_id == service.user_id:
        raise rules.OwnRights()
    if if_match is not None:
        if_match.check(tag_of("service", service_document(service, owners_of(service))))
    if scopes is None:
        return service
    chosen = rules.checked_scopes(scopes, SCOPES.keys() - NEVER_FOR_SERVICES, rules.NO_VOTE_BY_SERVICES)
    if chosen == service.scopes:
        return service
    tokens = ApiToken.objects.filter(user_id=service.user_id, revoked_at=None, issuer__isnull=False)
    concerned = {*service.owners.filter(ended_at=None).values_list("owner_id", flat=True)}
    concerned.update(tokens.values_list("issuer_id", flat=True))
    check_can_own(by, concerned, set(chosen) - set(service.scopes))
    before, service.scopes = service.scopes, chosen
    service.save(update_fields=["scopes"])
    record(
        by=by,
        at=clock.now(),
        action="service.updated",
        resource="service",
        resource_id=service.id,
        before={"name": service.name, "scopes": before},
        after={"scopes": chosen},
        rows=[service],
    )
    return service
