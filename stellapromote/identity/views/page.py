"""The frame of the /settings pages: tabs for what this person may open."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import TENANT_ADMIN


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    label: Promise | str
    path: str


def acting(request: HttpRequest) -> Actor:
    """The person in their active tenant; the middleware lets nobody else through to these pages."""
    actor = request.actor  # type: ignore[attr-defined]
    assert isinstance(actor, Actor)
    return actor


def render_settings(
    request: HttpRequest, template: str, tab: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """One page of /settings. A form that was not accepted is shown again with status 400."""
    tabs = {"tabs": _tabs(getattr(request, "actor", None)), "tab": tab}
    return render(request, f"identity/{template}.html", {**context, **tabs}, status=status)


def _tabs(actor: Actor | None) -> list[Tab]:
    tabs = [Tab("profile", _("You"), reverse("settings"))]
    if actor is not None:
        tabs.append(Tab("tokens", _("API tokens"), reverse("settings_tokens")))
        tabs.append(Tab("services", _("Services"), reverse("settings_services")))
        if actor.has(TENANT_ADMIN):
            tabs.append(Tab("members", _("Members"), reverse("settings_members")))
            tabs.append(Tab("teams", _("Teams"), reverse("settings_teams")))
    return tabs
