from typing import Any

import orjson
import pytest

from policies import stored_documents
from policies.models import ApprovalPolicyVersion, PromotionPolicy
from policies.stored_documents import documents
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes
from tests.factories import actor_of, make_approval_policy, make_person, make_ready_tenant, make_tenant


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_documents, "_recent", stored_documents._Recent(2))


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def greta(tenant: Tenant) -> Actor:
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    return actor_of(make_person(tenant, "greta", roles=["admin"]), tenant)


def default_digest(tenant: Tenant) -> str:
    policy = PromotionPolicy.objects.of(tenant.id).get()
    assert policy.current is not None
    return policy.current.digest


def test_documents_of_both_kinds_come_with_one_statement(
    tenant: Tenant, greta: Actor, django_assert_num_queries: Any
) -> None:
    policy = make_approval_policy(greta)
    assert policy.current is not None
    digests = [policy.current.digest, default_digest(tenant)]
    with django_assert_num_queries(1):
        found = documents(tenant.id, digests)
    assert {digest: digest_bytes(canonical_bytes(found[digest])) for digest in digests} == {
        each: each for each in digests
    }
    assert found[digests[0]] == orjson.loads(policy.current.canonical)


def test_what_was_used_lately_costs_no_statement(tenant: Tenant, django_assert_num_queries: Any) -> None:
    digest = default_digest(tenant)
    documents(tenant.id, [digest])
    with django_assert_num_queries(0):
        assert documents(tenant.id, [digest])[digest]["schema"] == "stella.promotion-policy/v1"


def test_what_is_not_stored_is_absent(tenant: Tenant) -> None:
    assert documents(tenant.id, ["sha256:" + "0" * 64]) == {}


def test_another_tenant_s_document_is_absent_even_when_it_was_used_lately(tenant: Tenant, greta: Actor) -> None:
    policy = make_approval_policy(greta)
    assert policy.current is not None
    assert documents(tenant.id, [policy.current.digest])
    assert documents(make_tenant("other").id, [policy.current.digest]) == {}


def test_a_stored_text_that_has_not_its_digest_is_absent(tenant: Tenant, greta: Actor) -> None:
    policy = make_approval_policy(greta)
    digest = "sha256:" + "a" * 64
    ApprovalPolicyVersion.objects.create(
        tenant=tenant, policy=policy, version=2, canonical=b"{}", digest=digest, created_at=DATABASE_CLOCK.now()
    )
    assert documents(tenant.id, [digest]) == {}


def test_the_same_text_stored_twice_is_one_document(tenant: Tenant, greta: Actor) -> None:
    policy = make_approval_policy(greta)
    assert policy.current is not None
    first = policy.current
    ApprovalPolicyVersion.objects.create(
        tenant=tenant,
        policy=policy,
        version=2,
        canonical=first.canonical,
        digest=first.digest,
        created_at=DATABASE_CLOCK.now(),
    )
    assert list(documents(tenant.id, [first.digest])) == [first.digest]


def test_only_so_many_are_remembered(tenant: Tenant, greta: Actor, django_assert_num_queries: Any) -> None:
    used = []
    for number in range(3):
        policy = make_approval_policy(greta, f"policy-{number}")
        assert policy.current is not None
        used.append(policy.current.digest)
        documents(tenant.id, [policy.current.digest])
    with django_assert_num_queries(0):
        documents(tenant.id, used[1:])
    with django_assert_num_queries(1):
        documents(tenant.id, used[:1])
