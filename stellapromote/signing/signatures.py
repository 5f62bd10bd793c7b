"""ES256: ECDSA on P-256 with SHA-256; signatures are raw r‖s, 64 bytes, as in JWS and DSSE, not DER (domain.md §8)."""

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
_ECDSA_SHA256 = ECDSA(SHA256())


def sign_es256(private_key: EllipticCurvePrivateKey, payload: bytes) -> bytes:
    """The signature over the payload, 64 bytes, different at each call. ValueError for a key that is not on P-256."""
    if not isinstance(private_key.curve, SECP256R1):
        raise ValueError(f"ES256 signs with P-256 keys only, this one is on {private_key.curve.name}")
    r, s = decode_dss_signature(private_key.sign(payload, _ECDSA_SHA256))
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def verify_es256(public_key: EllipticCurvePublicKey, payload: bytes, signature: bytes) -> bool:
    """Whether the key made this signature over exactly these bytes. False for any other length, form or curve."""
    if len(signature) != 2 * _HALF or not isinstance(public_key.curve, SECP256R1):
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), payload, _ECDSA_SHA256)
    except InvalidSignature:
        return False
    return True
