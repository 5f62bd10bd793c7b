"""/settings/webhooks: addresses that get events, and the deliveries to them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from environments.models import Environment
from promotions.actions.webhooks import (
    NewSecret,
    add_webhook,
    change_webhook,
    end_webhook,
    rotate_secret,
    send_again,
    send_test,
)
from promotions.models import Webhook
from promotions.pages.webhook_forms import WebhookForm
from promotions.reading.webhooks import webhook_document, webhooks_of
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.etags import tag_of
from stellapromote.identity.product_choice import live_products
from stellapromote.identity.views.page import first_of, tabs_of
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.htmx import go_to


@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest) -> HttpResponse:
    """The webhooks of the tenant; adds one. Its secret is shown in the answer to the form, and never again."""
    by = acting(request)
    by.require(TENANT_ADMIN)
    form = _form(request, None)

    def page(refusal: ProductError | None = None, made: NewSecret | None = None) -> HttpResponse:
        rows = first_of(webhooks_of(by.tenant).order_by("-created_at", "-id"))
        shown = _form(request, None, empty=True) if made else form
        return _render(request, "webhooks", {"form": shown, "refusal": refusal, "webhooks": rows, "made": made})

    return carry_out(
        request,
        lambda: add_webhook(by=by, clock=DATABASE_CLOCK, **form.changes),
        form=form,
        again=page,
        then=lambda made: page(made=made),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """One webhook with its deliveries; POST changes it."""
    found = _find(request, webhook_id)
    if request.method != "POST":
        return _page(request, found)
    form = _form(request, found)
    return carry_out(
        request,
        lambda: change_webhook(
            by=acting(request),
            clock=DATABASE_CLOCK,
            webhook_id=webhook_id,
            changes=form.changes,
            if_match=IfMatch(form.cleaned_data["seen"]),
        ),
        form=form,
        again=lambda refusal: _page(request, found, refusal, form),
        then=lambda _: _back(request, webhook_id, "Saved."),
    )


@require_POST
def enable(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    return _switch(request, webhook_id, enabled=True, done="It is enabled.")


@require_POST
def disable(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    return _switch(request, webhook_id, enabled=False, done="It is disabled.")


@require_POST
def rotate(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Another secret, shown in the answer and never again."""
    found = _find(request, webhook_id)
    return carry_out(
        request,
        lambda: rotate_secret(by=acting(request), clock=DATABASE_CLOCK, webhook_id=webhook_id),
        again=lambda refusal: _page(request, found, refusal),
        then=lambda made: _page(request, made.webhook, made=made),
    )


@require_POST
def test(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    return _act(request, webhook_id, send_test, done="A test is on its way.")


@require_POST
def resend(request: HttpRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    return _act(request, webhook_id, send_again, done="It is sent again.", delivery_id=delivery_id)


@require_POST
def end(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    found = _find(request, webhook_id)
    return carry_out(
        request,
        lambda: end_webhook(by=acting(request), clock=DATABASE_CLOCK, webhook_id=webhook_id),
        again=lambda refusal: _page(request, found, refusal),
        then=lambda _: go_to(request, reverse("settings_webhooks"), done="The webhook is gone."),
    )


def _switch(request: HttpRequest, webhook_id: UUID, *, enabled: bool, done: str) -> HttpResponse:
    return _act(request, webhook_id, change_webhook, done=done, changes={"enabled": enabled})


def _act(
    request: HttpRequest, webhook_id: UUID, action: Callable[..., object], *, done: str, **given: Any
) -> HttpResponse:
    found = _find(request, webhook_id)
    return carry_out(
        request,
        lambda: action(by=acting(request), clock=DATABASE_CLOCK, webhook_id=webhook_id, **given),
        again=lambda refusal: _page(request, found, refusal),
        then=lambda _: _back(request, webhook_id, done),
    )


def _back(request: HttpRequest, webhook_id: UUID, done: str) -> HttpResponse:
    return go_to(request, reverse("settings_webhook", args=[webhook_id]), done=done)


def _page(
    request: HttpRequest,
    found: Webhook,
    refusal: ProductError | None = None,
    form: WebhookForm | None = None,
    made: NewSecret | None = None,
) -> HttpResponse:
    context = {
        "webhook": found,
        "refusal": refusal,
        "form": form or _form(request, found, empty=True),
        "made": made,
        "deliveries": first_of(found.deliveries.order_by("-sequence", "-id")),
        "now": DATABASE_CLOCK.now(),
    }
    return _render(request, "webhook", context)


def _form(request: HttpRequest, found: Webhook | None, *, empty: bool = False) -> WebhookForm:
    """Bound to what was sent, unless the page is only shown."""
    by = acting(request)
    named = set(found.environments) if found else set()
    live = Environment.objects.of(by.tenant).live().in_order().values_list("name", flat=True)
    environments = [*live, *sorted(named - set(live))]
    products = live_products(by.tenant, besides=found.products if found else ())
    initial = None
    if found is not None:
        document = webhook_document(found)
        initial = {**document, "seen": tag_of("webhook", document)}
    sent = request.POST if request.method == "POST" and not empty else None
    return WebhookForm(sent, initial=initial, products=products, environments=environments)


def _find(request: HttpRequest, webhook_id: UUID) -> Webhook:
    by = acting(request)
    by.require(TENANT_ADMIN)
    return get_object_or_404(webhooks_of(by.tenant), pk=webhook_id)


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    tabs = {"tabs": tabs_of(acting(request)), "tab": "webhooks"}
    return render(request, f"webhooks/{template}.html", {**context, **tabs})
