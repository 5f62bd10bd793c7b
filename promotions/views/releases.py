from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from promotions import queries
from promotions.actions.releases import (
    ReleaseSpec,
    archive_release,
    create_release,
    deprecate_release,
    finalize_release,
)
from promotions.evidence_forms import DocumentForm
from promotions.evidence_page import evidence_of
from promotions.forms import ReasonForm, ReleaseForm
from promotions.models import Release
from promotions.release_list import promotable, release_page, releases_of
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_READ, EVIDENCE_WRITE, PROMOTION_REQUEST, RELEASE_READ, RELEASE_WRITE
from stellapromote.audit.refusals import note_refused_request
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting

SHOWN_PROMOTIONS = 20


@require_http_methods(["GET", "HEAD", "POST"])
def releases(request: HttpRequest) -> HttpResponse:
    """Releases, newest first; POST creates one and finalizes it when asked."""
    by = acting(request)
    by.require(RELEASE_READ)
    form = ReleaseForm(request.POST if request.method == "POST" else None)
    refusal = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        spec = ReleaseSpec(
            typed["name"], typed["product"], description=typed["description"], components=typed["components"]
        )
        try:
            made = create_release(spec, by=by, finalize="finalize" in request.POST)
        except ProductError as error:
            note_refused_request(request, error.code)
            refusal = error
        else:
            return redirect("release", made.pk)
    context = {
        "form": form,
        "refusal": refusal,
        "may_write": by.has(RELEASE_WRITE),
        **release_page(request, by, releases_of(by)),
    }
    status = refusal.status if refusal is not None else 400 if form.errors else 200
    return render(request, "releases/releases.html", context, status=status)


@require_safe
def release(request: HttpRequest, release_id: UUID) -> HttpResponse:
    """Components, source, where it runs, and its promotions."""
    by = acting(request)
    by.require(RELEASE_READ)
    return show_release(request, release_id, by)


@require_POST
def finalize(request: HttpRequest, release_id: UUID) -> HttpResponse:
    return _act(request, release_id, lambda by: finalize_release(release_id, by=by), _("The release is finalized."))


@require_POST
def deprecate(request: HttpRequest, release_id: UUID) -> HttpResponse:
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return show_release(request, release_id, acting(request), status=400, reason_form=form)
    return _act(
        request,
        release_id,
        lambda by: deprecate_release(release_id, by=by, reason=form.cleaned_data["reason"]),
        _("The release is deprecated; open promotions of it are rejected when they are judged again."),
    )


@require_POST
def archive(request: HttpRequest, release_id: UUID) -> HttpResponse:
    return _act(request, release_id, lambda by: archive_release(release_id, by=by), _("The release is archived."))


def _act(request: HttpRequest, release_id: UUID, act: Callable[[Actor], Release], done: str) -> HttpResponse:
    by = acting(request)
    try:
        act(by)
    except ProductError as refusal:
        note_refused_request(request, refusal.code)
        return show_release(request, release_id, by, status=refusal.status, refusal=refusal)
    messages.success(request, done)
    return redirect("release", release_id)


def show_release(request: HttpRequest, release_id: UUID, by: Actor, *, status: int = 200, **extra: Any) -> HttpResponse:
    """The page, with what a refused form leaves to be shown on it."""
    found = queries.release_of(by.tenant, release_id)
    components = queries.components_of(found.pk)
    context = {
        "release": found,
        "components": components,
        "evidence": evidence_of(by.tenant, components) if by.has(EVIDENCE_READ) else [],
        "document_form": DocumentForm(components=components),
        "may_upload": by.has(EVIDENCE_WRITE) and any(each["digest"] for each in components),
        "deployments": queries.deployments_of(found),
        "rows": queries.rows_of(queries.promotions_of(by.tenant).filter(release=found))[:SHOWN_PROMOTIONS],
        "reason_form": ReasonForm(),
        "may_write": by.has(RELEASE_WRITE),
        "may_request": by.has(PROMOTION_REQUEST) and promotable(by).filter(pk=found.pk).exists(),
        **extra,
    }
    return render(request, "releases/release.html", context, status=status)
