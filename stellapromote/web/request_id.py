"""The id of a request (contract.md: taken from X-Request-Id if sane, else made; in every answer and log line)."""

import re
from uuid import uuid4

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,127}")


def request_id_from(header: str | None) -> str:
    """The caller's id when it is 8 to 128 plain characters, else a new one."""
    if header is not None and _SANE.fullmatch(header):
        return header
    return uuid4().hex
