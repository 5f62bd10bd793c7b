"""Answers for htmx: fragments, toasts, redirects, polling that is silent when nothing changed (ui.md, Behaviour)."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from stellapromote.web.words import TONE_ICONS, Tone


def htmx_of(request: HttpRequest) -> HtmxDetails | None:
    """The htmx part of the request: false without htmx, None before its middleware."""
    return getattr(request, "htmx", None)


def is_background(request: HttpRequest) -> bool:
    """Whether the page asks by itself, and no person: app.js marks its polls."""
    return request.headers.get("X-Background") == "poll"


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asked for a part of the page; a restored history entry and a boosted link want the whole page."""
    htmx = htmx_of(request)
    return bool(htmx and not htmx.boosted and not htmx.history_restore_request)


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    fragment: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, or only its named partial when htmx asks for a part."""
    name = f"{template}#{fragment}" if fragment and wants_fragment(request) else template
    return render(request, name, context, status=status)


def go_to(request: HttpRequest, url: str, *, done: str = "") -> HttpResponse:
    """Sends the browser to another page, from a plain form and from htmx alike; `done` says there what was done.

    `url` is ours, never input.
    """
    if done:
        messages.success(request, done)
    return HttpResponseClientRedirect(url) if wants_fragment(request) else redirect(url)


def toast(request: HttpRequest, message: str, *, tone: Tone = "stop", status: int = 200) -> HttpResponse:
    """A message in the corner, announced to assistive technology; the page under it stays as it is."""
    context = {"message": message, "tone": tone, "icon": TONE_ICONS[tone]}
    response = render(request, "components/_toast.html", context, status=status)
    response["HX-Retarget"] = "#toasts"
    response["HX-Reswap"] = "beforeend"
    response["HX-Reselect"] = ".callout"
    return response


class _Polled(HttpRequest):
    """A request of Django's whose template shows the tag."""

    poll_tag: str


def poll_tag(request: HttpRequest, version: str) -> str:
    """The ETag of a polled part that shows `version`, also for its template: `data-poll="{{ request.poll_tag }}"`.

    app.js sends it back, because signed-in answers are never stored by the browser. The tag differs per person and
    tenant: two people never share an answer.
    """
    actor = getattr(request, "actor", None)
    seen = f"{actor.user_id}:{actor.tenant_id}:{version}" if actor else version
    tag = f'"{sha256(seen.encode()).hexdigest()[:32]}"'
    cast("_Polled", request).poll_tag = tag
    return tag


def poll(request: HttpRequest, version: str, respond: Callable[[], HttpResponse]) -> HttpResponse:
    """Answers 304 while `version` (everything the fragment shows, as text) is what the page already has."""
    etag = poll_tag(request, version)
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = respond()
    response["ETag"] = etag
    return response
