"""Handlers for what Django itself refuses. The root URLconf sends /api/ paths to the API's handlers instead."""

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from stellapromote.web.middleware import find_actor
from stellapromote.web.refusals import error_response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, 403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """An unknown path has no view, so nobody has looked up the actor yet: the page's frame wants it."""
    if hasattr(request, "user") and getattr(request, "actor", None) is None:
        find_actor(request)
    return error_response(request, 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    message = _("This form is too old or did not come from this page, so nothing was sent.")
    step = _("Go back, load the page again, and send it once more. Cookies of this site must be allowed.")
    return error_response(request, 403, message=message, next_step=step, code="PERM_CSRF")


def server_error(request: HttpRequest) -> HttpResponse:
    """Uses nothing that may be what failed: no database, no session, no context processors."""
    request_id = getattr(request, "request_id", "")
    return HttpResponseServerError(render_to_string("errors/500.html", {"request_id": request_id}))
