"""Secrets that the product needs in clear text later: stored under SECRET_KEY, which the database does not have."""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def sealer(purpose: str) -> MultiFernet:
    """By SECRET_KEY, and by those before it. What one purpose sealed, no other opens."""
    return MultiFernet([Fernet(_key(purpose, key)) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def seal(purpose: str, owner: object, secret: str) -> str:
    """The secret as it is stored: it counts for this owner alone."""
    return sealer(purpose).encrypt(f"{owner} {secret}".encode()).decode()


def unseal(purpose: str, owner: object, sealed: str) -> str | None:
    """None where it was sealed for another owner or purpose, or with a key that is not known any more."""
    try:
        named, _, secret = sealer(purpose).decrypt(sealed.encode()).decode().partition(" ")
    except InvalidToken:
        return None
    return secret if named == str(owner) else None


def _key(purpose: str, secret_key: str) -> bytes:
    derived = HKDF(SHA256(), length=32, salt=None, info=f"stellapromote.{purpose}".encode())
    return urlsafe_b64encode(derived.derive(secret_key.encode()))
