from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from stellapromote.accounts.models import ServiceAccount
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.add_service_owner import add_service_owner
from stellapromote.identity.actions.change_service import change_service
from stellapromote.identity.actions.end_service import end_service
from stellapromote.identity.actions.end_service_owner import end_service_owner
from stellapromote.identity.etags import tag_of
from stellapromote.identity.forms import ReasonForm, ServiceForm, ServiceOwnerForm, ServiceScopesForm, TokenForm
from stellapromote.identity.presenters import service_document
from stellapromote.identity.product_choice import live_products
from stellapromote.identity.roster import owners_of, services_seen_by, with_owners
from stellapromote.identity.views.page import render_settings
from stellapromote.identity.views.tokens import issue_on_page, shown_tokens
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import ActionForm, posted
from stellapromote.web.htmx import go_to


@require_http_methods(["GET", "HEAD", "POST"])
def services(request: HttpRequest) -> HttpResponse:
    """The services one owns, or all of them for an administrator, who also adds new ones."""
    by = acting(request)
    form = ServiceForm(posted(request), products=live_products(by.tenant))

    def page(refusal: ProductError | None) -> HttpResponse:
        context = {
            "form": form,
            "refusal": refusal,
            "services": with_owners(services_seen_by(by).order_by("name")),
            "may_add": by.has(TENANT_ADMIN),
        }
        return render_settings(request, "services", "services", context)

    return carry_out(
        request,
        lambda: add_service(
            by=by,
            clock=DATABASE_CLOCK,
            name=form.cleaned_data["name"],
            owners=form.usernames,
            scopes=form.cleaned_data["scopes"],
            products=form.cleaned_data.get("products", ()),
        ),
        form=form,
        again=page,
        then=lambda added: go_to(request, reverse("settings_service", args=[added.pk])),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def service(request: HttpRequest, service_id: UUID) -> HttpResponse:
    """One service with its tokens. A new token is shown in the answer to the form, and never again."""
    found = _find(request, service_id)
    return issue_on_page(request, found.user_id, found.all_scopes, lambda shown: _page(request, found, shown))


@require_POST
def change(request: HttpRequest, service_id: UUID) -> HttpResponse:
    """Gives a service other rights."""
    found = _find(request, service_id)
    offered = live_products(found.tenant_id, besides=found.products)
    form = ServiceScopesForm(request.POST, products=offered, auto_id="change_%s")

    def action(*, seen: str, **given: Any) -> object:
        return change_service(if_match=IfMatch(seen), **given)

    return _act(request, service_id, "change_form", form, action)


@require_POST
def add_owner(request: HttpRequest, service_id: UUID) -> HttpResponse:
    form = ServiceOwnerForm(request.POST, auto_id="owner_%s")
    return _act(request, service_id, "owner_form", form, add_service_owner)


@require_POST
def end_owner(request: HttpRequest, service_id: UUID, user_id: UUID) -> HttpResponse:
    return _act(request, service_id, "", None, end_service_owner, user_id=user_id)


@require_POST
def end(request: HttpRequest, service_id: UUID) -> HttpResponse:
    """Ends a service with its owners and its tokens."""
    form = ReasonForm(request.POST, auto_id="end_%s")
    return _act(request, service_id, "end_form", form, end_service)


def _act(
    request: HttpRequest,
    service_id: UUID,
    name: str,
    form: ActionForm | None,
    action: Callable[..., object],
    **fixed: UUID,
) -> HttpResponse:
    """Carries out what the form called ``name`` asks for; a refusal comes back to the page of the service."""
    by, found = acting(request), _find(request, service_id)
    by.require(TENANT_ADMIN)

    def page(refusal: ProductError | None) -> HttpResponse:
        issuing = TokenForm(None, held=found.all_scopes, products=live_products(by.tenant))
        shown = {"form": issuing, "tokens": shown_tokens(by.tenant, found.user_id), "refusal": refusal}
        return _page(request, found, {**shown, **({name: form} if form else {})})

    return carry_out(
        request,
        lambda: action(
            by=by, clock=DATABASE_CLOCK, service_id=service_id, **(form.cleaned_data if form else {}), **fixed
        ),
        form=form,
        again=page,
        then=lambda _: go_to(request, reverse("settings_service", args=[service_id]), done="Saved."),
    )


def _page(request: HttpRequest, found: ServiceAccount, shown: dict[str, Any]) -> HttpResponse:
    owners = owners_of(found)
    about: dict[str, Any] = {"service": found, "owners": [each.owner for each in owners]}
    if acting(request).has(TENANT_ADMIN):
        seen = {
            "seen": tag_of("service", service_document(found, owners)),
            "scopes": found.all_scopes,
            "products": found.products,
        }
        offered = live_products(found.tenant_id, besides=found.products)
        about |= {
            "change_form": ServiceScopesForm(None, initial=seen, products=offered, auto_id="change_%s"),
            "owner_form": ServiceOwnerForm(None, auto_id="owner_%s"),
            "end_form": ReasonForm(None, auto_id="end_%s"),
        }
    return render_settings(request, "service", "services", {**about, **shown})


def _find(request: HttpRequest, service_id: UUID) -> ServiceAccount:
    return get_object_or_404(services_seen_by(acting(request)), pk=service_id)
