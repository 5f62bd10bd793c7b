"""Refusals as pages and toasts that say what to do next."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from stellapromote.errors import Invalid, ProductError
from stellapromote.web.htmx import toast, wants_fragment


@dataclass(frozen=True, slots=True)
class Heading:
    title: Promise | str
    next_step: Promise | str


HEADINGS: dict[int, Heading] = {
    400: Heading(_("This cannot be used"), _("Go back, correct what is named here, and send it again.")),
    403: Heading(_("You may not do this"), _("If you should, ask an administrator of your tenant.")),
    404: Heading(
        _("There is nothing here"),
        _("It may belong to another tenant, or the address may be mistyped. Look for it from the pipeline."),
    ),
    405: Heading(_("Not this way"), _("Go back and use the buttons of the page.")),
    409: Heading(_("Something stands against it"), _("Load the page again: it shows how things are now.")),
    412: Heading(_("It changed while you looked"), _("Load the page again, see what changed, then decide.")),
    422: Heading(_("A rule does not allow this"), _("Nothing was changed.")),
    429: Heading(_("Too fast"), _("Wait a moment, then try again.")),
    500: Heading(_("This failed on our side"), _("Nothing was changed. Try again.")),
    503: Heading(_("Not available now"), _("Try again shortly.")),
}


def refusal_response(request: HttpRequest, error: ProductError) -> HttpResponse:
    """The page, or for htmx the toast, for a refusal; status and code are those of the API."""
    fields = error.fields if isinstance(error, Invalid) else []
    return error_response(request, error.status, message=error.message, code=error.code, fields=fields)


def error_response(request: HttpRequest, status: int, *, message: Any = "", **context: Any) -> HttpResponse:
    """An error page with the heading of its status; for htmx a toast with the message or the heading."""
    heading = HEADINGS.get(status) or HEADINGS[400 if status < 500 else 500]
    if wants_fragment(request):
        return toast(request, str(message or heading.title), status=status)
    # Refusals of a right say themselves whom to ask.
    context.setdefault("next_step", "" if status == 403 and message else heading.next_step)
    context.update(status=status, title=heading.title, message=message, back=back_address(request) or "/")
    return render(request, "errors/error.html", context, status=status)


def wrong_method_response(request: HttpRequest, refused: HttpResponseBase) -> HttpResponse:
    """What a person gets for a 405: opening the address of an act leads to its page, anything else is said in words.

    The address of a form's target stays in the address bar after it was posted: it is reloaded, kept and sent around.
    """
    if request.method in ("GET", "HEAD") and not wants_fragment(request):
        return redirect(page_above(request.path))
    response = error_response(request, refused.status_code)
    response["Allow"] = refused["Allow"]
    return response


def page_above(path: str) -> str:
    """The nearest address above that leads anywhere; the pipeline when none does."""
    parts = path.strip("/").split("/")
    for length in range(len(parts) - 1, 0, -1):
        above = "/" + "/".join(parts[:length])
        try:
            resolve(above)
        except Resolver404:
            continue
        return above
    return "/"


def back_address(request: HttpRequest) -> str | None:
    """The page the person came from, when it is one of ours and not this one."""
    referrer = request.headers.get("Referer", "")
    try:
        host = request.get_host()
    except DisallowedHost:  # this may be the very refusal that is shown
        return None
    if not url_has_allowed_host_and_scheme(referrer, {host}, require_https=request.is_secure()):
        return None
    parts = urlsplit(referrer)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if not path.startswith("/") or path.startswith("//"):  # a second slash would name another host
        return None
    return None if path == request.get_full_path() and request.method == "GET" else path
