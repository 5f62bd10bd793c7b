from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity import sign_in_records
from stellapromote.identity.actions.set_password import set_password
from stellapromote.identity.forms import FirstPasswordForm, posted
from stellapromote.identity.one_time_links import person_of_link
from stellapromote.web.access import public


@public
@require_http_methods(["GET", "HEAD", "POST"])
def first_password(request: HttpRequest, person: str, token: str) -> HttpResponse:
    """Where a one-time link leads: its person sets their password and signs in with it."""
    user = person_of_link(person, token)
    if user is None:
        return render(request, "identity/link_ended.html", status=404)
    over = user.password
    form = FirstPasswordForm(user, posted(request))
    if request.method != "POST" or not form.is_valid():
        status = 400 if form.errors else 200
        return render(request, "identity/first_password.html", {"form": form, "person": user}, status=status)
    set_password(
        by=sign_in_records.person_without_tenant(request, user),
        clock=SYSTEM_CLOCK,
        user=user,
        password=form.cleaned_data["new_password1"],
        only_over=over,
    )
    messages.success(request, _("Your password is set. Sign in with it."))
    return redirect("account_login")
