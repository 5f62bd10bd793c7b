"""A packet as somebody makes it who has the signing key."""

from collections.abc import Callable
from typing import Any

import orjson

from promotions.models import EvidencePacket
from promotions.packets.packet import sign_packet
from promotions.packets.signing_key import load


def signed_again(packet: EvidencePacket, change: Callable[[dict[str, Any]], Any]) -> tuple[bytes, bytes]:
    """Document and envelope with another content, under the same id."""
    content = orjson.loads(bytes(packet.document))["content"]
    change(content)
    signed = sign_packet(
        packet_id=packet.pk,
        packet_type=packet.type,
        tenant_id=packet.tenant_id,
        generated_at=packet.generated_at,
        content=content,
        key=load(),
    )
    return signed.document, signed.envelope
