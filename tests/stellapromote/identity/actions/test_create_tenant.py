import pytest

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid
from stellapromote.identity.actions.create_tenant import TenantExists, create_tenant
from stellapromote.identity.rules import OnlyOnTheServer
from tests.stellapromote.identity.actions.cases import last_event, make_house

pytestmark = pytest.mark.django_db


def test_a_tenant_begins_the_audit_chain_it_is_for() -> None:
    tenant = create_tenant(by=command_actor(), clock=DATABASE_CLOCK, slug="osprey", name="Osprey", is_demo=True)
    event = last_event("tenant.created")
    assert event.tenant_id == tenant.id
    assert event.after == {"slug": "osprey", "name": "Osprey", "isDemo": True}


def test_a_slug_that_is_taken_is_refused() -> None:
    create_tenant(by=command_actor(), clock=DATABASE_CLOCK, slug="osprey")
    with pytest.raises(TenantExists):
        create_tenant(by=command_actor(), clock=DATABASE_CLOCK, slug="osprey")


@pytest.mark.parametrize("slug", ["", "Osprey", "-osprey", "osprey-", "os prey", "ö", "x" * 64, "a\n", "a.b"])
def test_a_slug_that_cannot_be_is_refused(slug: str) -> None:
    with pytest.raises(Invalid):
        create_tenant(by=command_actor(), clock=DATABASE_CLOCK, slug=slug)
    assert not Tenant.objects.exists()


def test_no_administrator_creates_a_tenant() -> None:
    with pytest.raises(OnlyOnTheServer):
        create_tenant(by=make_house().admin, clock=DATABASE_CLOCK, slug="osprey")
