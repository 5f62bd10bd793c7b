"""The form of an API token (contract.md, tokens): `spt_`, 16 characters of public id, 43 of secret, 6 of checksum.

All of it is base 62, so that a double click selects the whole token and a secret scanner can find it by
`spt_[0-9A-Za-z]{65}`. The public id finds the row, only the sha256 of the secret is stored, and the checksum lets a
mistyped token be refused without asking the database. Pure: no Django.
"""

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "spt_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PUBLIC_LENGTH = 16
_SECRET_LENGTH = 43  # 43 characters of 62 are 256 bits
_CHECKSUM_LENGTH = 6
_TOKEN = re.compile(
    rf"{PREFIX}([0-9A-Za-z]{{{_PUBLIC_LENGTH}}})([0-9A-Za-z]{{{_SECRET_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})",
    re.ASCII,
)


def generate() -> tuple[str, str, str]:
    """A new token as (public id, secret, text). The text is shown once; keep the public id and the secret's digest."""
    public_id = "".join(secrets.choice(_ALPHABET) for _ in range(_PUBLIC_LENGTH))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return public_id, secret, f"{PREFIX}{public_id}{secret}{_checksum(public_id + secret)}"


def parse(text: str) -> tuple[str, str] | None:
    """(public id, secret) of a token as it was issued; None for anything else. Says nothing about its validity."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    public_id, secret, checksum = match.groups()
    if _checksum(public_id + secret) != checksum:
        return None
    return public_id, secret


def secret_digest(secret: str) -> bytes:
    """The sha256 that is stored. A plain hash is enough: the secret has 256 random bits and cannot be guessed."""
    return hashlib.sha256(secret.encode("ascii")).digest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode("ascii"))
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
