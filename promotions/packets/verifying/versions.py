"""How packets and envelopes of each version are signed (domain.md §8): what was signed once verifies for ever."""

from typing import Final, NamedTuple

from promotions.packets.packet import (
    CAPSULE_PREDICATE_TYPE,
    HUMAN_DECISION_PREDICATE_TYPE,
    PACKET_VERSION,
    PAYLOAD_TYPE,
    SIGNATURE_ALGORITHM,
)
from promotions.packets.verifying.stored import Kind
from stellapromote.signing.dsse import Verify
from stellapromote.signing.signatures import verify_der, verify_es256


class PacketForm(NamedTuple):
    """`signatureAlgorithm` of one version, what verifies it, and whether it holds the digest of its record."""

    algorithm: str
    verify: Verify
    names_record: bool = True


class EnvelopeForm(NamedTuple):
    """The verifier of the signatures of one payload type, the subject of each of its predicate types, and whether a
    capsule holds the digest of its record."""

    verify: Verify
    kinds: dict[str, Kind]
    names_record: bool = True


PACKETS: Final = {
    "1.0": PacketForm("ES256", verify_es256, names_record=False),
    PACKET_VERSION: PacketForm(SIGNATURE_ALGORITHM, verify_der),
}

ENVELOPES: Final = {
    "application/vnd.stellaops.promotion-capsule+json": EnvelopeForm(
        verify_es256, {"stella.ops/promotionCapsule@v1": "capsule"}, names_record=False
    ),
    "application/vnd.stellaops.human-decision+json": EnvelopeForm(
        verify_es256, {"stella.ops/humanDecision@v1": "humanDecision"}, names_record=False
    ),
    PAYLOAD_TYPE: EnvelopeForm(
        verify_der, {CAPSULE_PREDICATE_TYPE: "capsule", HUMAN_DECISION_PREDICATE_TYPE: "humanDecision"}
    ),
}
