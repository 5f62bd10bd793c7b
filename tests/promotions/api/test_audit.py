"""The audit log over REST (contract.md; domain.md §9)."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from stellapromote.audit.models import AuditEvent
from stellapromote.audit.sealer import seal_chain
from stellapromote.clock import rfc3339
from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world

FIELDS = {
    "id",
    "timestamp",
    "tenantId",
    "actorType",
    "actorId",
    "actorName",
    "actorIp",
    "action",
    "resource",
    "resourceId",
    "environmentId",
    "releaseId",
    "promotionId",
    "before",
    "after",
    "metadata",
    "requestId",
    "sequence",
    "previousEventHash",
    "eventHash",
}


def test_events_newest_first_with_everything_recorded(world: World) -> None:
    promotion = world.waiting()
    world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {"comment": "Fine"}, X_Request_Id="request-4711")
    event = world.idris.get("audit-events?pageSize=1")["data"][0]
    assert set(event) == FIELDS
    assert (event["action"], event["actorName"], event["actorIp"], event["requestId"]) == (
        "approval.granted",
        "Nia (nia)",
        "127.0.0.1",
        "request-4711",
    )
    assert (event["promotionId"], event["after"]) == (str(promotion.pk), {"comment": "Fine"})
    assert (event["sequence"], event["eventHash"]) == (None, None)


@pytest.mark.parametrize("who", ["vera", "tomas", "nia", "greta", "ci"])
def test_only_auditors_read_it(world: World, who: str) -> None:
    for path in ("audit-events", "audit-events/verify"):
        assert world.people[who].refused("GET", path) == (403, "PERM_DENIED")


def test_filters(world: World) -> None:
    first, second = world.waiting(), world.waiting()

    def found(query: str) -> set[tuple[str, str | None]]:
        rows = world.idris.get(f"audit-events?pageSize=500&{query}")["data"]
        return {(row["action"], row["promotionId"]) for row in rows}

    requested = {("promotion.requested", str(first.pk)), ("promotion.requested", str(second.pk))}
    assert requested <= found("action=promotion.requested")
    assert {action for action, _ in found("action=promotion.requested")} == {"promotion.requested"}
    assert found(f"promotionId={first.pk}") == {("promotion.requested", str(first.pk))}
    assert {action for action, _ in found(f"releaseId={second.release_id}&resource=release")} == {
        "release.created",
        "release.finalized",
    }
    staging = world.environments["staging"].pk
    assert {action for action, _ in found(f"environmentId={staging}&resource=environment")} == {"environment.created"}
    assert {action for action, _ in found(f"actorId={world.ci.user.pk}")} == {
        "promotion.started",
        "promotion.completed",
        "evidence.packet_created",
    }
    assert found(f"resource=promotion&resourceId={first.pk}") == {("promotion.requested", str(first.pk))}
    assert {action for action, _ in found("actorType=service&action=promotion.started")} == {"promotion.started"}
    at = rfc3339(second.requested_at)
    assert ("promotion.requested", str(second.pk)) in found(f"from={at}")
    assert ("promotion.requested", str(second.pk)) not in found(f"to={at}")


@pytest.mark.parametrize(
    "query",
    [
        "actorType=robot",
        "actorId=nia",
        "from=now",
        "afterSequence=-1",
        "afterSequence=x",
        "afterSequence=99999999999999999999",
        "action=",
        "action=%00",
        "tenantId=x",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
    ],
)
def test_a_wrong_filter_is_refused(world: World, query: str) -> None:
    assert world.idris.refused("GET", f"audit-events?{query}")[0] == 400


def test_after_sequence_gives_every_sealed_event_once_in_the_order_of_the_chain(world: World) -> None:
    world.waiting()
    seal_chain(world.tenant.pk)
    seen, cursor = [], ""
    while cursor is not None:
        page = world.idris.get(f"audit-events?afterSequence=0&pageSize=7&cursor={cursor}")
        seen += page["data"]
        cursor = page["meta"]["nextCursor"]
    assert [event["sequence"] for event in seen] == list(range(1, len(seen) + 1))
    assert len(seen) == AuditEvent.objects.filter(tenant=world.tenant).count()
    assert [event["previousEventHash"] for event in seen[1:]] == [event["eventHash"] for event in seen[:-1]]
    rest = world.idris.get(f"audit-events?afterSequence={len(seen) - 1}")["data"]
    assert [event["sequence"] for event in rest] == [len(seen)]


def test_another_tenants_events_do_not_exist(world: World, stranger: World) -> None:
    theirs = stranger.waiting()
    assert world.idris.get(f"audit-events?promotionId={theirs.pk}")["data"] == []
    tenants = {row["tenantId"] for row in world.idris.get("audit-events?pageSize=500")["data"]}
    assert tenants == {str(world.tenant.pk)}


def test_a_page_costs_two_statements_however_long_it_is(world: World) -> None:
    world.waiting()
    for size in (1, 50):
        with CaptureQueriesContext(connection) as statements:
            world.idris.get(f"audit-events?cursor=&pageSize={size}")
        assert len([each for each in statements if "SET last_used_at" not in each["sql"]]) == 2


def test_verification_seals_and_walks_the_whole_chain(committed_db: CommittedDatabase) -> None:
    world = make_world()
    world.waiting()
    found = world.idris.get("audit-events/verify")
    events = AuditEvent.objects.filter(tenant=world.tenant)
    assert found == {
        "intact": True,
        "checked": events.count(),
        "head": {"sequence": events.count(), "eventHash": found["head"]["eventHash"]},
        "broken": None,
    }
    newest = world.idris.get(f"audit-events?afterSequence={events.count() - 1}")["data"]
    assert newest[0]["eventHash"] == found["head"]["eventHash"]


def test_verification_names_the_first_break(committed_db: CommittedDatabase) -> None:
    world = make_world()
    world.idris.get("audit-events/verify")
    with committed_db.as_superuser() as superuser, superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute(
            "UPDATE audit_auditevent SET action = 'nothing.happened' WHERE id = "
            "(SELECT event_id FROM audit_auditlink WHERE sequence = 3 AND tenant_id = %s)",
            [world.tenant.pk],
        )
    found: Any = world.idris.get("audit-events/verify")
    assert (found["intact"], found["checked"]) == (False, 2)
    assert (found["broken"]["sequence"], found["broken"]["reason"]) == (3, "DIGEST_MISMATCH")
    assert "password" not in json.dumps(found)
