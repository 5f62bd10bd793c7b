"""How the API writes JSON: one function, one renderer, one response class. Presenters bring camelCase names."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

from stellapromote.clock import rfc3339

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_STRICT_INTEGER
MEDIA_TYPE = "application/json"


def dumps(data: Any) -> bytes:
    """UTF-8 JSON; datetimes as RFC 3339 UTC with milliseconds and `Z`. Embed stored JSON as `orjson.Fragment(bytes)`.

    TypeError for what has no one true form on the wire: Decimal, sets, dates and times of day, integers beyond
    ±(2^53-1), keys that are not text. ValueError for a datetime without a zone.
    """
    return orjson.dumps(data, default=_default, option=_OPTIONS)


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON here")


class JsonRenderer(BaseRenderer):
    """For DRF's own Response; the product's views answer with ApiResponse, which is rendered at once."""

    media_type = MEDIA_TYPE
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else dumps(data)


class ApiResponse(HttpResponse):
    """JSON that is rendered at once, so that an idempotent answer is stored in the transaction that made it.

    `etag` is a strong tag in its quotes (`etag.strong(version)`). `secret=True` marks an answer that carries a secret:
    it is never stored for replay. `data` is anything `dumps` takes; bytes are taken as JSON that is rendered already.
    """

    # Django's, who keep both from their types: what is called when the answer is sent, whether its log leaves it out.
    _resource_closers: list[Callable[[], object]]
    _has_been_logged: bool

    def __init__(
        self,
        data: Any,
        status: int = 200,
        *,
        etag: str | None = None,
        headers: Mapping[str, str] | None = None,
        secret: bool = False,
        content_type: str = MEDIA_TYPE,
    ) -> None:
        content = data if isinstance(data, bytes) else dumps(data)
        super().__init__(content, content_type=content_type, status=status, headers=dict(headers) if headers else None)
        self.secret = secret
        if etag is not None:
            self.headers["ETag"] = etag
