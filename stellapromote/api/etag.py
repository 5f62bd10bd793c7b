"""ETag, If-Match and If-None-Match of single resources (api.md, concurrency; RFC 9110 §13)."""

import re

from stellapromote.errors import Conflict, FieldError, Invalid

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")
_ONE_TAG = re.compile(_TAG)
_LONGEST = 2000


class PreconditionFailed(Conflict):
    """The object is not the one the caller has seen: 412."""

    code = "RES_PRECONDITION_FAILED"


def strong(version: object) -> str:
    """The strong tag of a version: `"7"` with its quotes."""
    return f'"{version}"'


class IfMatch:
    """The condition of a write. The action compares under its row lock: `if_match.check(strong(row.version))`."""

    __slots__ = ("checked", "tags")

    def __init__(self, header: str) -> None:
        """Invalid (400) for a header that is neither `*` nor a list of entity tags."""
        self.tags = None if header.strip() == "*" else _parse("If-Match", header)
        self.checked = False

    def check(self, *current: str) -> None:
        """PreconditionFailed unless one of the object's present tags is listed. A weak one matches nothing."""
        self.checked = True
        if self.tags is not None and not any(tag in self.tags for tag in current):
            raise PreconditionFailed(details={"etag": current[0]})


def not_modified(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names the tag, compared weakly. An unreadable header counts as not sent."""
    if not header:
        return False
    if header.strip() == "*":
        return True
    if len(header) > _LONGEST or not _TAGS.fullmatch(header):
        return False
    return etag.removeprefix("W/") in (tag.removeprefix("W/") for tag in _ONE_TAG.findall(header))


def _parse(name: str, header: str) -> frozenset[str]:
    if len(header) > _LONGEST or not _TAGS.fullmatch(header):
        message = f'{name} is `*` or a list of entity tags in double quotes, such as "7".'
        raise Invalid(message, fields=[FieldError(name, message, "invalid")])
    return frozenset(_ONE_TAG.findall(header))
