"""Refusals of what Django never sees: the envelope of errors for programs, a page that needs no other for people."""

from html import escape
from typing import Final

import orjson

from stellapromote.api.envelope import envelope, retry_after
from stellapromote.errors import ProductError
from stellapromote.front.lane import Answer
from stellapromote.front.protocol import Headers, Scope
from stellapromote.web.request_id import HEADER, request_id_from
from stellapromote.web.security_headers import CONTENT_SECURITY_POLICY
from stellapromote.web.traceparent import HEADER as TRACEPARENT
from stellapromote.web.traceparent import traceparent_from

_TITLES: Final = {
    400: "This cannot be read",
    408: "This took too long to arrive",
    413: "This is too large",
    500: "This failed on our side",
    503: "Not available now",
}
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{title} · StellaPromote</title>
  </head>
  <body>
    <main id="main">
      <h1>{title}</h1>
      <p>{message}</p>
      <p><a href="/">To the pipeline</a></p>
      <p>{status} {code}, request {request_id}</p>
    </main>
  </body>
</html>
"""


def headers_of(scope: Scope, media_type: str) -> Headers:
    """The headers of every answer of the product, with the id of the request last."""
    traceparent = traceparent_from(scope.headers.get(TRACEPARENT))
    return [
        ("Content-Type", media_type),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        *([] if traceparent is None else [(TRACEPARENT, traceparent)]),
        (HEADER, request_id_from(scope.headers.get(HEADER.lower()))),
    ]


def refusal(error: ProductError, scope: Scope) -> Answer:
    """The connection ends with it: what is left of the body is not read."""
    is_api = scope.path.startswith("/api/") or scope.path in ("/readyz", "/metrics")
    headers = headers_of(scope, "application/json" if is_api else "text/html; charset=utf-8")
    request_id = headers[-1][1]
    if is_api:
        content = orjson.dumps(envelope(error, request_id))
    else:
        page = {"title": _TITLES[error.status], "message": escape(error.message), "status": error.status}
        content = _PAGE.format(**page, code=error.code, request_id=request_id).encode()
    return Answer(error.status, [*headers, ("Connection", "close"), *retry_after(error).items()], content)
