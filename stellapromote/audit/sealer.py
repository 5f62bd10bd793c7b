"""Appending recorded events to the chain of their tenant (domain.md §9), in a transaction of its own.

The worker calls `seal_some` at least every second; verification and export call `seal_chain` first. The sealer takes
the events in audit_pending, never "everything after the last id": events commit in another order than their ids, and
an event that commits late must not be skipped.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from stellapromote.audit.chain import GENESIS, Head, event_hash
from stellapromote.database.named_locks import take_lock

BATCH = 1000

_CHAINS_WITH_PENDING = "SELECT DISTINCT tenant_id FROM audit_auditpending"

# By the tenant, too: else PostgreSQL sorts every link of the system's chain, for which it is null.
_HEAD = "SELECT sequence, event_hash FROM audit_auditlink WHERE {tenant} ORDER BY tenant_id DESC, sequence DESC LIMIT 1"

_PENDING = """
SELECT event.id, event.event_digest
FROM audit_auditpending pending JOIN audit_auditevent event ON event.id = pending.event_id
WHERE pending.{tenant} ORDER BY event.timestamp, event.id LIMIT %s
"""

_APPEND = """
INSERT INTO audit_auditlink (event_id, tenant_id, sequence, previous_event_hash, event_hash)
SELECT event_id, %s, sequence, previous_event_hash, event_hash
FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[], %s::bytea[])
    AS link (event_id, sequence, previous_event_hash, event_hash)
"""

_OLDEST = "SELECT min(event.timestamp) FROM audit_auditpending JOIN audit_auditevent event ON event.id = event_id"


def chains_with_pending() -> list[UUID | None]:
    """The tenants, None for the system chain, that have events to be sealed."""
    with connection.cursor() as cursor:
        cursor.execute(_CHAINS_WITH_PENDING)
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def seal_some(tenant_id: UUID | None, limit: int = BATCH) -> int:
    """Seals up to `limit` events of the chain, in a transaction of its own; none while another process seals it.

    Returns the number of events sealed. To be called again while it is not 0.
    """
    return _seal_batch(tenant_id, limit, wait=False)


def seal_chain(tenant_id: UUID | None) -> int:
    """Seal everything that was committed in this chain when called, waiting for another sealer; the number sealed."""
    sealed = 0
    while batch := _seal_batch(tenant_id, BATCH, wait=True):
        sealed += batch
    return sealed


def unsealed_age(now: datetime) -> timedelta:
    """The time for which the oldest event of the installation has been waiting for its link; zero without one. For
    readiness."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST)
        (oldest,) = cursor.fetchone()
    return timedelta(0) if oldest is None else max(now - oldest, timedelta(0))


@transaction.atomic(durable=True)
def _seal_batch(tenant_id: UUID | None, limit: int, *, wait: bool) -> int:
    if not lock_chain(tenant_id, wait=wait):
        return 0
    condition, parameters = of_chain(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_PENDING.format(tenant=condition), [*parameters, limit])
        events = cursor.fetchall()
        if not events:
            return 0
        head = _head(tenant_id)
        previous, hashes = [head.event_hash], []
        for sequence, (_, digest) in enumerate(events, head.sequence + 1):
            hashes.append(event_hash(previous[-1], sequence, bytes(digest)))
            previous.append(hashes[-1])
        ids = [event_id for event_id, _ in events]
        sequences = [head.sequence + 1 + position for position in range(len(events))]
        cursor.execute(_APPEND, [tenant_id, ids, sequences, previous[:-1], hashes])
        cursor.execute("DELETE FROM audit_auditpending WHERE event_id = ANY(%s)", [ids])
    return len(events)


def lock_chain(tenant_id: UUID | None, *, wait: bool) -> bool:
    """One sealer at a time for each chain, until the end of the transaction. What follows sees all it committed."""
    return take_lock(f"stella.audit-chain {tenant_id}", wait=wait)


def _head(tenant_id: UUID | None) -> Head:
    condition, parameters = of_chain(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_HEAD.format(tenant=condition), parameters)
        row = cursor.fetchone()
    return Head(0, GENESIS) if row is None else Head(row[0], bytes(row[1]))


def of_chain(tenant_id: UUID | None) -> tuple[str, list[UUID]]:
    """The SQL condition on tenant_id, with its parameters; the system chain is that of no tenant."""
    return ("tenant_id IS NULL", []) if tenant_id is None else ("tenant_id = %s", [tenant_id])
