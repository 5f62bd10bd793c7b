"""/settings/teams/…/delete: a team that a policy names is not deleted, so the action stands above identity."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from promotions.actions.delete_team import delete_team
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.views.teams import show_team
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.htmx import go_to


@require_POST
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    by = acting(request)
    return carry_out(
        request,
        lambda: delete_team(by=by, clock=DATABASE_CLOCK, slug=slug),
        again=lambda refusal: show_team(request, slug, refusal),
        then=lambda team: go_to(request, reverse("settings_teams"), done=f"The team {team.slug} is gone."),
    )
