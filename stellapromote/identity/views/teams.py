from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.rename_team import rename_team
from stellapromote.identity.etags import tag_of
from stellapromote.identity.forms import TeamForm, TeamNameForm
from stellapromote.identity.presenters import team_document
from stellapromote.identity.roster import grants_of_team, team_of, teams_of
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


@require_http_methods(["GET", "HEAD", "POST"])
def team(request: HttpRequest, slug: str) -> HttpResponse:
    """One team with its members; POST gives it another name."""
    by = acting(request)
    by.require(TENANT_ADMIN)
    form = TeamNameForm(request.POST) if request.method == "POST" else None
    if form is None:
        return show_team(request, slug)
    return carry_out(
        request,
        lambda: rename_team(
            by=by,
            clock=DATABASE_CLOCK,
            slug=slug,
            name=form.cleaned_data["name"],
            if_match=IfMatch(form.cleaned_data["seen"]),
        ),
        form=form,
        again=lambda refusal: show_team(request, slug, refusal, form),
        then=lambda _: go_to(request, reverse("settings_team", args=[slug]), done="Saved."),
    )


def show_team(
    request: HttpRequest, slug: str, refusal: ProductError | None = None, form: TeamNameForm | None = None
) -> HttpResponse:
    """The page of a team, with what was typed or refused. Raises Http404."""
    found = team_of(acting(request).tenant, slug)
    grants = grants_of_team(found)
    seen = {"seen": tag_of("team", team_document(found, grants)), "name": found.name}
    context = {"team": found, "grants": grants, "refusal": refusal, "form": form or TeamNameForm(None, initial=seen)}
    return render_settings(request, "team", "teams", context)
