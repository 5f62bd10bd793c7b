from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import sign_in_records
from stellapromote.identity.actions.set_password import set_password
from stellapromote.identity.forms import FirstPasswordForm
from stellapromote.identity.one_time_links import person_of_link
from stellapromote.web.access import public
from stellapromote.web.acting import carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to


@public
@require_http_methods(["GET", "HEAD", "POST"])
def first_password(request: HttpRequest, person: str, token: str) -> HttpResponse:
    """Where a one-time link leads: its person sets their password and signs in with it."""
    user = person_of_link(person, token)
    if user is None:
        return render(request, "identity/link_ended.html", status=404)
    over = user.password
    form = FirstPasswordForm(user, posted(request))
    context = {"form": form, "person": user}
    return carry_out(
        request,
        lambda: set_password(
            by=sign_in_records.person_without_tenant(request, user),
            clock=DATABASE_CLOCK,
            user=user,
            password=form.cleaned_data["new_password1"],
            only_over=over,
            while_live=lambda: person_of_link(person, token) is not None,
        ),
        form=form,
        again=lambda refusal: render(request, "identity/first_password.html", {**context, "refusal": refusal}),
        then=lambda _: go_to(request, reverse("account_login"), done="Your password is set. Sign in with it."),
    )
