"""The installation's signing keys: P-256, kept as PEM PKCS#8 in a 0600 file or given as text (domain.md §8, keys)."""

import base64
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from stellapromote.signing.canonical_json import digest_bytes
from stellapromote.signing.signatures import sign

_BEGIN, _END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
_COORDINATE = 32


class KeyRefused(ValueError):
    """A key or key file that must not be used; the message says why and what to do, and never shows the key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the id that its public half is found by."""

    key_id: str
    private_key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def public_key(self) -> EllipticCurvePublicKey:
        return self.private_key.public_key()

    def sign(self, payload: bytes) -> bytes:
        """The signature over the payload, in DER with low s."""
        return sign(self.private_key, payload)


def key_id(public_key: EllipticCurvePublicKey) -> str:
    """`sha256:…` over the DER of the SubjectPublicKeyInfo: every holder of the key can compute it."""
    return digest_bytes(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def from_pem(text: str) -> SigningKey:
    """The key in a PEM text. KeyRefused unless it is exactly one unencrypted PKCS#8 private key on P-256."""
    text = text.strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END) and text.count("-----BEGIN") == 1):
        raise KeyRefused(
            "the signing key is not one unencrypted PKCS#8 key in PEM: "
            "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
        )
    try:
        private_key = load_pem_private_key(text.encode("ascii"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyRefused("the signing key looks like PEM but cannot be read: check that it is complete") from None
    if not isinstance(private_key, EllipticCurvePrivateKey) or not isinstance(private_key.curve, SECP256R1):
        raise KeyRefused("the signing key is not on the curve P-256: make a P-256 key")
    return SigningKey(key_id(private_key.public_key()), private_key)


def public_key_from_pem(text: str) -> EllipticCurvePublicKey:
    """The public key in a PEM text, as for retired keys. KeyRefused unless it is one P-256 key."""
    try:
        public_key = load_pem_public_key(text.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused("the public key is not a SubjectPublicKeyInfo in PEM") from None
    if not isinstance(public_key, EllipticCurvePublicKey) or not isinstance(public_key.curve, SECP256R1):
        raise KeyRefused("the public key is not on the curve P-256")
    return public_key


def load_or_create(path: Path) -> SigningKey:
    """The key in the file, made on first use; of several processes starting at once all get the key of the first.

    A new file has mode 0600 and is on disk, complete, before this returns. KeyRefused when the file may be read or
    written by group or others, is no regular file, or holds something else than from_pem takes; OSError when it cannot
    be read or made.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        _create(path)
        return _load(path)


def public_pem(public_key: EllipticCurvePublicKey) -> str:
    """The public key as SubjectPublicKeyInfo in PEM."""
    return public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def public_jwk(public_key: EllipticCurvePublicKey) -> dict[str, str]:
    """The public key as a JSON Web Key (RFC 7517, 7518 §6.2), with our key id as kid.

    Without `alg`: JOSE has no name for signatures in DER.
    """
    numbers = public_key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _coordinate(numbers.x),
        "y": _coordinate(numbers.y),
        "use": "sig",
        "kid": key_id(public_key),
    }


def _coordinate(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(_COORDINATE, "big")).rstrip(b"=").decode("ascii")


def _load(path: Path) -> SigningKey:
    # Not blocking, or a FIFO in the place of the file would stop the start for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # Asked of the open file, not of the path: the file judged is the file read.
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise KeyRefused(f"the signing key {path} is not a regular file")
        if mode & 0o077:
            raise KeyRefused(
                f"the signing key {path} may be read or written by others (mode {stat.S_IMODE(mode):04o}): "
                "make a new key if somebody could have read it, else `chmod 600` it"
            )
        with os.fdopen(descriptor, encoding="ascii", errors="replace", closefd=False) as file:
            text = file.read()
    finally:
        os.close(descriptor)
    try:
        return from_pem(text)
    except KeyRefused as refused:
        raise KeyRefused(f"{path}: {refused}") from None


def _create(path: Path) -> None:
    """Put a new key there unless one is there by now. Written aside, then linked: no reader ever sees half a key."""
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        Path(aside).unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
