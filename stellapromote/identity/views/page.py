"""The frame of the /settings pages: tabs for what this person may open."""

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import is_valid_path, reverse

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.accounts.vouching import CONFIRMING_SCOPES

EVIDENCE = "/settings/evidence"
SIGN_IN = "/settings/sign-in"
WEBHOOKS = "/settings/webhooks"
"""Pages of an app above this one, which therefore have no names here."""


MOST_SHOWN: Final = 100
"""Rows of a list that grows with what people do; a page of thousands takes seconds."""


@dataclass(frozen=True, slots=True)
class FirstRows:
    """The first rows of a list, at most MOST_SHOWN; ``more``: there are others."""

    rows: list[Any]
    more: bool


def first_of(rows: QuerySet[Any]) -> FirstRows:
    """One statement."""
    found = list(rows[: MOST_SHOWN + 1])
    return FirstRows(found[:MOST_SHOWN], len(found) > MOST_SHOWN)


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    label: str
    path: str


def render_settings(request: HttpRequest, template: str, tab: str, context: dict[str, Any]) -> HttpResponse:
    """One page of /settings."""
    tabs = {"tabs": tabs_of(getattr(request, "actor", None)), "tab": tab}
    return render(request, f"identity/{template}.html", {**context, **tabs})


def tabs_of(actor: Actor | None) -> list[Tab]:
    """The tabs that the actor may open; one whose page is not part of this version is left out."""
    tabs = [Tab("profile", "You", reverse("settings"))]
    if actor is not None:
        tabs.append(Tab("tokens", "API tokens", reverse("settings_tokens")))
        tabs.append(Tab("services", "Services", reverse("settings_services")))
        if any(actor.has(scope) for scope in CONFIRMING_SCOPES):
            tabs.append(Tab("members", "Members", reverse("settings_members")))
        if actor.has(TENANT_ADMIN):
            tabs.append(Tab("teams", "Teams", reverse("settings_teams")))
            if is_valid_path(EVIDENCE):
                tabs.append(Tab("evidence", "Evidence", EVIDENCE))
            if is_valid_path(SIGN_IN):
                tabs.append(Tab("sign-in", "Signing in", SIGN_IN))
            if is_valid_path(WEBHOOKS):
                tabs.append(Tab("webhooks", "Webhooks", WEBHOOKS))
    return tabs
