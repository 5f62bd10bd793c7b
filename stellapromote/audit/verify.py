"""Verification of a whole chain, from its first link to what is recorded now (domain.md §9)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Q

from stellapromote.audit.chain import Break, Broken, Head, Link, follow
from stellapromote.audit.event_digest import event_digest, plain_address
from stellapromote.audit.models import AuditLink
from stellapromote.audit.sealer import of_chain, seal_chain
from stellapromote.clock import rfc3339, whole_milliseconds
from stellapromote.signing.canonical_json import CanonicalJsonError

PAGE = 2000
_LAST_ID = UUID(int=2**128 - 1)

_COLUMNS = (
    "timestamp", "actor_type", "actor_name", "action", "resource", "resource_id", "request_id", "salt", "event_digest",
    "actor_ip", "id", "tenant_id", "actor_id", "environment_id", "release_id", "promotion_id",
    "before", "after", "metadata",
)  # fmt: skip
_IDENTIFIERS = _COLUMNS[10:16]
_DOCUMENTS = _COLUMNS[16:]

# A time beyond the years that can be read is none: no event was recorded like that.
_TIME = "CASE WHEN event.timestamp BETWEEN '0001-01-02Z' AND '9999-12-31Z' THEN event.timestamp END"

# The database allows each sequence number once; a chain forked by other means shows both of its links here.
_LINKS = f"""
SELECT link.event_id, link.sequence, link.previous_event_hash, link.event_hash,
       {_TIME}, {", ".join(f"event.{column}" for column in _COLUMNS[1:])}
FROM audit_auditlink link LEFT JOIN audit_auditevent event ON event.id = link.event_id
WHERE link.{{tenant}} AND link.sequence >= %s AND (link.sequence > %s OR link.event_id > %s)
ORDER BY link.tenant_id, link.sequence, link.event_id LIMIT %s
"""  # noqa: S608 - only the constants above are put in

# An event that neither has a link nor waits for one was taken out of audit_pending by other hands than the sealer's. A
# link of another chain, or one that no walk meets, is none.
_LOST = """
SELECT event.id FROM audit_auditevent event
WHERE event.{tenant}
  AND NOT EXISTS (SELECT FROM audit_auditlink link
                  WHERE link.event_id = event.id AND link.{tenant} AND link.sequence >= 1)
  AND NOT EXISTS (SELECT FROM audit_auditpending pending WHERE pending.event_id = event.id AND pending.{tenant})
ORDER BY event.timestamp, event.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result: `checked` links hold, `head` is the last of them; `broken` is None for a sound chain."""

    checked: int
    head: Head
    broken: Broken | None

    @property
    def intact(self) -> bool:
        return self.broken is None

    @property
    def head_hash(self) -> str | None:
        """`sha256:` + hex of the last link that holds; None for an empty chain."""
        return f"sha256:{self.head.event_hash.hex()}" if self.head.sequence else None


def verify_tenant(tenant_id: UUID | None, on_progress: Callable[[int], None] | None = None) -> VerifyResult:
    """Seals the recorded events, then follows the chain (None: the system chain) and every event in it, to the first
    break.

    Reads 2000 links at a time; `on_progress` gets the number checked after each. Changes nothing but the seal. Must be
    called outside a transaction.
    """
    seal_chain(tenant_id)
    head, last_event = Head(), UUID(int=0)
    while rows := _page(tenant_id, head.sequence, last_event, PAGE):
        head, broken = follow(head, (_link(tenant_id, row) for row in rows))
        if broken is not None:
            return VerifyResult(head.sequence, head, broken)
        last_event = rows[-1][0]
        if on_progress is not None:
            on_progress(head.sequence)
    return VerifyResult(head.sequence, head, lost_event(tenant_id, head))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some links after a head: the last of them, the first break among them if any, and the promotions whose events
    they hold. ``ended``: there are no more."""

    head: Head
    broken: Broken | None
    promotions: frozenset[UUID]
    ended: bool


def verify_stretch(tenant_id: UUID | None, head: Head, most: int) -> Stretch:
    """Walks up to ``most`` links of the chain after one that was verified before. Seals nothing.

    After a break it goes on from the last link that was read, so that what comes later is verified, too. Where the
    chain does not have ``head`` any more, that is the break.
    """
    if head.sequence and not _has(tenant_id, head):
        message = f"The chain does not hold link {head.sequence} as it was verified before: it was cut or rewritten."
        return Stretch(Head(), Broken(head.sequence, Break.HEAD_DIFFERENT, message), frozenset(), ended=False)
    rows = _page(tenant_id, head.sequence, _LAST_ID, most)
    reached, broken = follow(head, (_link(tenant_id, row) for row in rows))
    if broken is not None:
        reached = Head(rows[-1][1], bytes(rows[-1][3]))
    promotion = 4 + _COLUMNS.index("promotion_id")
    return Stretch(reached, broken, frozenset(row[promotion] for row in rows) - {None}, ended=len(rows) < most)


def _has(tenant_id: UUID | None, head: Head) -> bool:
    links = AuditLink.objects.filter(Q(tenant_id=tenant_id), sequence=head.sequence)
    return [bytes(each) for each in links.values_list("event_hash", flat=True)] == [head.event_hash]


def _page(tenant_id: UUID | None, sequence: int, event_id: UUID, most: int) -> list[tuple[Any, ...]]:
    condition, parameters = of_chain(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_LINKS.format(tenant=condition), [*parameters, sequence, sequence, event_id, most])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _link(tenant_id: UUID | None, row: tuple[Any, ...]) -> Link:
    _, sequence, previous, own, *event = row
    facts = dict(zip(_COLUMNS, event, strict=True))
    is_there = facts["id"] is not None
    return Link(
        sequence=sequence,
        previous_event_hash=bytes(previous),
        event_hash=bytes(own),
        stored_digest=bytes(facts["event_digest"]) if is_there else None,
        computed_digest=_computed_digest(tenant_id, facts) if is_there else None,
    )


def _computed_digest(tenant_id: UUID | None, facts: dict[str, Any]) -> bytes:
    """The digest of the event as it stands now; empty, which no digest is, for what was never recorded like that."""
    at = facts["timestamp"]
    if facts["tenant_id"] != tenant_id or at is None or at != whole_milliseconds(at):
        return b""
    facts["timestamp"] = rfc3339(at)
    for column in _IDENTIFIERS:
        facts[column] = facts[column] and str(facts[column])
    try:
        facts["actor_ip"] = facts["actor_ip"] and plain_address(facts["actor_ip"])
        for column in _DOCUMENTS:
            facts[column] = facts[column] and orjson.loads(facts[column])
        return event_digest(facts, bytes(facts["salt"]))
    except (CanonicalJsonError, TypeError, ValueError):
        return b""


def lost_event(tenant_id: UUID | None, head: Head) -> Broken | None:
    """The first event that no walk along the chain meets. One statement over every event of the chain."""
    condition, parameters = of_chain(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_LOST.format(tenant=condition), [*parameters, *parameters, *parameters])
        row = cursor.fetchone()
    if row is None:
        return None
    return Broken(head.sequence + 1, Break.MISSING_LINK, f"Event {row[0]} has no link and does not wait for one.")
