"""The short way of a call by token: to its view at once, past everything that only pages and sessions need."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.urls import ResolverMatch, resolve

API = "/api/v1/"

_fixed: dict[str, ResolverMatch] = {}


def _match(path: str) -> ResolverMatch:
    """The view of a path. Paths without parameters are few and looked up once."""
    found = _fixed.get(path)
    if found is None:
        found = resolve(path)
        if found.route == path.removeprefix("/"):
            _fixed[path] = found
    return found


class TokenCallsMiddleware:
    """Calls the view of an API request that carries an Authorization header; every other request goes on as usual.

    Such a call is judged by its header alone (api.md, tokens), so no session, CSRF token, message or htmx header has a
    say in it, and the API's views turn whatever goes wrong into their own answers. What must hold for every answer
    stands before this middleware; the others cost a list call a third of its time (docs/adr/0070).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "HTTP_AUTHORIZATION" not in request.META or not request.path_info.startswith(API):
            return self.get_response(request)
        request.get_host()  # refuses a host that is not ours
        request.actor = None  # type: ignore[attr-defined]
        match = request.resolver_match = _match(request.path_info)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
        return response
