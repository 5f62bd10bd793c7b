"""The audit chains of a tenant and of the system, compared with the heads that evidence packets signed (domain.md §9).

A chain that was cut or rewritten as a whole holds in itself. Each packet names the last link before it under a
signature, so a change of links before the newest packet is found with nothing but the database and the public keys.
It names the last link of the system's chain, too: by its hash alone, since a number would tell of other tenants.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from promotions.packets.verifying import KnownKey, known_keys
from promotions.packets.verifying.audit_head import SignedHead, UnreadableHead, head_of, system_head_of
from promotions.packets.verifying.packet import signature_fits
from stellapromote.audit import heads
from stellapromote.audit.chain import Break, Broken
from stellapromote.audit.verify import VerifyResult, verify_tenant

PAGE: Final = 500

_PACKETS = """
SELECT p.number, e.id, e.document FROM promotions_promotion p JOIN promotions_evidencepacket e ON e.promotion_id = p.id
WHERE p.tenant_id = %s AND p.number >= %s AND (p.number > %s OR e.id > %s) ORDER BY p.number, e.id LIMIT %s
"""
_LINKS = "SELECT sequence, event_hash FROM audit_auditlink WHERE tenant_id = %s AND sequence = ANY(%s)"

Page = list[tuple[int, UUID, bytes]]


def verify_log(tenant_id: UUID | None, on_progress: Callable[[int], None] | None = None) -> VerifyResult:
    """As `verify_tenant`, then compares with the chain the heads that the system's chain names and those that packets
    signed, and the system's chain with those; the first break.

    Reads 500 packets at a time, with their links in two statements; `on_progress` hears of each page how far the chain
    was checked. Must be called outside a transaction.
    """
    result = verify_tenant(tenant_id, on_progress)
    if not result.intact or tenant_id is None:
        return result
    keys, broken = known_keys(), heads.lost_head(tenant_id)
    for page in _pages(tenant_id):
        found = breaks_of(tenant_id, [(packet_id, document) for _, packet_id, document in page], keys)
        broken = _first(found if broken is None else [broken, *found])
        if on_progress is not None:
            on_progress(result.checked)
    return replace(result, broken=broken)


def breaks_of(tenant_id: UUID, packets: Iterable[tuple[UUID, bytes]], keys: Mapping[str, KnownKey]) -> list[Broken]:
    """The heads that these packets signed and the chains do not hold; of the system's chain the first. Two
    statements."""
    own: list[tuple[UUID, SignedHead]] = []
    of_system: list[tuple[UUID, bytes]] = []
    found: list[Broken] = []
    for packet_id, document in packets:
        try:
            content = _signed_content(document, keys)
            head, system_head = head_of(content), system_head_of(content)
        except UnreadableHead:
            message = f"The head that packet {packet_id} was signed over is not known: its signature does not fit."
            found.append(Broken(0, Break.HEAD_UNSIGNED, message))
            continue
        if head is not None:
            own.append((packet_id, head))
        if system_head is not None:
            of_system.append((packet_id, system_head))
    links = _links(tenant_id, {head.sequence for _, head in own})
    held = heads.of_system({head for _, head in of_system})
    found += [broken for packet_id, head in own if (broken := _judge(packet_id, head, links)) is not None]
    found += [_not_of_system(packet_id) for packet_id, head in of_system if head not in held][:1]
    return found


def _first(found: list[Broken]) -> Broken | None:
    """The break at the lowest known number, else one without; last one that says nothing about a chain."""
    return min(
        found, key=lambda each: (each.reason is Break.HEAD_UNSIGNED, not each.sequence, each.sequence), default=None
    )


def _judge(packet_id: UUID, head: SignedHead, links: Mapping[int, bytes]) -> Broken | None:
    link = links.get(head.sequence)
    if link == head.event_hash:
        return None
    if link is None:
        message = f"The chain has no link {head.sequence}, over which packet {packet_id} was signed: it was cut."
        return Broken(head.sequence, Break.HEAD_MISSING, message)
    message = f"Link {head.sequence} is not the one over which packet {packet_id} was signed: the chain was rewritten."
    return Broken(head.sequence, Break.HEAD_DIFFERENT, message)


def _not_of_system(packet_id: UUID) -> Broken:
    message = f"The system's chain lacks the link over which packet {packet_id} was signed: it was cut or rewritten."
    return Broken(0, Break.SYSTEM_HEAD_MISSING, message)


def _signed_content(document: bytes, keys: Mapping[str, KnownKey]) -> Any:
    try:
        packet: Any = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise UnreadableHead from None
    if not isinstance(packet, dict) or not signature_fits(packet, keys):
        raise UnreadableHead
    return packet.get("content")


def _pages(tenant_id: UUID) -> Iterator[Page]:
    number, packet_id = 0, UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PACKETS, [tenant_id, number, number, packet_id, PAGE])
            page: Page = [(at, packet, bytes(document)) for at, packet, document in cursor.fetchall()]
        if not page:
            return
        number, packet_id, _ = page[-1]
        yield page


def _links(tenant_id: UUID, sequences: set[int]) -> dict[int, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(_LINKS, [tenant_id, sorted(sequences)])
        return {sequence: bytes(event_hash) for sequence, event_hash in cursor.fetchall()}
