"""DSSE envelopes (Dead Simple Signing Envelope v1.0) with ECDSA signatures on P-256 (domain.md §8)."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from stellapromote.signing.keyring import SigningKey
from stellapromote.signing.signatures import verify_der

Verify = Callable[[EllipticCurvePublicKey, bytes, bytes], bool]

_STANDARD_ALPHABET = str.maketrans("-_", "+/")


class EnvelopeRejected(ValueError):
    """The envelope proves nothing; the message says why."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding, which is what gets signed. Lengths count bytes, not characters."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(payload_type: str, payload: bytes, signer: SigningKey) -> dict[str, Any]:
    """The payload in an envelope with one signature, ready to be written as JSON."""
    return {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": signer.key_id, "sig": base64.b64encode(signer.sign(pae(payload_type, payload))).decode("ascii")}
        ],
    }


def verify_envelope(
    envelope: Mapping[str, Any], public_keys: Mapping[str, EllipticCurvePublicKey], verify: Verify = verify_der
) -> bytes:
    """The payload, if a known key signed it with this payload type and no signature in a known key's name is wrong.

    `public_keys` is by key id; `verify` is for the one encoding that signatures may have. Signatures of other keys are
    passed over; alone, they prove nothing. The type is authentic when this returns, but whether it is the expected one
    is for the caller to compare. EnvelopeRejected for everything else, for an envelope of any shape.
    """
    try:
        payload_type, payload = envelope["payloadType"], _decoded(envelope["payload"])
        signed = pae(payload_type, payload)
        signatures = [
            (entry["keyid"], _decoded(entry["sig"]))
            for entry in envelope["signatures"]
            if entry.get("keyid") in public_keys
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise EnvelopeRejected("this is not a DSSE envelope: a part is missing or unreadable") from None
    if not signatures:
        raise EnvelopeRejected("no signature of the envelope is by a known key")
    for key_id, signature in signatures:
        if not verify(public_keys[key_id], signed, signature):
            raise EnvelopeRejected(f"the signature by {key_id} does not fit the payload and its type")
    return payload


def _decoded(text: str) -> bytes:
    """DSSE lets writers choose between the standard and the URL-safe alphabet. ValueError for bits that say nothing."""
    standard = text.translate(_STANDARD_ALPHABET)
    decoded = base64.b64decode(standard, validate=True)
    if base64.b64encode(decoded).decode("ascii") != standard:
        raise ValueError("not canonical base64")
    return decoded
