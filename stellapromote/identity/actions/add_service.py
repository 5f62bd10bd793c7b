from collections.abc import Collection, Iterable
from uuid import UUID

from django.contrib.auth.hashers import make_password

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ServiceAccount, ServiceOwner, User
from stellapromote.accounts.scopes import NEVER_FOR_SERVICES, SCOPES
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict
from stellapromote.identity import rules
from stellapromote.identity.account_events import record_account
from stellapromote.identity.own_rights import check_can_own
from stellapromote.transactions import transactional


class ServiceExists(Conflict):
    code = "RES_DUPLICATE"
    about = "name"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a service {name} already.", details={"name": name})


@transactional
def add_service(
    *, by: Actor, clock: Clock, name: str, owners: Collection[str], scopes: Iterable[str]
) -> ServiceAccount:
    """A service of the actor's tenant, owned by the members with these usernames.

    What it does counts as done by its owners (domain.md §5). It never votes or overrides, so those scopes are refused.
    An owner who adds it gives it no scope that they do not hold (docs/adr/0222).
    Raises Refused (403), Invalid (400), ServiceExists (409).
    """
    rules.check_manages_members(by)
    rules.checked_slug("name", name)
    allowed = SCOPES.keys() - NEVER_FOR_SERVICES
    chosen = rules.checked_scopes(scopes, allowed, rules.NO_VOTE_BY_SERVICES)
    tenant_id = by.tenant
    people = _members(tenant_id, owners)
    check_can_own(by, [person.pk for person in people], chosen)
    at = clock.now()
    user, is_new = User.objects.get_or_create(
        username=f"{by.tenant_slug}.{name}",
        defaults={"display_name": name, "kind": User.Kind.SERVICE, "date_joined": at, "password": make_password(None)},
    )
    if not is_new:
        raise ServiceExists(name)
    service = ServiceAccount.objects.create(tenant_id=tenant_id, user=user, name=name, scopes=chosen, created_at=at)
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
        after={"name": name, "scopes": chosen, "owners": [person.username for person in people]},
        rows=[service, *owned],
    )
    return service


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
