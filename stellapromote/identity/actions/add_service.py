from collections.abc import Collection, Iterable
from uuid import UUID

from django.contrib.auth.hashers import make_password

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ServiceAccount, ServiceOwner, User
from stellapromote.accounts.rights import stored_rights
from stellapromote.accounts.scopes import LIMITED_TO_PRODUCTS, NEVER_FOR_SERVICES, SCOPES
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict
from stellapromote.identity import rules
from stellapromote.identity.account_events import record_account
from stellapromote.identity.own_rights import check_can_own
from stellapromote.identity.products import checked_products
from stellapromote.transactions import transactional


class ServiceExists(Conflict):
    code = "RES_DUPLICATE"
    about = "name"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a service {name} already.", details={"name": name})


@transactional
def add_service(
    *,
    by: Actor,
    clock: Clock,
    name: str,
    owners: Collection[str],
    scopes: Iterable[str],
    products: Iterable[str] = (),
) -> ServiceAccount:
    """A service of the actor's tenant, owned by the members with these usernames.

    What it does counts as done by its owners (domain.md §5). It never votes or overrides, so those scopes are refused.
    An owner who adds it gives it no scope that they do not hold (docs/adr/0222). With ``products`` it reads everything,
    and writes releases and promotions of these alone (docs/adr/0242).
    Raises Refused (403), Invalid (400), ServiceExists (409).
    """
    rules.check_manages_members(by)
    rules.checked_slug("name", name)
    tenant_id = by.tenant
    given = checked_service_rights(scopes, checked_products(tenant_id, products))
    people = _members(tenant_id, owners)
    service = ServiceAccount(tenant_id=tenant_id, name=name, **given)
    check_can_own(by, [person.pk for person in people], service.rights)
    at = clock.now()
    user, is_new = User.objects.get_or_create(
        username=f"{by.tenant_slug}.{name}",
        defaults={"display_name": name, "kind": User.Kind.SERVICE, "date_joined": at, "password": make_password(None)},
    )
    if not is_new:
        raise ServiceExists(name)
    service.user, service.created_at = user, at
    service.save(force_insert=True)
    owned = ServiceOwner.objects.bulk_create(
        [ServiceOwner(service=service, owner=person, granted_at=at, granted_by_id=by.user_id) for person in people]
    )
    record_account("user.created", user, by=by, at=at)
    record(
        by=by,
        at=at,
        action="service.created",
        resource="service",
        resource_id=service.id,
        after={
            "name": name,
            "scopes": service.all_scopes,
            **({"products": service.products} if service.products else {}),
            "owners": [person.username for person in people],
        },
        rows=[service, *owned],
    )
    return service


def checked_service_rights(scopes: Iterable[str], products: list[str]) -> dict[str, list[str]]:
    """The columns of a service with these scopes, for these products or for all. Invalid."""
    chosen = rules.checked_scopes(scopes, SCOPES.keys() - NEVER_FOR_SERVICES, rules.NO_VOTE_BY_SERVICES)
    if products:
        rules.checked_scopes(chosen, LIMITED_TO_PRODUCTS, "a service that is limited to products cannot have this.")
    return stored_rights(chosen, products)


def _members(tenant_id: UUID, usernames: Collection[str]) -> list[User]:
    if not usernames:
        raise rules.wrong("owners", "A service has at least one owner.", "required")
    people = User.objects.filter(
        username__in=set(usernames), memberships__tenant_id=tenant_id, memberships__ended_at=None
    ).order_by("username")
    missing = sorted(set(usernames) - {person.username for person in people})
    if missing:
        raise rules.wrong("owners", f"Not a member of this tenant: {', '.join(missing)}.", "unknown")
    return list(people)
