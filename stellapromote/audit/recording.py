"""Writes audit events, in the transaction of their change (domain.md §9).

Use: `from stellapromote.audit.recording import Entry, record, record_many`. Several events of one action go through
`record_many`: one INSERT for all of them. A trigger notes each event for the sealer.
"""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from stellapromote.accounts.actor import Actor
from stellapromote.audit.event_digest import SALT_BYTES, event_digest, plain_address
from stellapromote.audit.events import Audited
from stellapromote.clock import rfc3339
from stellapromote.fastpath.prepared import perform
from stellapromote.ids import new_id
from stellapromote.recorded_rows import ROWS, RecordedRow, changes_of

IDENTIFIERS = ("id", "tenant_id", "actor_id", "resource_id", "environment_id", "release_id", "promotion_id")
ACTOR_TYPES = {"person": "user", "service": "service", "system": "system"}

# One parameter, written by orjson, costs a third of nineteen for each event (docs/adr/0030).
_INSERT = """
INSERT INTO audit_auditevent (id, timestamp, tenant_id, actor_type, actor_id, actor_name, actor_ip, action, resource,
    resource_id, environment_id, release_id, promotion_id, before, after, metadata, request_id, salt, event_digest)
SELECT * FROM json_to_recordset(%s) AS event (id uuid, timestamp timestamptz, tenant_id uuid, actor_type text,
    actor_id uuid, actor_name text, actor_ip inet, action text, resource text, resource_id text, environment_id uuid,
    release_id uuid, promotion_id uuid, before jsonb, after jsonb, metadata jsonb, request_id text, salt bytea,
    event_digest bytea)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event to be. It belongs to the chain of the actor's tenant; without one, to the system chain.

    `before`, `after` and `metadata` are JSON without NaN, infinities or numbers beyond ±(2^53 - 1) and hold no secrets;
    `metadata` and `resource_id` hold no personal data either, for they stand in the chain unsalted. `rows` are those
    that the change made or changed, `gone` those that it deleted, as they were read.
    """

    by: Actor
    at: datetime
    action: Audited
    resource: str
    resource_id: str | UUID = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    environment_id: UUID | None = None
    release_id: UUID | None = None
    promotion_id: UUID | None = None
    rows: Collection[RecordedRow] = ()
    gone: Collection[RecordedRow] = ()


def record(
    *,
    by: Actor,
    at: datetime,
    action: Audited,
    resource: str,
    resource_id: str | UUID = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    environment_id: UUID | None = None,
    release_id: UUID | None = None,
    promotion_id: UUID | None = None,
    rows: Collection[RecordedRow] = (),
    gone: Collection[RecordedRow] = (),
) -> UUID:
    """Write one event and return its id. The fields are Entry's."""
    entry = Entry(
        by=by,
        at=at,
        action=action,
        resource=resource,
        resource_id=resource_id,
        before=before,
        after=after,
        metadata=metadata,
        environment_id=environment_id,
        release_id=release_id,
        promotion_id=promotion_id,
        rows=rows,
        gone=gone,
    )
    return record_many([entry])[0]


def record_many(entries: Iterable[Entry]) -> list[UUID]:
    """Write the events with one INSERT and return their ids, in order. Nothing to write is no statement.

    Raises CanonicalJsonError for values that are not canonical JSON, ValueError for a time without a zone.
    """
    identified = [(new_id(), entry) for entry in entries]
    if identified:
        perform(*insertion(identified))
    return [identifier for identifier, _ in identified]


def insertion(identified: Iterable[tuple[UUID, Entry]]) -> tuple[str, list[Any]]:
    """The INSERT of events under these ids and its values, to be sent together with their change."""
    events = list(identified)
    salts = os.urandom(SALT_BYTES * len(events))
    rows = [
        _row(identifier, entry, salts[begin : begin + SALT_BYTES])
        for begin, (identifier, entry) in zip(range(0, len(salts), SALT_BYTES), events, strict=True)
    ]
    return _INSERT, [orjson.dumps(rows).decode()]


def _row(identifier: UUID, entry: Entry, salt: bytes) -> dict[str, Any]:
    by = entry.by
    row: dict[str, Any] = {
        "id": identifier,
        "timestamp": rfc3339(entry.at),
        "tenant_id": by.tenant_id,
        "actor_type": ACTOR_TYPES[by.kind],
        "actor_id": by.user_id,
        "actor_name": by.display_name if by.user_id is None else f"{by.display_name} ({by.username})",
        "actor_ip": plain_address(by.address) if by.address else None,
        "action": entry.action,
        "resource": entry.resource,
        "resource_id": entry.resource_id,
        "environment_id": entry.environment_id,
        "release_id": entry.release_id,
        "promotion_id": entry.promotion_id,
        "before": entry.before,
        "after": entry.after,
        "metadata": _with_authentication(by, _with_rows(entry)),
        "request_id": by.request_id or "",
    }
    for field in IDENTIFIERS:
        if row[field] is not None:
            row[field] = str(row[field])
    row["event_digest"] = "\\x" + event_digest(row, salt).hex()
    row["salt"] = "\\x" + salt.hex()
    return row


def _with_rows(entry: Entry) -> dict[str, Any]:
    metadata = entry.metadata or {}
    return {**metadata, ROWS: changes_of(entry.rows, entry.gone)} if entry.rows or entry.gone else metadata


def _with_authentication(by: Actor, metadata: dict[str, Any]) -> dict[str, Any]:
    """The sign-in of the actor, with token and issuer: a token is no person (domain.md §5, machines launder nothing).

    The event of a confirmed proposal names the proposal and the second person.
    """
    if by.second is not None:
        second = None if by.second.user_id is None else str(by.second.user_id)
        metadata = {**metadata, "proposalId": str(by.second.proposal_id), "confirmedBy": second}
    if by.second_factor:
        metadata = {**metadata, "secondFactor": True}
    if by.token_id is None:
        return {**metadata, "authMethod": by.auth_method}
    issuer = None if by.token_issuer_id is None else str(by.token_issuer_id)
    return {**metadata, "authMethod": by.auth_method, "tokenId": str(by.token_id), "tokenIssuerId": issuer}
