"""The frame of the /settings pages: tabs for what this person may open."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import is_valid_path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.accounts.vouching import CONFIRMING_SCOPES

EVIDENCE = "/settings/evidence"
"""A page of an app above this one, which therefore has no name here."""


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
    tabs = {"tabs": tabs_of(getattr(request, "actor", None)), "tab": tab}
    return render(request, f"identity/{template}.html", {**context, **tabs}, status=status)


def tabs_of(actor: Actor | None) -> list[Tab]:
    """The tabs that the actor may open; one whose page is not part of this version is left out."""
    tabs = [Tab("profile", _("You"), reverse("settings"))]
    if actor is not None:
        tabs.append(Tab("tokens", _("API tokens"), reverse("settings_tokens")))
        tabs.append(Tab("services", _("Services"), reverse("settings_services")))
        if any(actor.has(scope) for scope in CONFIRMING_SCOPES):
            tabs.append(Tab("members", _("Members"), reverse("settings_members")))
        if actor.has(TENANT_ADMIN):
            tabs.append(Tab("teams", _("Teams"), reverse("settings_teams")))
            if is_valid_path(EVIDENCE):
                tabs.append(Tab("evidence", _("Evidence"), EVIDENCE))
    return tabs
