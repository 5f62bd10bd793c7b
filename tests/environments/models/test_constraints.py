"""What the database itself refuses, whatever the code does: one test for each constraint."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from environments.models import Calendar, Environment, EnvironmentApprovalPolicy, FreezeWindow
from policies.models import PromotionPolicy
from tests.environments.world import (
    NOW,
    make_approval_policy,
    make_environment,
    make_freeze,
    make_person,
    make_tenant,
)

pytestmark = pytest.mark.django_db


def refused(constraint: str, change, *args, **values) -> None:
    """The change fails by this constraint, at the latest when the transaction would commit."""

    @transaction.atomic
    def commit() -> None:
        change(*args, **values)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match=constraint):
        commit()


@pytest.fixture
def dev(greta):
    return make_environment(greta, "dev", 1)


@pytest.fixture
def window(greta, dev):
    return make_freeze(greta, dev, "2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z")


def environments(dev):
    return Environment.objects.filter(pk=dev.pk)


def copy_of(row, **values):
    fields = {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key
    }
    return type(row).objects.create(**{**fields, **values})


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("environment_name_unique_per_tenant", {"order_index": 2}),
        ("environment_order_unique_per_tenant", {"name": "other"}),
    ],
)
def test_an_environment_is_unique_in_its_tenant(dev, constraint, values):
    refused(constraint, copy_of, dev, **values)


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("environment_name_is_slug", {"name": "Dev"}),
        ("environment_name_is_slug", {"name": ""}),
        ("environment_has_display_name", {"display_name": ""}),
        ("environment_ordered_unless_archived", {"order_index": None}),
        ("environment_ordered_unless_archived", {"archived_at": NOW}),
        ("environment_order_bounded", {"order_index": 10_000}),
        ("environments_environment_order_index_check", {"order_index": -1}),
        ("environment_approvals_bounded", {"required_approvals": 51}),
        ("environments_environment_required_approvals_check", {"required_approvals": -1}),
        ("environment_exclusive_known", {"exclusive": "tenant"}),
        ("environment_version_positive", {"version": 0}),
    ],
)
def test_an_environment_keeps_its_bounds(dev, constraint, values):
    refused(constraint, environments(dev).update, **values)


def test_an_environment_does_not_follow_itself(dev):
    refused("environment_follows_another", environments(dev).update, auto_promote_from=dev)


def test_an_environment_follows_only_one_of_its_tenant(dev):
    foreign = make_environment(make_person(make_tenant("other"), "olga", "admin"), "dev", 1)
    refused("environment_follows_same_tenant", environments(dev).update, auto_promote_from=foreign)


def test_an_environment_is_guarded_only_by_a_policy_of_its_tenant(dev):
    foreign = PromotionPolicy.objects.get(tenant=make_tenant("other"))
    refused("environment_policy_same_tenant", environments(dev).update, promotion_policy=foreign)


def test_an_approval_policy_guards_an_environment_once(greta, nia, dev):
    policy = make_approval_policy(greta, "release")
    EnvironmentApprovalPolicy.objects.create(environment=dev, policy=policy)
    refused(
        "environment_approval_policy_once", EnvironmentApprovalPolicy.objects.create, environment=dev, policy=policy
    )


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("freeze_window_ends_after_start", {"ends_at": NOW}),
        ("freeze_window_has_reason", {"reason": ""}),
        ("freeze_window_has_name", {"name": ""}),
        ("freeze_window_cleared_by_somebody", {"cleared_at": NOW}),
        ("freeze_window_cleared_by_somebody", {"cleared_by_name": "Greta"}),
        ("freeze_window_cleared_by_somebody", {"clear_reason": "It is over"}),
        ("freeze_window_version_positive", {"version": 0}),
    ],
)
def test_a_freeze_window_keeps_its_bounds(window, constraint, values):
    refused(constraint, FreezeWindow.objects.filter(pk=window.pk).update, **values)


def test_a_freeze_window_is_of_its_environments_tenant(window):
    other = make_tenant("other")
    refused("freeze_window_environment_same_tenant", FreezeWindow.objects.filter(pk=window.pk).update, tenant=other)


def test_a_tenant_has_one_calendar(tenant):
    refused("environments_calendar_pkey", lambda: Calendar(tenant=tenant).save(force_insert=True))


def test_an_environment_that_anything_names_is_not_deleted(dev, window):
    with pytest.raises(ProtectedError):
        dev.delete()
