"""Signatures of DSSE envelopes under uploaded documents, checked against the keys a tenant trusts (issue 3).

As the tools of the field sign: ECDSA on P-256, P-384 or P-521 (raw r‖s or DER), Ed25519, RSA with PSS or PKCS #1, over
the DSSE pre-authentication encoding. The key id in an envelope is an unsigned hint: every trusted key is tried.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from promotions.formats.envelopes import Envelope
from stellapromote.signing.canonical_json import digest_bytes
from stellapromote.signing.dsse import pae

TrustedPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

LEAST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 8192

HASHES: Final[Mapping[str, tuple[HashAlgorithm, ...]]] = MappingProxyType(
    {"secp256r1": (SHA256(),), "secp384r1": (SHA384(), SHA256()), "secp521r1": (SHA512(), SHA256())}
)
"""By curve: its own hash, with which key management services and Sigstore's libraries sign, and SHA-256, with which
cosign signs by a key on any curve."""

_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.AUTO)


class KeyUnusable(ValueError):
    """The PEM text is no public key whose signatures are understood; the message says why."""


class SignatureWrong(ValueError):
    """A signature in the name of a trusted key is not by that key: the document was changed, or never signed."""


def public_key(pem: str) -> TrustedPublicKey:
    """The key in a PEM text. KeyUnusable for anything but one public key on a curve of HASHES, an Ed25519 key or an RSA
    key of 2048 to 8192 bits."""
    text = pem.strip()
    if not text.startswith("-----BEGIN PUBLIC KEY-----") or text.count("-----BEGIN") != 1:
        raise KeyUnusable("Give one public key in PEM that begins with -----BEGIN PUBLIC KEY-----.")
    try:
        key = load_pem_public_key(text.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusable("This looks like PEM but is no public key that can be read.") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in HASHES:
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        return key
    raise KeyUnusable(
        "Signatures are checked with P-256, P-384, P-521, Ed25519 or RSA keys of 2048 to 8192 bits: this is another."
    )


def algorithm(key: TrustedPublicKey) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA P-{key.curve.key_size}"
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else f"RSA {key.key_size}"


def key_id(key: TrustedPublicKey) -> str:
    """`sha256:…` over the DER of the SubjectPublicKeyInfo, as for the installation's own keys."""
    return digest_bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def signer_of(envelope: Envelope, keys: Mapping[str, TrustedPublicKey]) -> str | None:
    """The id of the trusted key that signed; None when none of them did. SignatureWrong.

    With several trusted signers the least id counts, so that the order of signatures says nothing.
    """
    signed = pae(envelope.payload_type, envelope.payload)
    found = set()
    for named, signature in envelope.signatures:
        if named in keys:
            if not _verifies(keys[named], signed, signature):
                raise SignatureWrong(named)
            found.add(named)
        else:
            found.update(each for each, key in keys.items() if _verifies(key, signed, signature))
    return min(found, default=None)


def _verifies(key: TrustedPublicKey, signed: bytes, signature: bytes) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return any(
            _holds(partial(key.verify, form, signed, ec.ECDSA(each)))
            for form in _forms(key, signature)
            for each in HASHES[key.curve.name]
        )
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _holds(lambda: key.verify(signature, signed))
    return _holds(lambda: key.verify(signature, signed, _PSS, SHA256())) or _holds(
        lambda: key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    )


def _forms(key: ec.EllipticCurvePublicKey, signature: bytes) -> Iterator[bytes]:
    """The DER that a signature is, or that the two numbers are which it may consist of."""
    yield signature
    half = (key.curve.key_size + 7) // 8
    if len(signature) == 2 * half:
        yield encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


def _holds(check: Any) -> bool:
    try:
        check()
    except InvalidSignature:
        return False
    return True
