from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from stellapromote.accounts.models import ServiceAccount, User
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.issue_token import IssuedToken, issue_token
from stellapromote.identity.forms import ServiceForm, TokenForm, posted, submit
from stellapromote.identity.roster import services_of, tokens_of
from stellapromote.identity.views.page import acting, render_settings


@require_http_methods(["GET", "HEAD", "POST"])
def services(request: HttpRequest) -> HttpResponse:
    """The services one owns, or all of them for an administrator, who also adds new ones."""
    by = acting(request)
    form = ServiceForm(posted(request))
    if request.method == "POST":
        added = submit(
            form,
            lambda: add_service(
                by=by,
                clock=SYSTEM_CLOCK,
                name=form.cleaned_data["name"],
                owners=form.usernames,
                scopes=form.cleaned_data["scopes"],
            ),
        )
        if added is not None:
            return redirect("settings_service", added.pk)
    context = {
        "form": form,
        "services": services_of(by.tenant, _only_owned_by(request)),
        "may_add": by.has(TENANT_ADMIN),
    }
    return render_settings(request, "services", "services", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def service(request: HttpRequest, service_id: UUID) -> HttpResponse:
    """One service with its tokens. A new token is shown in the answer to the form, and never again."""
    by = acting(request)
    shown, owners = _find(request, service_id)
    form = TokenForm(posted(request), held=shown.scopes)
    issued: IssuedToken | None = None
    if request.method == "POST":
        issued = submit(
            form,
            lambda: issue_token(
                by=by,
                clock=SYSTEM_CLOCK,
                user_id=shown.user_id,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                life=form.life,
            ),
        )
    context = {
        "service": shown,
        "owners": owners,
        "form": TokenForm(held=shown.scopes) if issued else form,
        "issued": issued,
        "tokens": tokens_of(by.tenant, shown.user_id),
    }
    return render_settings(request, "service", "services", context, status=400 if form.errors else 200)


def _find(request: HttpRequest, service_id: UUID) -> tuple[ServiceAccount, list[User]]:
    for shown, owners in services_of(acting(request).tenant, _only_owned_by(request)):
        if shown.id == service_id:
            return shown, owners
    raise Http404("No such service.")


def _only_owned_by(request: HttpRequest) -> UUID | None:
    by = acting(request)
    return None if by.has(TENANT_ADMIN) else by.account
