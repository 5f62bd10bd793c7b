"""Refusals as pages and toasts that say what to do next."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme

from stellapromote.errors import CODES, Invalid, ProductError
from stellapromote.web.htmx import toast, wants_fragment


@dataclass(frozen=True, slots=True)
class Heading:
    title: str
    next_step: str


HEADINGS: dict[int, Heading] = {
    400: Heading("This cannot be used", "Go back, correct what is named here, and send it again."),
    403: Heading("You may not do this", "If you should, ask an administrator of your tenant."),
    404: Heading(
        "There is nothing here",
        "It may belong to another tenant, or the address may be mistyped. Look for it from the pipeline.",
    ),
    405: Heading("Not this way", "Go back and use the buttons of the page."),
    409: Heading("Something stands against it", "Load the page again: it shows how things are now."),
    412: Heading("It changed while you looked", "Load the page again, see what changed, then decide."),
    422: Heading("A rule does not allow this", "Nothing was changed."),
    429: Heading("Too fast", "Wait a moment, then try again."),
    500: Heading("This failed on our side", "Nothing was changed. Try again."),
    503: Heading("Not available now", "Try again shortly."),
}


# Sentences for people, for codes whose meaning is written for programs.
FOR_PEOPLE = {
    "RES_PRECONDITION_FAILED": "It changed since you opened it: open it again, see what changed, then decide.",
}


def sentence_of(error: ProductError) -> str:
    """The sentence of the refusal on a page."""
    is_meaning = error.message == CODES[error.code].meaning
    return FOR_PEOPLE.get(error.code, error.message) if is_meaning else error.message


def refusal_response(request: HttpRequest, error: ProductError) -> HttpResponse:
    """The page, or for htmx the toast, for a refusal; status and code are those of the API."""
    fields = error.fields if isinstance(error, Invalid) else []
    response = error_response(request, error.status, message=sentence_of(error), code=error.code, fields=fields)
    return with_retry_after(response, error)


def with_retry_after(response: HttpResponse, error: ProductError | None) -> HttpResponse:
    """The page that shows the refusal, with the header that says when to try again if that helps."""
    if error is not None and error.status in (429, 503):
        response["Retry-After"] = str(error.retry_after)
    return response


def error_response(request: HttpRequest, status: int, *, message: Any = "", **context: Any) -> HttpResponse:
    """An error page with the heading of its status; for htmx a toast with the message or the heading."""
    heading = HEADINGS.get(status) or HEADINGS[400 if status < 500 else 500]
    if wants_fragment(request):
        return toast(request, str(message or heading.title), status=status)
    # Refusals of a right say themselves whom to ask.
    context.setdefault("next_step", "" if status == 403 and message else heading.next_step)
    context.update(status=status, title=heading.title, message=message, back=back_address(request) or "/")
    return render(request, "errors/error.html", context, status=status)


def keep_out_of_log(response: HttpResponseBase) -> None:
    """Django logs nothing of the refusal: what there is to say stands in our log."""
    vars(response)["_has_been_logged"] = True


def wrong_method_response(request: HttpRequest, refused: HttpResponseBase) -> HttpResponse:
    """The answer to a 405 for people: opening the address of an act leads to its page, anything else is a sentence.

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
