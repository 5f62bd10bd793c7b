from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.audit.models import AuditEvent, RefusalCount
from stellapromote.audit.refusals import note_refusal, record_counted_refusals
from stellapromote.clock import FixedClock
from tests.database import CommittedDatabase
from tests.factories import PASSWORD, actor_of, actor_of_token, make_person, make_tenant, make_token

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
APPROVE = "POST promotions/<uuid:pk>/approve"


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_tenant()


@pytest.fixture
def tomas(tenant: Tenant) -> User:
    return make_person(tenant, "tomas", roles=["operator"], password=PASSWORD)


@pytest.fixture
def by(tenant: Tenant, tomas: User) -> Actor:
    return actor_of(tomas, tenant)


def refuse(
    by: Actor | None,
    seconds: float = 0,
    *,
    action: str = APPROVE,
    target: str = "/promotions/1042/approve",
    code: str = "PERM_SEPARATION_OF_DUTIES",
) -> None:
    note_refusal(by=by, code=code, action=action, target=target, clock=FixedClock(AT + timedelta(seconds=seconds)))


def counts() -> list[int]:
    events = AuditEvent.objects.filter(action="permission.refused").order_by("timestamp", "id")
    return [event.metadata["count"] for event in events]


def test_a_refusal_says_who_tried_what_on_which_object_and_why_not(by: Actor) -> None:
    refuse(by)
    event = AuditEvent.objects.get(action="permission.refused")
    assert (event.tenant_id, event.actor_id, event.actor_ip) == (by.tenant_id, by.user_id, "192.0.2.1")
    assert (event.resource_id, event.request_id) == ("/promotions/1042/approve", "test")
    assert event.metadata == {
        "code": "PERM_SEPARATION_OF_DUTIES",
        "action": APPROVE,
        "count": 1,
        "authMethod": "session",
    }


def test_the_same_refusal_within_a_minute_is_counted_and_told_with_the_next(by: Actor) -> None:
    for seconds in (0, 1, 59.999, 60):
        refuse(by, seconds)
    assert counts() == [1, 3]


@pytest.mark.parametrize(
    "other",
    [
        {"action": "POST promotions/<uuid:pk>/reject"},
        {"target": "/promotions/1043/approve"},
        {"code": "PERM_DENIED"},
    ],
)
def test_another_action_object_or_reason_is_an_event_of_its_own(by: Actor, other: dict[str, Any]) -> None:
    refuse(by)
    refuse(by, **other)
    assert counts() == [1, 1]


def test_another_person_is_an_event_of_their_own(by: Actor, tenant: Tenant) -> None:
    refuse(by)
    refuse(actor_of(make_person(tenant), tenant))
    assert counts() == [1, 1]


def test_what_was_counted_is_told_when_its_minute_is_over(by: Actor) -> None:
    for seconds in (0, 1, 2):
        refuse(by, seconds)
    assert record_counted_refusals(AT + timedelta(seconds=59)) == 0
    assert record_counted_refusals(AT + timedelta(seconds=60)) == 1
    assert counts() == [1, 2]


def test_what_is_told_later_names_the_same_actor_and_token(tenant: Tenant, tomas: User) -> None:
    by = actor_of_token(make_token(tenant, tomas))
    refuse(by)
    refuse(by, 1)
    record_counted_refusals(AT + timedelta(minutes=2))
    first, second = AuditEvent.objects.filter(action="permission.refused").order_by("id")
    same = ("tenant_id", "actor_type", "actor_id", "actor_name", "actor_ip", "resource_id", "request_id")
    assert [getattr(first, name) for name in same] == [getattr(second, name) for name in same]
    assert first.metadata == {**second.metadata, "count": 1}


def test_what_was_told_is_forgotten(by: Actor) -> None:
    refuse(by)
    refuse(by, 1)
    record_counted_refusals(AT + timedelta(minutes=2))
    assert record_counted_refusals(AT + timedelta(minutes=4)) == 0
    assert not RefusalCount.objects.exists()
    assert counts() == [1, 1]


@pytest.mark.parametrize("code", ["VAL_INVALID", "RES_NOT_FOUND", "RES_ALREADY_VOTED", "PROM_BLOCKED", "SYS_INTERNAL"])
def test_other_refusals_than_of_permission_are_not_noted(by: Actor, code: str) -> None:
    refuse(by, code=code)
    assert counts() == []


def test_nobody_known_is_not_noted(db: None) -> None:
    refuse(None)
    assert counts() == []


def test_a_refusal_that_cannot_be_noted_does_not_fail(by: Actor) -> None:
    refuse(by, target="/\0")
    assert counts() == []


def test_a_refused_page_is_noted(client: Client, tomas: User) -> None:
    client.force_login(tomas)
    assert client.get("/settings/members").status_code == 403
    event = AuditEvent.objects.get(action="permission.refused")
    assert (event.actor_id, event.metadata["action"]) == (tomas.pk, "GET settings/members")


def test_a_refused_call_is_noted(client: Client, tenant: Tenant, tomas: User) -> None:
    token = make_token(tenant, tomas)
    assert client.get("/api/v1/audit-events", headers={"Authorization": f"Bearer {token}"}).status_code == 403
    event = AuditEvent.objects.get(action="permission.refused")
    assert (event.actor_id, event.metadata["action"]) == (tomas.pk, "GET api/v1/audit-events")


def test_refusals_side_by_side_are_all_counted(committed_db: CommittedDatabase) -> None:
    tenant = make_tenant()
    by = actor_of(make_person(tenant), tenant)
    committed_db.at_once(*[lambda: refuse(by)] * 8)
    record_counted_refusals(AT + timedelta(minutes=2))
    assert counts() == [1, 7]
