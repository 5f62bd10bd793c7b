"""Handlers for what Django itself refuses. The root URLconf sends /api/ paths to the API's handlers instead."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from stellapromote.accounts.request import Request
from stellapromote.errors import ProductError, UnknownHost
from stellapromote.web.middleware import find_actor
from stellapromote.web.refusals import error_response, keep_out_of_log, refusal_response


def bad_request(request: HttpRequest, refusal: ProductError) -> HttpResponse:
    if isinstance(refusal, UnknownHost):
        return error_response(request, 400, message=refusal.message, next_step="")
    return refusal_response(request, refusal)


def permission_denied(request: HttpRequest, refusal: ProductError) -> HttpResponse:
    return error_response(request, 403)


def page_not_found(request: Request, refusal: ProductError) -> HttpResponse:
    """An unknown path has no view, so the actor is not looked up yet, and the page's frame needs one."""
    if hasattr(request, "user") and getattr(request, "actor", None) is None:
        find_actor(request)
    return error_response(request, 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    message = "This form is too old or did not come from this page, so nothing was sent."
    step = "Go back, load the page again, and send it once more. Cookies of this site must be allowed."
    return error_response(request, 403, message=message, next_step=step, code="PERM_CSRF")


def server_error(request: HttpRequest) -> HttpResponse:
    title = "This failed on our side"
    said = (
        "Nothing was changed. Load the page again; if it repeats, tell the people who run this installation the "
        "request below."
    )
    return _by_itself(request, 500, "SYS_INTERNAL", title, said)


def unavailable(request: HttpRequest, reason: str) -> HttpResponse:
    """While the database cannot serve the page; ``reason`` is a sentence."""
    response = _by_itself(request, 503, "SYS_UNAVAILABLE", "Not available now", reason)
    response["Retry-After"] = "5"
    keep_out_of_log(response)
    return response


def _by_itself(request: HttpRequest, status: int, code: str, title: str, said: str) -> HttpResponse:
    """Uses nothing that may be what failed: no database, no session, no context processors."""
    shown = {"title": title, "said": said, "status": status, "code": code}
    request_id = getattr(request, "request_id", "")
    return HttpResponse(render_to_string("errors/failure.html", {**shown, "request_id": request_id}), status=status)
