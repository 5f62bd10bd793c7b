from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Membership, ServiceOwner, User
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_service
from stellapromote.identity.own_rights import check_can_own
from stellapromote.transactions import transactional


@transactional
def add_service_owner(*, by: Actor, clock: Clock, service_id: UUID, owner: str) -> ServiceOwner:
    """Makes the member with this username an owner of the service, from now on: its acts count as theirs as well.

    An owner keeps the ownership they have. Nobody becomes owner by themselves of what has more rights than they do
    (docs/adr/0222). Raises Refused (403), Invalid (400), Http404.
    """
    rules.check_manages_members(by)
    service = lock_service(by.tenant, service_id)
    person = _member(by.tenant, owner)
    if (owned := ServiceOwner.objects.filter(service=service, owner=person, ended_at=None).first()) is not None:
        return owned
    check_can_own(by, [person.pk], service.rights)
    at = clock.now()
    owned = ServiceOwner.objects.create(service=service, owner=person, granted_at=at, granted_by_id=by.user_id)
    record(
        by=by,
        at=at,
        action="service.owner_added",
        resource="service",
        resource_id=service.id,
        after={"name": service.name, "owner": person.username},
        rows=[owned],
    )
    return owned


def _member(tenant_id: UUID, username: str) -> User:
    memberships = Membership.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
    found = memberships.filter(tenant_id=tenant_id, user__username=username, ended_at=None).first()
    if found is None:
        raise rules.wrong("owner", f"Not a member of this tenant: {username}.", "unknown")
    return found.user
