"""ETag, If-Match and If-None-Match of single resources (contract.md, concurrency; RFC 9110 §13; docs/adr/0156)."""

import re
from functools import lru_cache
from hashlib import blake2b

from django.conf import settings

from stellapromote.errors import Conflict, FieldError, Invalid

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")
_ONE_TAG = re.compile(_TAG)
_LONGEST = 2000


class PreconditionFailed(Conflict):
    """The object is not the one the caller has seen: 412."""

    code = "RES_PRECONDITION_FAILED"


def strong(digest: object) -> str:
    """The strong tag of what has a digest or an id of its own, with its quotes. Of a version that counts: `opaque`."""
    return f'"{digest}"'


def opaque(kind: str, key: object, *state: object) -> str:
    """The strong tag of one state of a row, 128 bits that only this installation can make: who names it has read it.

    Cost: two microseconds.
    """
    said = "\0".join(map(str, (kind, key, *state))).encode()
    return strong(blake2b(said, key=_secret(settings.SECRET_KEY), digest_size=16).hexdigest())


@lru_cache(maxsize=2)
def _secret(secret_key: str) -> bytes:
    return blake2b(secret_key.encode(), person=b"stella.etag/v1", digest_size=32).digest()


class IfMatch:
    """The condition of a write. The action compares under its row lock: `if_match.check(tag_of(row))`.

    ``names_one``: it is exactly one tag. Only that names the state that the caller saw: `*` and a list hold for more
    than one state, of which they cannot have seen all.
    """

    __slots__ = ("checked", "names_one", "tags")

    def __init__(self, header: str) -> None:
        """Invalid (400) for a header that is neither `*` nor a list of entity tags."""
        tags = None if header.strip() == "*" else _parse("If-Match", header)
        self.tags = None if tags is None else frozenset(tags)
        self.names_one = tags is not None and len(tags) == 1
        self.checked = False

    def check(self, *current: str) -> None:
        """PreconditionFailed unless one of the object's present tags is listed. A weak one matches nothing."""
        self.checked = True
        if self.tags is not None and not any(tag in self.tags for tag in current):
            raise PreconditionFailed


def not_modified(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names the tag, compared weakly. An unreadable header counts as not sent."""
    if not header:
        return False
    if header.strip() == "*":
        return True
    if len(header) > _LONGEST or not _TAGS.fullmatch(header):
        return False
    return etag.removeprefix("W/") in (tag.removeprefix("W/") for tag in _ONE_TAG.findall(header))


def _parse(name: str, header: str) -> list[str]:
    if len(header) > _LONGEST or not _TAGS.fullmatch(header):
        message = f"{name} is `*` or a list of entity tags in double quotes, as in its ETag."
        raise Invalid(message, fields=[FieldError(name, message, "invalid")])
    return _ONE_TAG.findall(header)
