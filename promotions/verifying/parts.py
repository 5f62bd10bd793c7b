"""Parts of a document that somebody sent, whatever they are."""

from datetime import datetime
from typing import Any

from stellapromote.clock import parse_rfc3339


def instant(value: Any) -> datetime | None:
    try:
        return parse_rfc3339(value)
    except (TypeError, ValueError):
        return None


def text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) else None
