"""The product's addresses plus pages that do one thing each: refuse, fail, show who acts."""

from django import forms
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import include, path
from django.utils.html import escape
from rest_framework.response import Response
from rest_framework.views import APIView

from stellapromote.errors import Conflict, FieldError, Invalid, ProductError, Refused, RuleViolation
from stellapromote.urls import handler400, handler403, handler404, handler500
from stellapromote.web import htmx
from stellapromote.web.access import public, tenant_not_required
from stellapromote.web.acting import carry_out
from stellapromote.web.forms import ActionForm, posted
from stellapromote.web.views.styleguide import styleguide

__all__ = ["handler400", "handler403", "handler404", "handler500"]


class NameTaken(Conflict):
    about = "name"


class PlaceTaken(Conflict):
    about = "orderIndex"


REFUSALS = {
    "invalid": Invalid("The name is too long.", fields=[FieldError("name", "At most 20 characters.", "too_long")]),
    "refused": Refused("This needs the right policy:write."),
    "conflict": Conflict("Somebody else moved it."),
    "changed": Conflict("What you saw has changed.", code="RES_SUBJECT_CHANGED"),
    "rule": RuleViolation("Deploy it into staging first.", code="PROM_SEQUENCE_VIOLATION"),
    "unread": Conflict(code="RES_PRECONDITION_FAILED"),
    "busy": ProductError("Another one is read: try again.", code="SYS_UNAVAILABLE"),
    "whole": Invalid("Nothing of this can be read."),
    "taken": NameTaken("There is one of that name."),
    "place-taken": PlaceTaken("There is one at that place."),
    "places": Invalid(fields=[FieldError("expiresAt", "Too late.", "range"), FieldError("config.a", "No.", "invalid")]),
    "hidden": Invalid(fields=[FieldError("subjectDigest", "Say what you saw.", "required")]),
}
DJANGO_REFUSALS = {"404": Http404, "403": PermissionDenied, "400": BadRequest, "500": RuntimeError}


def whoami(request: HttpRequest) -> JsonResponse:
    actor = request.actor  # type: ignore[attr-defined]
    return JsonResponse(
        {
            "username": actor and actor.username,
            "tenant": actor and actor.tenant_slug,
            "address": request.client_address,  # type: ignore[attr-defined]
            "requestId": actor and actor.request_id,
        }
    )


@public
def refuse(request: HttpRequest, kind: str) -> HttpResponse:
    raise REFUSALS[kind]


@public
def fail(request: HttpRequest, kind: str) -> HttpResponse:
    raise DJANGO_REFUSALS[kind]


class ThingForm(ActionForm):
    called = {"expiresAt": "hours"}
    main_field = "file"

    name = forms.CharField()
    hours = forms.IntegerField(required=False)
    file = forms.CharField(required=False)
    subject_digest = forms.CharField(required=False, widget=forms.HiddenInput)


THING = """{% load ui %}{% refusal_summary refusal %}{% error_summary form %}
  {% for bound in form %}{% field bound %}{% endfor %}"""


def thing(request: HttpRequest, kind: str) -> HttpResponse:
    """A page whose action is refused, or done. `?secret`: the person may not see the page either."""
    form = ThingForm(posted(request))

    def act() -> str:
        if kind in REFUSALS:
            raise REFUSALS[kind]
        return str(form.cleaned_data["name"])

    def page(refusal: ProductError | None) -> HttpResponse:
        if "secret" in request.GET:
            raise Refused("You may not see this page.")
        return HttpResponse(engines["django"].from_string(THING).render({"form": form, "refusal": refusal}, request))

    return carry_out(
        request, act, form=form, again=page, then=lambda name: htmx.go_to(request, "/open", done=f"{name} is there.")
    )


def polled(request: HttpRequest) -> HttpResponse:
    return htmx.poll(request, "version 1", lambda: HttpResponse("news"))


BOARD = """{% extends "base.html" %}
{% block content %}
  <h1>Board</h1>
  <div id="board" hx-get="/board/part" hx-trigger="every 100ms" hx-swap="outerHTML" data-poll="{{ request.poll_tag }}">
    <label for="note">Note</label><input id="note"> <b>{{ n }}</b>
    <details><summary>More</summary>All of it</details> <button type="button">Judge</button>
  </div>
  <form method="post" hx-post="/refuse/rule" hx-swap="none"><button type="submit">Refused</button></form>
  <form method="post" hx-post="/fail/500" hx-swap="none"><button type="submit">Failing</button></form>
  <form method="post" hx-post="/board/toast" hx-swap="none"><button type="submit">Well done</button></form>
{% endblock %}"""
PART = """<div id="board" hx-get="/board/part" hx-trigger="every 100ms" hx-swap="outerHTML" data-poll="{tag}"
  data-announce="{n} wait for you"><label for="note">Note</label><input id="note"> <b>{n}</b>
  <details><summary>More</summary>All of it</details> <button type="button">Judge</button></div>"""
waiting = [1]


@public
def board(request: HttpRequest) -> HttpResponse:
    htmx.poll_tag(request, str(waiting[0]))
    return HttpResponse(engines["django"].from_string(BOARD).render({"n": waiting[0]}, request))


@public
def board_part(request: HttpRequest) -> HttpResponse:
    tag = escape(htmx.poll_tag(request, str(waiting[0])))
    return htmx.poll(request, str(waiting[0]), lambda: HttpResponse(PART.format(n=waiting[0], tag=tag)))


@public
def board_toast(request: HttpRequest) -> HttpResponse:
    return htmx.toast(request, "Approved. 2 of 2.", tone="go")


@public
def open_page(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("open")
    response["Cache-Control"] = "public, max-age=60"
    return response


class ApiProbe(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: HttpRequest) -> Response:
        return Response({"actor": request._request.actor})  # type: ignore[attr-defined]


urlpatterns = [
    path("whoami", whoami),
    path("alone", tenant_not_required(whoami)),
    path("refuse/<kind>", refuse),
    path("fail/<kind>", fail),
    path("thing/<kind>", thing),
    path("polled", polled),
    path("open", open_page),
    path("board", board),
    path("board/part", board_part),
    path("board/toast", board_toast),
    path("api/probe", ApiProbe.as_view()),
    path("api/page", whoami),
    path("styleguide", styleguide, name="styleguide"),
    path("", include("stellapromote.urls")),
]
