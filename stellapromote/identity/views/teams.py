from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.forms import TeamForm
from stellapromote.identity.roster import teams_of
from stellapromote.identity.views.page import render_settings
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to


@require_http_methods(["GET", "HEAD", "POST"])
def teams(request: HttpRequest) -> HttpResponse:
    """The teams of the tenant; makes a new one. People are put into teams on their own pages."""
    by = acting(request)
    by.require(TENANT_ADMIN)
    form = TeamForm(posted(request))

    def page(refusal: ProductError | None) -> HttpResponse:
        context = {"form": form, "refusal": refusal, "teams": teams_of(by.tenant).order_by("slug")}
        return render_settings(request, "teams", "teams", context)

    return carry_out(
        request,
        lambda: create_team(by=by, clock=DATABASE_CLOCK, **form.cleaned_data),
        form=form,
        again=page,
        then=lambda team: go_to(request, reverse("settings_teams"), done=f"The team {team.slug} is there."),
    )
