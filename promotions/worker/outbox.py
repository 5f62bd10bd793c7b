"""Events of environments and policies for the outside, derived by the worker (domain.md §10; docs/adr/0057).

Both apps are below the outbox. Their changes are in the audit log, whose sealed chain is gap-free and in order: a mark
for each tenant follows it. Freezes begin and end by the clock, so their edges since the last step are looked up. A step
is one transaction: after a crash at any point, the next worker does it again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from django.db import connection, transaction

from environments.models import FreezeWindow
from promotions.models import OutboxEvent, OutboxMark
from stellapromote.audit.events import Told
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339

EVENTS: Final[Mapping[str, Told]] = {
    "environment.created": "environment.created",
    "environment.updated": "environment.updated",
    "environment.unarchived": "environment.updated",
    "environment.archived": "environment.archived",
    "policy.published": "policy.published",
}
"""Audited actions of the apps below, with the outbox event of each."""

LINKS: Final = 5000
# A freeze reads its instant before it commits: edges are looked for again for as long as that may take.
OVERLAP: Final = timedelta(seconds=10)

_NEW_MARKS = """
INSERT INTO promotions_outboxmark (tenant_id, sequence, edges_at)
SELECT t.id, 0, t.created_at FROM accounts_tenant t
WHERE NOT EXISTS (SELECT 1 FROM promotions_outboxmark m WHERE m.tenant_id = t.id)
ON CONFLICT DO NOTHING
"""

# An edge is read until it lies before the period that is read: an event that was sent and deleted is not sent again.
_BEHIND = """
SELECT m.tenant_id FROM promotions_outboxmark m
WHERE EXISTS (SELECT 1 FROM audit_auditlink l WHERE l.tenant_id = m.tenant_id AND l.sequence > m.sequence)
   OR EXISTS (SELECT 1 FROM environments_freezewindow w WHERE w.tenant_id = m.tenant_id
              AND (w.starts_at <= %(now)s AND w.starts_at > m.edges_at - make_interval(secs => %(overlap)s)
                   OR w.ends_at <= %(now)s AND w.ends_at > m.edges_at - make_interval(secs => %(overlap)s)
                   OR w.changed_at > m.edges_at - make_interval(secs => %(overlap)s)))
ORDER BY m.tenant_id
"""


def behind(now: datetime) -> list[UUID]:
    """Tenants in which events are due."""
    with connection.cursor() as cursor:
        cursor.execute(_NEW_MARKS)
        cursor.execute(_BEHIND, {"now": now, "overlap": OVERLAP.total_seconds()})
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def derive(tenant_id: UUID, now: datetime) -> int:
    """Writes the events that are due in the tenant; how many there were. One in another worker's hands waits."""
    mark = OutboxMark.objects.select_for_update(skip_locked=True).filter(tenant_id=tenant_id).first()
    if mark is None:
        return 0
    found = [*_changes(mark, now), *_edges(mark, now)]
    told = set(OutboxEvent.objects.filter(pk__in=[event.pk for event in found]).values_list("pk", flat=True))
    new = [event for event in found if event.pk not in told]
    OutboxEvent.objects.bulk_create(new)
    mark.edges_at = max(mark.edges_at, now)
    mark.save(update_fields=["sequence", "edges_at"])
    return len(new)


def _changes(mark: OutboxMark, now: datetime) -> list[OutboxEvent]:
    """The events sealed after the mark, which moves on. The end of the chain is read first: it grows meanwhile."""
    sealed = AuditEvent.objects.filter(
        tenant_id=mark.tenant_id, link__tenant_id=mark.tenant_id, link__sequence__gt=mark.sequence
    )
    head = sealed.order_by("-link__sequence").values_list("link__sequence", flat=True).first()
    if head is None:
        return []
    upto = min(mark.sequence + LINKS, head)
    told = sealed.filter(link__sequence__lte=upto, action__in=EVENTS).order_by("link__sequence")
    found = [
        OutboxEvent(
            id=uuid5(event.pk, "outbox"),
            tenant_id=mark.tenant_id,
            name=EVENTS[event.action],
            payload=_payload(event),
            created_at=now,
        )
        for event in told
    ]
    mark.sequence = upto
    return found


def _payload(event: AuditEvent) -> dict[str, Any]:
    """Names the changed fields, and never their values: settings may hold what must not leave the installation."""
    after = event.after or {}
    subject = {"environmentId": event.resource_id} if event.resource == "environment" else {}
    return {
        **subject,
        "name": event.metadata.get("name") or after.get("name"),
        "changed": sorted(after) if event.before else [],
        "at": rfc3339(event.timestamp),
        "actor": {"id": None if event.actor_id is None else str(event.actor_id), "name": event.actor_name},
    }


def _edges(mark: OutboxMark, now: datetime) -> list[OutboxEvent]:
    """Freezes that began or ended since the last look; one that was called off before it began did neither."""
    since = mark.edges_at - OVERLAP
    found = []
    for window in FreezeWindow.objects.of(mark.tenant_id).with_an_edge(since, now).select_related("environment"):
        if window.began_at > since:
            found.append(_edge(window, "environment.freeze_started", window.began_at, now))
        if since < window.over_at <= now:
            found.append(_edge(window, "environment.freeze_ended", window.over_at, now))
    return found


def _edge(window: FreezeWindow, name: Told, at: datetime, now: datetime) -> OutboxEvent:
    """The same edge has the same id each time it is found."""
    return OutboxEvent(
        id=uuid5(window.pk, f"{name} {rfc3339(at)}"),
        tenant_id=window.tenant_id,
        name=name,
        payload={
            "windowId": str(window.pk),
            "environmentId": None if window.environment is None else str(window.environment.pk),
            "environmentName": None if window.environment is None else window.environment.name,
            "products": sorted(window.products),
            "name": window.name,
            "reason": window.reason,
            "at": rfc3339(at),
        },
        created_at=now,
    )
