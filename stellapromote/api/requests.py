"""The request that handlers see, and what its headers must say before its body is read."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

from stellapromote.accounts import request as caller
from stellapromote.accounts.actor import Actor
from stellapromote.api.authentication import SessionAuthentication, TokenAuthentication
from stellapromote.api.parsing import BodyTooLarge, StrictJsonParser
from stellapromote.api.rates import Allowance
from stellapromote.api.rendering import MEDIA_TYPE
from stellapromote.errors import Invalid
from stellapromote.fastpath.prepared import Ahead

AUTHENTICATIONS = (TokenAuthentication(), SessionAuthentication())
_PARSERS = (StrictJsonParser(),)
_MOST_PARAMETERS = 1000


class ApiRequest(Request):
    """DRF's request with the caller. `user` is fetched only when it is looked at; actions take `actor`."""

    _request: caller.Request
    actor: Actor
    method: str
    used_token: tuple[UUID, datetime] | None = None
    #: What the action reads first, sent with the statement that finds the token.
    ahead: Ahead | None = None
    allowance: Allowance | None = None

    def __init__(self, http: HttpRequest) -> None:
        super().__init__(http, parsers=_PARSERS, authenticators=AUTHENTICATIONS, negotiator=_NEGOTIATOR)
        # Set here because DRF looks every other attribute up by failing first.
        self.method = http.method or ""
        self.META = http.META
        self.path = http.path
        self.request_id = getattr(http, "request_id", None)
        self.client_address = getattr(http, "client_address", None)

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The query string's parameters with all their values, as Django's QueryDict reads them, at a third of its
        cost. BodyTooLarge (413) for more than `_MOST_PARAMETERS`."""
        text = self.META.get("QUERY_STRING", "")
        if not text.isascii():
            raw = text.encode("latin-1")
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                text = raw.decode("latin-1")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise BodyTooLarge(f"This call takes at most {_MOST_PARAMETERS} query parameters.") from None
        found: dict[str, list[str]] = {}
        for name, value in pairs:
            found.setdefault(name, []).append(value)
        return found


class _JsonOnly:
    """DRF's tools ask for a negotiator; there is one parser and one renderer."""

    def select_parser(self, request: Request, parsers: Sequence[Any]) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Sequence[Any], format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


_NEGOTIATOR: Any = _JsonOnly()


def check_media_type(header: str) -> None:
    """415 unless Content-Type is JSON in UTF-8."""
    kind, _, parameters = header.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != MEDIA_TYPE or charset not in ("", "utf-8"):
        raise Invalid(code="VAL_UNSUPPORTED_MEDIA_TYPE")


def check_accept(header: str, media_type: str) -> None:
    """406 when Accept names neither the media type nor its family. There is one form, so quality values say nothing."""
    if header == "*/*" or header == media_type or not header.strip():
        return
    named = {entry.partition(";")[0].strip().lower() for entry in header.split(",")}
    if not named & {"*/*", media_type, media_type.partition("/")[0] + "/*"}:
        raise Invalid(code="VAL_NOT_ACCEPTABLE")
