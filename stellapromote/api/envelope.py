"""The envelope of every answer of the API that is not 2xx (contract.md, errors). Pure."""

from typing import Any

from stellapromote.clock import SYSTEM_CLOCK, rfc3339
from stellapromote.errors import Invalid, ProductError


def envelope(error: ProductError, request_id: str | None) -> dict[str, Any]:
    """The body of the answer, now."""
    said: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        said["details"] = error.details
    if isinstance(error, Invalid) and error.fields:
        said["validationErrors"] = [
            {"field": field.field, "message": field.message, "code": field.code} for field in error.fields
        ]
    return {
        "success": False,
        "error": said,
        "meta": {"requestId": request_id, "timestamp": rfc3339(SYSTEM_CLOCK.now())},
    }


def retry_after(error: ProductError) -> dict[str, str]:
    """The header for what passes by itself: seconds to wait."""
    return {"Retry-After": str(error.retry_after)} if error.status in (429, 503) else {}
