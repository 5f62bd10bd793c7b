"""A tenant with an administrator, an approver and an operator as actors, and what was audited there."""

from dataclasses import dataclass

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.audit.models import AuditEvent
from tests.factories import actor_of, make_person, make_tenant


@dataclass(frozen=True)
class House:
    tenant: Tenant
    greta: User
    nia: User
    tomas: User

    def as_actor(self, user: User) -> Actor:
        return actor_of(user, self.tenant)

    @property
    def admin(self) -> Actor:
        return self.as_actor(self.greta)


def make_house() -> House:
    tenant = make_tenant("kestrel-pay")
    return House(
        tenant,
        greta=make_person(tenant, "greta", roles=["admin"]),
        nia=make_person(tenant, "nia", roles=["approver"], teams=["release"]),
        tomas=make_person(tenant, "tomas", roles=["operator"]),
    )


def last_event(action: str) -> AuditEvent:
    event = AuditEvent.objects.filter(action=action).order_by("id").last()
    assert event is not None
    return event
