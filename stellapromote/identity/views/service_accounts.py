from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from stellapromote.accounts.models import ServiceAccount
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.forms import ServiceForm
from stellapromote.identity.roster import owners_of, services_seen_by, with_owners
from stellapromote.identity.views.page import render_settings
from stellapromote.identity.views.tokens import issue_on_page
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to


@require_http_methods(["GET", "HEAD", "POST"])
def services(request: HttpRequest) -> HttpResponse:
    """The services one owns, or all of them for an administrator, who also adds new ones."""
    by = acting(request)
    form = ServiceForm(posted(request))

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
        ),
        form=form,
        again=page,
        then=lambda added: go_to(request, reverse("settings_service", args=[added.pk])),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def service(request: HttpRequest, service_id: UUID) -> HttpResponse:
    """One service with its tokens. A new token is shown in the answer to the form, and never again."""
    found = _find(request, service_id)
    about = {"service": found, "owners": [each.owner for each in owners_of(found)]}
    return issue_on_page(
        request,
        found.user_id,
        found.scopes,
        lambda shown: render_settings(request, "service", "services", {**about, **shown}),
    )


def _find(request: HttpRequest, service_id: UUID) -> ServiceAccount:
    return get_object_or_404(services_seen_by(acting(request)), pk=service_id)
