"""Links of an audit chain that stand outside it: in packets, or in the system's chain (docs/adr/0165).

`note_heads` has the system's chain name the newest link of each tenant's chain. Packets of every tenant sign the
system's head, so the end of one tenant's chain cannot go alone.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db import connection

from stellapromote.accounts.actor import system_actor
from stellapromote.audit.chain import Break, Broken
from stellapromote.audit.models import AuditLink
from stellapromote.audit.recording import Entry, record_many
from stellapromote.audit.sealer import lock_chain
from stellapromote.clock import Clock
from stellapromote.transactions import transactional

_NOTED: Final = """
FROM audit_auditevent noted
WHERE noted.resource = 'audit_chain' AND noted.tenant_id IS NULL AND noted.action = 'audit.head_noted'
  AND noted.resource_id =
"""

# Nothing new is noted while nothing new is sealed: an idle installation writes no events.
_NEW: Final = f"""
SELECT tenant.id, head.event_id, encode(head.event_hash, 'hex')
FROM accounts_tenant tenant CROSS JOIN LATERAL (
  SELECT event_id, event_hash FROM audit_auditlink WHERE tenant_id = tenant.id ORDER BY sequence DESC LIMIT 1) head
WHERE encode(head.event_hash, 'hex') IS DISTINCT FROM (
  SELECT noted.metadata ->> 'eventHash' {_NOTED} tenant.id::text ORDER BY noted.timestamp DESC, noted.id DESC LIMIT 1)
ORDER BY tenant.id
"""  # noqa: S608 - the part is a constant of this module

# All that were noted: after a cut the next one to be noted fits what is left.
_LOST: Final = f"""
SELECT noted.metadata ->> 'eventId' {_NOTED} %(tenant)s::text AND NOT EXISTS (
  SELECT FROM audit_auditlink link
  WHERE link.event_id = CASE WHEN noted.metadata ->> 'eventId' ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                             THEN (noted.metadata ->> 'eventId')::uuid END
    AND link.tenant_id = %(tenant)s AND link.sequence >= 1
    AND encode(link.event_hash, 'hex') = noted.metadata ->> 'eventHash')
ORDER BY noted.timestamp, noted.id LIMIT 1
"""  # noqa: S608 - the part is a constant of this module


def of_system(event_hashes: Collection[bytes]) -> set[bytes]:
    """Those of these hashes that links of the system's chain have. A link that no walk meets is none. One statement."""
    links = AuditLink.objects.filter(tenant=None, sequence__gte=1, event_hash__in=event_hashes)
    return {bytes(event_hash) for event_hash in links.values_list("event_hash", flat=True)}


@transactional
def note_heads(clock: Clock) -> int:
    """Names in the system's chain the newest sealed link of each tenant where that is another than it named last; of
    how many tenants. By event and hash, without a number. Several workers may call it at once. Three statements."""
    lock_chain(None, wait=True)
    with connection.cursor() as cursor:
        cursor.execute(_NEW)
        new = cursor.fetchall()
    by, at = system_actor(None, ""), clock.now()
    record_many(
        Entry(
            by=by,
            at=at,
            action="audit.head_noted",
            resource="audit_chain",
            resource_id=tenant_id,
            metadata={"eventId": str(event_id), "eventHash": event_hash},
        )
        for tenant_id, event_id, event_hash in new
    )
    return len(new)


def lost_head(tenant_id: UUID) -> Broken | None:
    """The first link that the system's chain names and the tenant's chain does not hold. One statement, with a look
    into an index for each that was noted."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST, {"tenant": tenant_id})
        row = cursor.fetchone()
    if row is None:
        return None
    message = f"The chain lacks the link of event {row[0]}, which the system's chain names: it was cut or rewritten."
    return Broken(0, Break.HEAD_MISSING, message)
