"""A stored policy text that is not what its digest names: nobody enters by it, and no page fails on it."""

import pytest
from django.test import Client

from environments.guarding import guards
from environments.models import Environment
from policies import stored_documents
from policies.models import ApprovalPolicyVersion, PromotionPolicyVersion, Proposal
from policies.presenters import TEXT_MISSING, policies_of
from policies.stored_documents import PolicyTextMissing
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.tampering import Tampering


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_kestrel()


def change(database: CommittedDatabase, table: str) -> None:
    """As one with the rights of a superuser would; this process has read none of them."""
    Tampering(database).run(f"UPDATE {table} SET canonical = canonical || ' '::bytea")
    stored_documents._recent._kept.clear()


def test_nobody_asks_for_an_environment_that_it_guards(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    release = kestrel.reaches_staging()
    change(committed_db, ApprovalPolicyVersion._meta.db_table)
    with pytest.raises(PolicyTextMissing) as refused:
        kestrel.ask(release, kestrel.production)
    assert (refused.value.code, refused.value.status) == ("POL_INVALID", 422)
    digest = ApprovalPolicyVersion.objects.get().digest
    assert refused.value.details == {"digest": digest}
    assert digest in refused.value.message


def test_what_guards_a_protected_environment_is_not_guessed(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    Environment.objects.filter(pk=kestrel.production.pk).update(protected=True)
    kestrel.waits_for_production()
    assert guards(kestrel.tenant.pk, kestrel.clock.now())
    change(committed_db, PromotionPolicyVersion._meta.db_table)
    with pytest.raises(PolicyTextMissing):
        guards(kestrel.tenant.pk, kestrel.clock.now())


def test_pages_say_so(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    change(committed_db, ApprovalPolicyVersion._meta.db_table)
    client: Client = client_of(kestrel, "admin")
    shown = client.get(f"/environments/{kestrel.production.pk}")
    assert shown.status_code == 200
    assert "No stored policy text has the digest" in shown.content.decode()


def test_a_proposal_that_names_it_is_shown(db: None) -> None:
    tenant = make_kestrel().tenant
    proposal = Proposal(tenant_id=tenant.pk, policies=[{"name": "gone", "digest": f"sha256:{'0' * 64}"}])
    assert [each["asks"] for each in policies_of(proposal)] == [[TEXT_MISSING]]
