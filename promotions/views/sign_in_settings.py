from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from policies.proposed_page import unless_proposed
from promotions.actions.change_sign_in_settings import DEFAULT_GRACE, LONGEST_GRACE, change_sign_in_settings
from stellapromote.accounts.models import SignInSettings
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import sign_in_settings_document
from stellapromote.identity.roster import sign_in_settings_of
from stellapromote.identity.views.page import render_settings
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import ActionForm, posted
from stellapromote.web.htmx import go_to


class SignInSettingsForm(ActionForm):
    """``seen``: the ETag of the settings that the person saw. The days of grace are asked for until they are over."""

    seen = forms.CharField(max_length=100, widget=forms.HiddenInput)
    require_second_factor = forms.BooleanField(
        label="Require a second factor of people who decide",
        required=False,
        help_text="Votes, overrides and confirmations of sessions and tokens without one are refused.",
    )
    grace_days = forms.IntegerField(
        label="Days until it is in force",
        min_value=0,
        max_value=LONGEST_GRACE,
        required=False,
        help_text=f"0 to {LONGEST_GRACE}; {DEFAULT_GRACE} if left out. If required already: fewer than remain.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_settings(request: HttpRequest) -> HttpResponse:
    """What the tenant requires of a sign-in."""
    by = acting(request)
    by.require(TENANT_ADMIN)
    form = SignInSettingsForm(posted(request))

    def again(refusal: ProductError | None) -> HttpResponse:
        settings = sign_in_settings_of(by.tenant)
        document = sign_in_settings_document(settings)
        begins = settings.second_factor_from
        shown = {
            "require_second_factor": document["requireSecondFactor"],
            "grace_days": DEFAULT_GRACE if begins is None else None,
        }
        seen = tag_of("sign-in-settings", document)
        sent = form if form.is_bound else SignInSettingsForm(initial=shown)
        takes_grace = begins is None or begins > DATABASE_CLOCK.now()
        context = {"form": sent, "refusal": refusal, "settings": settings, "seen": seen, "takes_grace": takes_grace}
        return render_settings(request, "sign_in", "sign-in", context)

    def saved(_: SignInSettings) -> HttpResponse:
        return go_to(request, reverse("settings_sign_in"), done="Saved.")

    return carry_out(
        request,
        lambda: change_sign_in_settings(
            by=by,
            clock=DATABASE_CLOCK,
            require_second_factor=form.cleaned_data["require_second_factor"],
            grace_days=form.cleaned_data["grace_days"],
            if_match=IfMatch(form.cleaned_data["seen"]),
        ),
        form=form,
        again=again,
        then=unless_proposed(request, saved),
    )
