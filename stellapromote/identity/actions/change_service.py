from collections.abc import Iterable
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ApiToken, ServiceAccount
from stellapromote.accounts.rights import beyond
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.add_service import checked_service_rights
from stellapromote.identity.actions.lock import lock_service
from stellapromote.identity.etags import tag_of
from stellapromote.identity.own_rights import check_can_own
from stellapromote.identity.presenters import service_document
from stellapromote.identity.products import checked_products
from stellapromote.identity.roster import owners_of
from stellapromote.transactions import transactional


@transactional
def change_service(
    *,
    by: Actor,
    clock: Clock,
    service_id: UUID,
    scopes: Iterable[str] | None = None,
    products: Iterable[str] | None = None,
    if_match: IfMatch | None = None,
) -> ServiceAccount:
    """Gives the service these scopes and products in place of those that it has, from now on and for its present tokens
    too.

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
    limit = service.products if products is None else checked_products(by.tenant, products, besides=service.products)
    given = checked_service_rights(service.all_scopes if scopes is None else scopes, limit)
    had, before = service.rights, _told(service)
    for column, value in given.items():
        setattr(service, column, value)
    if _told(service) == before:
        return service
    tokens = ApiToken.objects.filter(user_id=service.user_id, revoked_at=None, issuer__isnull=False)
    concerned = {*service.owners.filter(ended_at=None).values_list("owner_id", flat=True)}
    concerned.update(tokens.values_list("issuer_id", flat=True))
    check_can_own(by, concerned, beyond(service.rights, had))
    service.save(update_fields=list(given))
    record(
        by=by,
        at=clock.now(),
        action="service.updated",
        resource="service",
        resource_id=service.id,
        before={"name": service.name, **before},
        after=_told(service),
        rows=[service],
    )
    return service


def _told(service: ServiceAccount) -> dict[str, list[str]]:
    return {"scopes": service.all_scopes, **({"products": service.products} if service.products else {})}
