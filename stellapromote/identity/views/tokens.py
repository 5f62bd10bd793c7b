from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.actions import revoke_token as revoking
from stellapromote.identity.actions.issue_token import IssuedToken, issue_token
from stellapromote.identity.forms import TokenForm
from stellapromote.identity.product_choice import live_products
from stellapromote.identity.roster import tokens_in_use_first
from stellapromote.identity.views.page import FirstRows, first_of, render_settings
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to
from stellapromote.web.refusals import back_address


@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The person's own tokens in this tenant. A new one is shown in the answer to the form, and never again."""
    by = acting(request)
    return issue_on_page(
        request, by.account, by.scopes, lambda shown: render_settings(request, "tokens", "tokens", shown)
    )


def shown_tokens(tenant_id: UUID, account_id: UUID) -> FirstRows:
    return first_of(tokens_in_use_first(tenant_id, account_id, DATABASE_CLOCK.now()))


def issue_on_page(
    request: HttpRequest, account_id: UUID, held: Collection[str], show: Callable[[dict[str, Any]], HttpResponse]
) -> HttpResponse:
    """Issues a token for the account, with some of the rights it holds. ``show`` is the page, given the form, the
    account's tokens, and the new token or the refusal."""
    by = acting(request)
    products = live_products(by.tenant)
    form = TokenForm(posted(request), held=held, products=products)

    def page(refusal: ProductError | None = None, issued: IssuedToken | None = None) -> HttpResponse:
        shown = TokenForm(held=held, products=products) if issued else form
        return show(
            {"form": shown, "refusal": refusal, "issued": issued, "tokens": shown_tokens(by.tenant, account_id)}
        )

    return carry_out(
        request,
        lambda: issue_token(
            by=by,
            clock=DATABASE_CLOCK,
            user_id=account_id,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            life=form.life,
            products=form.cleaned_data.get("products", ()),
        ),
        form=form,
        again=page,
        then=lambda issued: page(issued=issued),
    )


@require_POST
def revoke_token(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Revokes a token of oneself, of one's services, or, for an administrator, of any account in the tenant: its button
    is on many pages, so a refusal is a page of its own that leads back."""
    token = revoking.revoke_token(by=acting(request), clock=DATABASE_CLOCK, token_id=token_id)
    back = back_address(request) or reverse("settings_tokens")
    return go_to(request, back, done=f"The token {token.name} is revoked.")
