"""The trace to which the caller says that a request belongs (contract.md, trace): the header traceparent,
where it is valid, is in the answer again, and its trace id in the log lines of the request. None is made."""

import re
from typing import Final

HEADER: Final = "traceparent"
_LENGTH: Final = 55
_TRACE_ID: Final = slice(3, 35)
_IDS: Final = "-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_VALID: Final = re.compile(f"00{_IDS}|(?!00|ff)[0-9a-f]{{2}}{_IDS}(?:-.*)?")


def traceparent_from(header: str | None) -> str | None:
    """In version 00; None where the header is not valid. Of later versions the parts of version 00 count."""
    if header is None or not _VALID.fullmatch(header):
        return None
    return f"00{header[2:_LENGTH]}"


def trace_logged(traceparent: str | None) -> dict[str, str]:
    """For each log line of the request."""
    return {} if traceparent is None else {"trace_id": traceparent[_TRACE_ID]}
