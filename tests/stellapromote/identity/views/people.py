"""A tenant with an administrator and others, and browsers in which they are signed in."""

from dataclasses import dataclass

from django.test import Client

from stellapromote.accounts.models import Tenant, User
from tests.factories import PASSWORD, make_person, make_tenant


@dataclass(frozen=True)
class People:
    tenant: Tenant
    greta: User
    nia: User
    tomas: User


def make_people() -> People:
    """greta: admin. nia: approver in team release. tomas: operator. All with a password."""
    tenant = make_tenant("kestrel-pay")
    return People(
        tenant,
        greta=make_person(tenant, "greta", roles=["admin"], password=PASSWORD),
        nia=make_person(tenant, "nia", roles=["approver"], teams=["release"], password=PASSWORD),
        tomas=make_person(tenant, "tomas", roles=["operator"], password=PASSWORD),
    )


def browser(username: str) -> Client:
    """A browser of its own in which this person has signed in."""
    client = Client(headers={"User-Agent": f"{username}'s browser"})
    response = client.post("/accounts/login", {"login": username, "password": PASSWORD})
    assert response.status_code == 302
    return client
