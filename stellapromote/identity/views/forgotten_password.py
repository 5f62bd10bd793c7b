from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.actions.forget_password import forget_password
from stellapromote.identity.forms import ForgottenPasswordForm
from stellapromote.identity.invitations import is_mailed
from stellapromote.web.access import public
from stellapromote.web.acting import carry_out
from stellapromote.web.forms import posted


@public
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten_password(request: HttpRequest) -> HttpResponse:
    """Where a person asks for a link by e-mail. The answer is the same for every name."""
    form = ForgottenPasswordForm(posted(request))

    def page(refusal: ProductError | None = None, *, asked: bool = False) -> HttpResponse:
        context = {"form": form, "refusal": refusal, "asked": asked, "mailed": is_mailed()}
        return render(request, "identity/forgotten_password.html", context)

    return carry_out(
        request,
        lambda: forget_password(
            clock=DATABASE_CLOCK,
            username=form.cleaned_data["username"],
            address=getattr(request, "client_address", None),
        ),
        form=form,
        again=page,
        then=lambda _: page(asked=True),
    )
