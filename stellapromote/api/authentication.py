"""The caller of a call (contract.md, auth, tokens and tenant): a bearer token, or the browser's session with its CSRF
token.

A call that sends an Authorization header is judged by it alone. Each way costs one SQL statement, the session its own.
"""

import hmac
import logging
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.actor_lookup import TokenRow, actor_for_session, actor_for_token
from stellapromote.accounts.models import User
from stellapromote.accounts.sign_in import sign_in_of
from stellapromote.accounts.token_format import parse, secret_digest
from stellapromote.errors import ProductError, Refused

if TYPE_CHECKING:
    from stellapromote.api.requests import ApiRequest

logger = logging.getLogger(__name__)

LAST_USE_GRANULARITY = timedelta(minutes=1)
_NO_DIGEST = bytes(32)
_LONGEST_HEADER = 4096


class NotAuthenticated(ProductError):
    """401; answered with `WWW-Authenticate: Bearer`."""

    families = ("AUTH_",)
    code = "AUTH_TOKEN_MISSING"


class TenantRequired(Refused):
    code = "PERM_TENANT_REQUIRED"


class CsrfRefused(Refused):
    code = "PERM_CSRF"


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer spt_…`. Only a caller with the right secret gets EXPIRED or REVOKED."""

    def authenticate(self, request: Any) -> tuple[Any, Actor] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        row = _judge(request, header)
        actor = row.actor
        if actor is None:
            raise TenantRequired(
                "The token's owner is no active member of its tenant any more; a service needs an owner who is one."
            )
        named = request.META.get("HTTP_X_STELLA_TENANT")
        if named is not None and named != actor.tenant_slug:
            raise TenantRequired(
                f"This token belongs to the tenant {actor.tenant_slug}, not to the one the header names."
            )
        user = SimpleLazyObject(partial(User.objects.get, pk=actor.user_id))
        return user, actor

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _judge(request: "ApiRequest", header: str) -> TokenRow:
    scheme, _, credentials = header.partition(" ")
    parsed = parse(credentials.strip()) if scheme.lower() == "bearer" and len(header) <= _LONGEST_HEADER else None
    if parsed is None:
        raise NotAuthenticated(code="AUTH_TOKEN_INVALID")
    public_id, secret = parsed
    row = actor_for_token(public_id, address=request.client_address, request_id=request.request_id, ahead=request.ahead)
    known = hmac.compare_digest(secret_digest(secret), row.secret_digest if row else _NO_DIGEST)
    if row is None or not known:
        raise NotAuthenticated(code="AUTH_TOKEN_INVALID")
    if row.revoked_at is not None:
        raise NotAuthenticated(code="AUTH_TOKEN_REVOKED")
    if row.expires_at <= row.at:
        raise NotAuthenticated(code="AUTH_TOKEN_EXPIRED")
    if row.last_used_at is None or row.at - row.last_used_at >= LAST_USE_GRANULARITY:
        request.used_token = (row.token_id, row.at)
    return row


class SessionAuthentication(BaseAuthentication):
    """The signed-in browser. Unsafe methods need the CSRF token; who belongs to several tenants names one by header."""

    def authenticate(self, request: Any) -> tuple[Any, Actor] | None:
        http = request._request
        if settings.SESSION_COOKIE_NAME not in http.COOKIES:
            return None
        user = getattr(http, "user", None)
        if user is None or not user.is_authenticated:
            return None
        _enforce_csrf(http)
        choice = actor_for_session(
            user.pk,
            request.META.get("HTTP_X_STELLA_TENANT"),
            sign_in=sign_in_of(http),
            address=request.client_address,
            request_id=request.request_id,
        )
        if choice.ended:
            raise NotAuthenticated(code="AUTH_SESSION_ENDED")
        if choice.actor is None:
            raise TenantRequired()
        return user, choice.actor


def _enforce_csrf(http: HttpRequest) -> None:
    check = CSRFCheck(_not_called)
    check.process_request(http)
    reason = check.process_view(http, _not_called, (), {})
    if reason:
        raise CsrfRefused(f"{reason} Load the page again, or call with a bearer token.")


def _not_called(request: HttpRequest) -> HttpResponse:
    """The view that Django's check wants to stand before; only the check is used, and nothing is called."""
    raise AssertionError(request.path)


def note_use(token_id: UUID, at: datetime) -> None:
    """Writes the token's last use, after the answer was made and outside of its transaction (contract.md, tokens).

    Never waits, since the caller would with it: while another request writes the same row, this one leaves it to that,
    and the commit waits for no disk and no standby. Never fails the request.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE accounts_apitoken SET last_used_at = %s WHERE id = ("
                " SELECT id FROM accounts_apitoken WHERE id = %s AND (last_used_at IS NULL OR last_used_at <= %s)"
                " FOR UPDATE SKIP LOCKED) AND set_config('synchronous_commit', 'off', true) = 'off'",
                [at, token_id, at - LAST_USE_GRANULARITY],
            )
    except Exception:
        logger.exception("The last use of token %s could not be written", token_id)


def request_id_of(request: Any) -> str | None:
    """The id that RequestIdMiddleware gave; None where no middleware ran."""
    return getattr(request, "request_id", None)
