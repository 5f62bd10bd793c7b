"""The middleware of every request. Order in settings: RequestId, Route, ClientAddress, SecurityHeaders, Host, Django's
security, TokenCalls (calls by token end there), the rest of Django's and those of whitenoise, allauth and htmx, then
NoNul, LoginRequired, Actor, KeptForm (kept_forms.py), ProductError."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware as DjangoLoginRequired
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render, resolve_url
from django.urls import get_resolver, reverse
from structlog.contextvars import bound_contextvars

from stellapromote.accounts.actor_lookup import TenantChoice, actor_for_session
from stellapromote.accounts.request import Request
from stellapromote.accounts.sign_in import sign_in_of
from stellapromote.audit.refusals import note_refused_request
from stellapromote.errors import ProductError, UnknownHost
from stellapromote.web.access import View, needs_login, needs_tenant
from stellapromote.web.client_address import client_address
from stellapromote.web.htmx import go_to, htmx_of, is_background, wants_fragment
from stellapromote.web.kept_forms import kept_form, sign_in_with
from stellapromote.web.refusals import error_response, refusal_response, wrong_method_response
from stellapromote.web.request_id import HEADER, request_id_from
from stellapromote.web.request_route import ROUTE
from stellapromote.web.security_headers import CONTENT_SECURITY_POLICY
from stellapromote.web.traceparent import HEADER as TRACEPARENT
from stellapromote.web.traceparent import trace_logged, traceparent_from

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Key of the active tenant's slug in the session.
TENANT_SESSION_KEY = "tenant"


def is_api(request: HttpRequest) -> bool:
    """Whether the request belongs to the API, which translates refusals and knows its callers by itself."""
    return request.path.startswith("/api/")


class RequestIdMiddleware:
    """Gives every request an id: `request.request_id`, the log context, and the header of every answer; takes the trace
    of the caller to the same places."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponseBase:
        request_id = request_id_from(request.META.get("HTTP_X_REQUEST_ID"))
        request.request_id = request_id
        request.traceparent = traceparent = traceparent_from(request.META.get("HTTP_TRACEPARENT"))
        with bound_contextvars(request_id=request_id, **trace_logged(traceparent)):
            response = self.get_response(request)
        response[HEADER] = request_id
        if traceparent is not None:
            response[TRACEPARENT] = traceparent
        return response


class RouteMiddleware:
    """Leaves the route of the view in the WSGI environment, where the front counts by it (docs/adr/0243)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.resolver_match is not None:
            request.META[ROUTE] = request.resolver_match.route
        return response


class ClientAddressMiddleware:
    """Sets `request.client_address`; forwarding headers count only from settings.TRUSTED_PROXIES."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponseBase:
        request.client_address = client_address(
            request.META.get("REMOTE_ADDR", ""),
            request.META.get("HTTP_X_FORWARDED_FOR", ""),
            settings.TRUSTED_PROXIES,
        )
        return self.get_response(request)


class SecurityHeadersMiddleware:
    """The headers of ui.md on every answer, beside those that Django's SecurityMiddleware sets."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        # A request with credentials gets nothing that a cache may keep, except our static files; for others a view may
        # allow it.
        if "Cache-Control" not in response or (
            not request.path.startswith(settings.STATIC_URL) and _has_credentials(request)
        ):
            response["Cache-Control"] = "no-store"
        return response


def _has_credentials(request: HttpRequest) -> bool:
    return "HTTP_AUTHORIZATION" in request.META or settings.SESSION_COOKIE_NAME in request.COOKIES


class HostMiddleware:
    """400 for a Host that is none of settings.ALLOWED_HOSTS."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
        except DisallowedHost:
            refuse: Callable[..., HttpResponseBase] = get_resolver().resolve_error_handler(400)
            return refuse(request, exception=UnknownHost())
        return self.get_response(request)


class SessionMiddleware(DjangoSessionMiddleware):
    """As Django's, and tells the session of a request that nobody asked for: it is no use of the session."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.session.in_background = is_background(request)  # type: ignore[attr-defined]


class NoNulMiddleware:
    """A NUL in the address of a page is a bad request: PostgreSQL has no text with one, nor has any address of ours."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_api(request) and ("\x00" in request.path or "%00" in request.META.get("QUERY_STRING", "")):
            return error_response(request, 400)
        return self.get_response(request)


class LoginRequiredMiddleware(DjangoLoginRequired):
    """Login by default: a view without the mark `public` needs a signed-in person. DRF marks its views itself and
    authenticates them. htmx is sent to the sign-in page as a whole, not into the fragment. A form that was posted after
    the session timed out is kept on the sign-in page (kept_forms)."""

    def handle_no_permission(self, request: HttpRequest, view_func: View) -> Any:  # noqa: ARG002
        if not wants_fragment(request):
            kept = kept_form(request)
            if kept is not None:
                return sign_in_with(request, kept)
            return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL), "next")
        htmx = htmx_of(request)
        back = (htmx and htmx.current_url_abs_path) or "/"
        return go_to(request, f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}")


class ActorMiddleware:
    """Sets `request.actor` for pages: the signed-in person in the session's active tenant, judged at every request.

    Without a membership the page says so (403), also where the session was ended in the tenant; with several and none
    chosen it asks which one. API calls keep None: their authentication sets it.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponseBase:
        request.actor = None
        return self.get_response(request)

    def process_view(
        self,
        request: Request,
        view_func: View,
        view_args: Any,  # noqa: ARG002
        view_kwargs: Any,  # noqa: ARG002
    ) -> HttpResponse | None:
        if is_api(request) or not needs_login(view_func):
            return None
        choice = find_actor(request)
        if choice.actor is not None or not needs_tenant(view_func):
            return None
        if choice.several:
            back = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
            return go_to(request, f"{reverse('choose_tenant')}?{back}")
        if choice.ended:
            return _ended_session(request)
        return render(request, "errors/no_tenant.html", status=403)


def find_actor(request: Request) -> TenantChoice:
    """Looks up the actor of the session, sets `request.actor`, and forgets an active tenant the person has left."""
    if not request.user.is_authenticated:
        return TenantChoice(None, several=False)
    chosen = request.session.get(TENANT_SESSION_KEY)
    choice = _lookup(request, chosen)
    if choice.actor is None and chosen is not None and not choice.ended:
        del request.session[TENANT_SESSION_KEY]
        choice = _lookup(request, None)
    request.actor = choice.actor
    return choice


def _ended_session(request: Request) -> HttpResponse:
    """A part of a page is not shown alone: the whole page says what happened."""
    if wants_fragment(request):
        htmx = htmx_of(request)
        return go_to(request, (htmx and htmx.current_url_abs_path) or "/")
    return render(request, "errors/session_ended.html", status=403)


def _lookup(request: Request, tenant_slug: str | None) -> TenantChoice:
    assert request.user.pk is not None
    return actor_for_session(
        request.user.pk,
        tenant_slug,
        sign_in=sign_in_of(request),
        address=request.client_address,
        request_id=request.request_id,
    )


class ProductErrorMiddleware:
    """Turns the refusals that no page shows (acting.carry_out) into pages of their own (architecture.md, How a change
    happens); the API has its own."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED and not is_api(request):
            return wrong_method_response(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if is_api(request) or not isinstance(exception, ProductError):
            return None
        note_refused_request(request, exception.code)
        return refusal_response(request, exception)
