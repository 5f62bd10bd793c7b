from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from stellapromote.accounts.models import Team
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.forms import TeamForm, posted, submit
from stellapromote.identity.views.page import acting, render_settings


@require_http_methods(["GET", "HEAD", "POST"])
def teams(request: HttpRequest) -> HttpResponse:
    """The teams of the tenant; makes a new one. People are put into teams on their own pages."""
    by = acting(request)
    by.require(TENANT_ADMIN)
    form = TeamForm(posted(request))
    if request.method == "POST":
        team = submit(form, lambda: create_team(by=by, clock=SYSTEM_CLOCK, **form.cleaned_data))
        if team is not None:
            messages.success(request, _("The team %(slug)s is there.") % {"slug": team.slug})
            return redirect("settings_teams")
    people = Count("grants", filter=Q(grants__ended_at=None))
    listed = Team.objects.filter(tenant_id=by.tenant).annotate(people=people).order_by("slug")
    return render_settings(
        request, "teams", "teams", {"form": form, "teams": listed}, status=400 if form.errors else 200
    )
