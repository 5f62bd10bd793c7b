"""The short way of a call by token: to its view at once, past everything that only pages and sessions need."""

import re
from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, resolve

from stellapromote.accounts.request import Request

API = "/api/v1/"

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PLACE_OF_ID = re.compile(r"<uuid:(\w+)>")

_known: dict[str, tuple[ResolverMatch, list[str]]] = {}


def match(path: str) -> ResolverMatch:
    """As Django's `resolve`, which tries one route after the other at each call. Paths that have no parameters but ids
    come in as many forms as there are such routes; each form is looked up once."""
    form, ids = _ID.sub("<id>", path), _ID.findall(path)
    known = _known.get(form)
    if known is None:
        found = resolve(path)
        names = _PLACE_OF_ID.findall(found.route)
        if _PLACE_OF_ID.sub("<id>", f"/{found.route}") == form and len(names) == len(ids):
            _known[form] = found, names
        return found
    found, names = known
    if len(names) != len(ids):
        return resolve(path)
    if not names:
        return found
    kwargs = {**found.kwargs, **dict(zip(names, map(UUID, ids), strict=True))}
    apps: list[str | None] = [*found.app_names]
    spaces: list[str | None] = [*found.namespaces]
    return ResolverMatch(found.func, found.args, kwargs, found.url_name, apps, spaces, found.route)


class TokenCallsMiddleware:
    """Calls the view of an API request that carries an Authorization header; every other request goes on as usual.

    Such a call is judged by its header alone (contract.md, tokens), so no session, CSRF token, message or htmx header
    matters, and the API's views turn every error into their own answers. Middleware that must hold for every answer
    stands before this one; the others cost a list call a third of its time (docs/adr/0133).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponseBase:
        if "HTTP_AUTHORIZATION" not in request.META or not request.path_info.startswith(API):
            return self.get_response(request)
        request.actor = None
        found = request.resolver_match = match(request.path_info)
        response: HttpResponseBase = found.func(request, *found.args, **found.kwargs)
        if isinstance(response, HttpResponse) and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.content))
        return response
