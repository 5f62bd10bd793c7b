from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from promotions.actions.releases import (
    ReleaseSpec,
    archive_release,
    create_release,
    deprecate_release,
    finalize_release,
)
from promotions.models import Release
from promotions.pages.document_forms import DocumentForm
from promotions.pages.documents import documents_of_components
from promotions.pages.forms import ReasonForm, ReleaseForm
from promotions.pages.releases import promotable_releases, release_page, releases_of
from promotions.reading import queries
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_READ, EVIDENCE_WRITE, PROMOTION_REQUEST, RELEASE_READ, RELEASE_WRITE
from stellapromote.errors import ProductError
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to

SHOWN_PROMOTIONS = 20


@require_http_methods(["GET", "HEAD", "POST"])
def releases(request: HttpRequest) -> HttpResponse:
    """Releases, newest first; POST creates one and finalizes it when asked."""
    by = acting(request)
    by.require(RELEASE_READ)
    form = ReleaseForm(posted(request))

    def act() -> Release:
        typed = form.cleaned_data
        spec = ReleaseSpec(
            typed["name"], typed["product"], description=typed["description"], components=typed["components"]
        )
        return create_release(spec, by=by, finalize="finalize" in request.POST)

    def page(refusal: ProductError | None) -> HttpResponse:
        context = {
            "form": form,
            "refusal": refusal,
            "may_write": by.has(RELEASE_WRITE),
            **release_page(request, by, releases_of(by)),
        }
        return render(request, "releases/releases.html", context)

    return carry_out(
        request,
        act,
        form=form,
        again=page,
        then=lambda made: go_to(request, reverse("release", args=[made.pk])),
    )


@require_safe
def release(request: HttpRequest, release_id: UUID) -> HttpResponse:
    """Components, source, where it runs, and its promotions."""
    return show_release(request, release_id)


@require_POST
def finalize(request: HttpRequest, release_id: UUID) -> HttpResponse:
    return _act(request, release_id, lambda by: finalize_release(release_id, by=by), "The release is finalized.")


@require_POST
def deprecate(request: HttpRequest, release_id: UUID) -> HttpResponse:
    form = ReasonForm(request.POST)
    return _act(
        request,
        release_id,
        lambda by: deprecate_release(release_id, by=by, reason=form.cleaned_data["reason"]),
        "The release is deprecated; open promotions of it are rejected when they are judged again.",
        form,
    )


@require_POST
def archive(request: HttpRequest, release_id: UUID) -> HttpResponse:
    return _act(request, release_id, lambda by: archive_release(release_id, by=by), "The release is archived.")


def _act(
    request: HttpRequest,
    release_id: UUID,
    act: Callable[[Actor], Release],
    done: str,
    form: ReasonForm | None = None,
) -> HttpResponse:
    by = acting(request)
    return carry_out(
        request,
        lambda: act(by),
        form=form,
        again=lambda refusal: show_release(request, release_id, refusal=refusal, reason_form=form or ReasonForm()),
        then=lambda _: go_to(request, reverse("release", args=[release_id]), done=done),
    )


def show_release(request: HttpRequest, release_id: UUID, **shown_again: Any) -> HttpResponse:
    """The page. ``shown_again``: a refused form under the name that the page has for it, or a refusal."""
    by = acting(request)
    by.require(RELEASE_READ)
    found = queries.release_of(by.tenant, release_id)
    components = queries.components_of(found.pk)
    context = {
        "release": found,
        "components": components,
        "documents": documents_of_components(by.tenant, components) if by.has(EVIDENCE_READ) else [],
        "document_form": DocumentForm(components=components),
        "may_upload": by.has(EVIDENCE_WRITE) and any(each["digest"] for each in components),
        "places": queries.places_of(found),
        "rows": queries.rows_of(queries.promotions_of(by.tenant).filter(release=found))[:SHOWN_PROMOTIONS],
        "reason_form": ReasonForm(),
        "may_write": by.has_for(found.product, RELEASE_WRITE),
        "may_request": by.has(PROMOTION_REQUEST) and promotable_releases(by).filter(pk=found.pk).exists(),
        **shown_again,
    }
    return render(request, "releases/release.html", context)
