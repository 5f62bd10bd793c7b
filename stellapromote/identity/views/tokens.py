from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity.actions import revoke_token as revoking
from stellapromote.identity.actions.issue_token import IssuedToken, issue_token
from stellapromote.identity.forms import TokenForm, posted, submit
from stellapromote.identity.roster import tokens_of
from stellapromote.identity.views.page import acting, render_settings
from stellapromote.web.refusals import back_address


@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The person's own tokens in this tenant. A new one is shown in the answer to the form, and never again."""
    by = acting(request)
    form = TokenForm(posted(request), held=by.scopes)
    issued: IssuedToken | None = None
    if request.method == "POST":
        issued = submit(
            form,
            lambda: issue_token(
                by=by,
                clock=SYSTEM_CLOCK,
                user_id=by.account,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                life=form.life,
            ),
        )
    context = {
        "form": TokenForm(held=by.scopes) if issued else form,
        "issued": issued,
        "tokens": tokens_of(by.tenant, by.account),
    }
    return render_settings(request, "tokens", "tokens", context, status=400 if form.errors else 200)


@require_POST
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Of oneself, of one's services, or, for an administrator, of anybody in the tenant."""
    token = revoking.revoke_token(by=acting(request), clock=SYSTEM_CLOCK, token_id=token_id)
    messages.success(request, _("The token %(name)s is revoked.") % {"name": token.name})
    return redirect(back_address(request) or "settings_tokens")
