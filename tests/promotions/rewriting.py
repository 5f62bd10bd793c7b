"""Chains of the audit log that a superuser cuts or makes anew, so that they hold in themselves."""

from typing import Any
from uuid import UUID

import orjson

from stellapromote.audit import verify
from stellapromote.audit.chain import GENESIS, event_hash
from stellapromote.audit.sealer import of_chain
from tests.database import CommittedDatabase
from tests.superuser import superuser


def cut(database: CommittedDatabase, tenant_id: UUID | None, keeping: int) -> None:
    """Deletes the events after this one with their links, as a superuser does it who knows the tables."""
    take_out(database, tenant_id, "link.sequence > %s", [keeping])


def take_out(database: CommittedDatabase, tenant_id: UUID | None, which: str, values: Any = ()) -> None:
    """Deletes these events with their links; the links that stay follow each other again."""
    condition, chain = of_chain(tenant_id)
    connection = superuser()
    with connection.transaction():
        gone = connection.execute(
            f"DELETE FROM audit_auditlink link USING audit_auditevent event WHERE event.id = link.event_id"
            f" AND link.{condition} AND {which} RETURNING link.event_id",
            [*chain, *values],
        ).fetchall()
        assert gone
        connection.execute("DELETE FROM audit_auditevent WHERE id = ANY(%s)", [[event for (event,) in gone]])
        _link_anew(connection, tenant_id)


def rewrite(database: CommittedDatabase, tenant_id: UUID | None, change: str, values: Any = ()) -> None:
    """Changes events by this statement and makes every later link fit, as a superuser does it who has this program."""
    connection = superuser()
    with connection.transaction():
        assert connection.execute(change, values).rowcount > 0
        _link_anew(connection, tenant_id)


def _link_anew(connection: Any, tenant_id: UUID | None) -> None:
    condition, chain = of_chain(tenant_id)
    rows = connection.execute(verify._LINKS.format(tenant=condition), [*chain, 0, 0, UUID(int=0), 10_000]).fetchall()
    previous = GENESIS
    for sequence, row in enumerate(rows, 1):
        facts = dict(zip(verify._COLUMNS, row[4:], strict=True))
        for name in verify._DOCUMENTS:
            facts[name] = facts[name] and orjson.dumps(facts[name]).decode()
        digest = verify._computed_digest(tenant_id, facts)
        own = event_hash(previous, sequence, digest)
        connection.execute("UPDATE audit_auditevent SET event_digest = %s WHERE id = %s", [digest, row[0]])
        connection.execute(
            "UPDATE audit_auditlink SET sequence = %s, previous_event_hash = %s, event_hash = %s WHERE event_id = %s",
            [sequence, previous, own, row[0]],
        )
        previous = own
