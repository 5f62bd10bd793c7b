"""The row of a tenant is what the event of its creation says, the demo mark above all (docs/adr/0167)."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from promotions.actions.create_tenant import create_tenant
from promotions.models import EvidenceFinding, EvidencePacket
from promotions.packets.verifying import known_keys, verify_stored_packet
from promotions.verification.tenants import check_tenant
from promotions.worker.verifier import Verifier
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.recording import record
from stellapromote.ids import new_id
from tests.database import CommittedDatabase
from tests.promotions.kestrel import START, Kestrel, make_kestrel
from tests.promotions.tampering import Tampering
from tests.sealing import seal_pending

pytestmark = pytest.mark.slow

TENANT = "UPDATE accounts_tenant SET"
CREATION = "UPDATE audit_auditevent SET after = {} WHERE action = 'tenant.created'"


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    """One packet, signed with a key that was active."""
    kestrel = make_kestrel()
    kestrel.ask(kestrel.release(), kestrel.dev)
    return kestrel


def found_in(kestrel: Kestrel) -> list[tuple[str, str]]:
    return [(str(each.what), each.place) for each in check_tenant(kestrel.tenant.pk)]


def key_check() -> str:
    found = verify_stored_packet(EvidencePacket.objects.get(), known_keys())
    return {check.name: check.result for check in found.checks}["key"]


def make_key_younger(tamper: Tampering) -> None:
    """As a key that was made after the packet is dated."""
    tamper.run("UPDATE promotions_publicsigningkey SET activated_at = %s + interval '1 year'", [START])


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("slug = 'renamed'", "slug"),
        ("name = 'Somebody else'", "name"),
        ("is_demo = true", "isDemo"),
        ("created_at = created_at - interval '1 day'", "createdAt"),
    ],
)
def test_each_part_of_a_tenant_is_what_the_event_of_its_creation_says(
    kestrel: Kestrel, tamper: Tampering, change: str, place: str
) -> None:
    assert found_in(kestrel) == []
    tamper.run(f"{TENANT} {change}")
    assert found_in(kestrel) == [("TENANT_CHANGED", f"tenant, {place}")]


def test_worker_and_command_find_it(kestrel: Kestrel, tamper: Tampering) -> None:
    tamper.run(f"{TENANT} is_demo = true")
    seal_pending()
    worker = Verifier()
    while worker.verify_some(kestrel.clock):
        pass
    findings = EvidenceFinding.objects.filter(gone_at=None).values_list("tenant", "what", "place")
    assert list(findings) == [(kestrel.tenant.pk, "TENANT_CHANGED", "tenant, isDemo")]
    out = StringIO()
    with pytest.raises(CommandError, match="differ from the signed ones: kestrel"):
        call_command("verify_evidence", stdout=out)
    assert "kestrel TENANT_CHANGED tenant, isDemo: isDemo is not what" in out.getvalue()


def test_the_mark_alone_excuses_no_packet_that_is_older_than_its_key(kestrel: Kestrel, tamper: Tampering) -> None:
    make_key_younger(tamper)
    assert key_check() == "failed"
    tamper.run(f"{TENANT} is_demo = true")
    assert key_check() == "failed"


def test_a_demo_by_the_audit_log_excuses_them(kestrel: Kestrel, tamper: Tampering) -> None:
    demo = create_tenant(slug="demo", name="Demo", is_demo=True, by=command_actor(), clock=kestrel.clock)
    assert check_tenant(demo.pk) == []
    [key] = known_keys().values()
    assert key.backdated == {str(demo.pk)}
    tamper.run(f"{TENANT} is_demo = false WHERE slug = 'demo'")
    [key] = known_keys().values()
    assert key.backdated == set()


def test_a_second_event_makes_no_demo(kestrel: Kestrel, tamper: Tampering) -> None:
    """A superuser can add one, of any date, at the end of the chain."""
    make_key_younger(tamper)
    tamper.run(f"{TENANT} is_demo = true")
    record(
        by=command_actor(kestrel.tenant),
        at=START.replace(year=2020),
        action="tenant.created",
        resource="tenant",
        resource_id=kestrel.tenant.pk,
        after={"slug": kestrel.tenant.slug, "name": kestrel.tenant.name, "isDemo": True},
    )
    assert key_check() == "failed"
    assert found_in(kestrel) == [("TENANT_CHANGED", "tenant")]


@pytest.mark.parametrize("after", ["NULL", "after - 'isDemo'"])
def test_an_event_of_before_without_the_mark_is_no_finding_and_no_excuse(
    kestrel: Kestrel, tamper: Tampering, after: str
) -> None:
    tamper.run(f"{TENANT} is_demo = true")
    tamper.run(CREATION.format(after))
    assert found_in(kestrel) == []
    make_key_younger(tamper)
    assert key_check() == "failed"


def test_a_tenant_of_before_without_an_event_is_no_finding(committed_db: CommittedDatabase) -> None:
    values: dict[str, Any] = {"slug": "before", "name": "Before", "created_at": START}
    assert check_tenant(Tenant.objects.create(pk=new_id(), **values).pk) == []
