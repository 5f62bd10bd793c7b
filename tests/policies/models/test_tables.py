"""What the database itself refuses about policies, each by the name of its constraint (architecture.md, rule 4)."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from policies.models import (
    ApprovalPolicy,
    ApprovalPolicyVersion,
    PromotionPolicy,
    PromotionPolicyVersion,
    WeakeningEdit,
)
from stellapromote.accounts.models import Tenant
from stellapromote.database_clock import DATABASE_CLOCK
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_approval_policy, make_person, make_ready_tenant, make_tenant

TABLES = ("policies_approvalpolicyversion", "policies_promotionpolicyversion", "policies_weakeningedit")


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def policy(tenant: Tenant) -> ApprovalPolicy:
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    return make_approval_policy(actor_of(make_person(tenant, "greta", roles=["admin"]), tenant))


@pytest.fixture
def promotion_policy(tenant: Tenant) -> PromotionPolicy:
    return PromotionPolicy.objects.get(tenant=tenant)


def approval_row(tenant: Tenant, **fields: Any) -> ApprovalPolicy:
    at = DATABASE_CLOCK.now()
    return ApprovalPolicy(tenant=tenant, **{"name": "other", "created_at": at, "updated_at": at, **fields})


def promotion_row(tenant: Tenant, **fields: Any) -> PromotionPolicy:
    at = DATABASE_CLOCK.now()
    return PromotionPolicy(tenant=tenant, **{"name": "other", "created_at": at, "updated_at": at, **fields})


def version_row(policy: ApprovalPolicy, **fields: Any) -> ApprovalPolicyVersion:
    given = {"tenant_id": policy.tenant_id, "version": 2, "canonical": b"{}", "digest": "d", **fields}
    return ApprovalPolicyVersion(policy=policy, created_at=DATABASE_CLOCK.now(), **given)


def promotion_version_row(policy: PromotionPolicy, **fields: Any) -> PromotionPolicyVersion:
    given = {"tenant_id": policy.tenant_id, "version": 2, "canonical": b"{}", "digest": "d", **fields}
    return PromotionPolicyVersion(policy=policy, published_at=DATABASE_CLOCK.now(), **given)


def refused_by(row: Any) -> str:
    """The constraint that refuses the row."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        row.save()
    name: str = refusal.value.__cause__.diag.constraint_name  # type: ignore[union-attr]
    return name


@pytest.mark.parametrize("name", ["", "Two", "-two", "two-", "two person"])
def test_names_are_slugs(tenant: Tenant, name: str) -> None:
    assert refused_by(approval_row(tenant, name=name)) == "approval_policy_name_is_slug"
    assert refused_by(promotion_row(tenant, name=name)) == "promotion_policy_name_is_slug"


def test_names_are_unique_among_the_living(tenant: Tenant, policy: ApprovalPolicy) -> None:
    assert refused_by(approval_row(tenant, name=policy.name)) == "approval_policy_name_unique"
    assert refused_by(promotion_row(tenant, name="default")) == "promotion_policy_name_unique"


def test_what_is_retired_is_disabled(policy: ApprovalPolicy) -> None:
    policy.retired_at = DATABASE_CLOCK.now()
    assert refused_by(policy) == "approval_policy_retired_is_disabled"


def test_versions_are_counted_from_one(policy: ApprovalPolicy, promotion_policy: PromotionPolicy) -> None:
    assert refused_by(version_row(policy, version=0)) == "approval_policy_version_positive"
    assert refused_by(promotion_version_row(promotion_policy, version=0)) == "promotion_policy_version_positive"


def test_a_number_is_given_once(policy: ApprovalPolicy, promotion_policy: PromotionPolicy) -> None:
    assert refused_by(version_row(policy, version=1)) == "approval_policy_version_unique"
    assert refused_by(promotion_version_row(promotion_policy, version=1)) == "promotion_policy_version_unique"


def test_a_version_is_of_its_policy_s_tenant(policy: ApprovalPolicy, promotion_policy: PromotionPolicy) -> None:
    other = make_tenant("other")
    assert refused_by(version_row(policy, tenant_id=other.id)) == "approval_policy_version_same_tenant"
    assert (
        refused_by(promotion_version_row(promotion_policy, tenant_id=other.id))
        == "promotion_policy_version_same_tenant"
    )


def test_what_is_current_is_a_version_of_the_policy_itself(
    tenant: Tenant, policy: ApprovalPolicy, promotion_policy: PromotionPolicy
) -> None:
    assert refused_by(approval_row(tenant, current_id=policy.current_id)) == "approval_policy_current_is_own"
    row = promotion_row(tenant, current_id=promotion_policy.current_id)
    assert refused_by(row) == "promotion_policy_current_is_own"


def test_a_drafter_has_a_draft(tenant: Tenant) -> None:
    drafter = make_person(tenant, "greta", roles=["admin"])
    assert refused_by(promotion_row(tenant, draft_by=drafter)) == "promotion_policy_drafter_has_draft"


def test_a_weakening_edit_says_what(tenant: Tenant) -> None:
    edit = WeakeningEdit(tenant=tenant, at=DATABASE_CLOCK.now(), actor_username="greta", actor_name="Greta", what="")
    assert refused_by(edit) == "weakening_edit_says_what"


def test_a_policy_with_versions_is_not_deleted(policy: ApprovalPolicy) -> None:
    with pytest.raises(ProtectedError):
        policy.delete()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_versions_and_edits_are_written_once_whoever_asks(
    committed_db: CommittedDatabase, table: str, statement: str
) -> None:
    for connect in (committed_db.as_app, committed_db.as_owner):
        with connect() as asking, pytest.raises(Exception, match=r"append-only|permission denied"):
            asking.execute(statement.format(table))  # type: ignore[arg-type]


@pytest.mark.parametrize("table", TABLES)
def test_the_app_role_has_no_right_to_change_them(db: None, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r, has_table_privilege('stellapromote_app', %s, r) "
            "FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) r",
            [table],
        )
        rights = dict(cursor.fetchall())
    assert rights == {"SELECT": True, "INSERT": True, "UPDATE": False, "DELETE": False, "TRUNCATE": False}
