"""ECDSA on P-256 with SHA-256 (domain.md §8): signed as DER with low s, verified also as raw r‖s (ES256)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_HALF = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA_SHA256 = ECDSA(SHA256())


def sign(private_key: EllipticCurvePrivateKey, payload: bytes) -> bytes:
    """The signature over the payload in DER with low s, at most 71 bytes, different at each call.

    ValueError for a key that is not on P-256.
    """
    if not isinstance(private_key.curve, SECP256R1):
        raise ValueError(f"signing needs a key on P-256, this one is on {private_key.curve.name}")
    signature = private_key.sign(payload, _ECDSA_SHA256)
    r, s = decode_dss_signature(signature)
    return signature if s <= _ORDER // 2 else encode_dss_signature(r, _ORDER - s)


def verify_der(public_key: EllipticCurvePublicKey, payload: bytes, signature: bytes) -> bool:
    """Whether the key made this signature over exactly these bytes, in DER with low s.

    False for any other form or curve: of one signature there is one writing, so no bit of it changes unseen.
    """
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return False
    if s > _ORDER // 2 or encode_dss_signature(r, s) != signature:
        return False
    return _verifies(public_key, payload, signature)


def verify_es256(public_key: EllipticCurvePublicKey, payload: bytes, signature: bytes) -> bool:
    """Whether the key made this signature over exactly these bytes, as raw r‖s of 64 bytes (packets of version 1.0).

    False for any other length, form or curve.
    """
    if len(signature) != 2 * _HALF:
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    return _verifies(public_key, payload, encode_dss_signature(r, s))


def _verifies(public_key: EllipticCurvePublicKey, payload: bytes, der: bytes) -> bool:
    if not isinstance(public_key.curve, SECP256R1):
        return False
    try:
        public_key.verify(der, payload, _ECDSA_SHA256)
    except InvalidSignature:
        return False
    return True
