"""The content of every page's frame. Nothing is read from the database before the template asks for it."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from stellapromote import VERSION
from stellapromote.accounts.models import Tenant
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.web.navigation import navigation

THEME_COOKIE = "theme"
THEMES = ("light", "dark")


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: actor, their tenants, navigation, theme, version, the instant relative times refer to."""
    actor = getattr(request, "actor", None)
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "actor": actor,
        "tenants": SimpleLazyObject(lambda: tenants_of(request)),
        "navigation": navigation(actor, request.path) if actor else [],
        "theme": theme if theme in THEMES else "",
        "product_version": VERSION,
        "now": SYSTEM_CLOCK.now(),
    }


def tenants_of(request: HttpRequest) -> list[Tenant]:
    """The tenants the signed-in person is a member of, by name: one query."""
    if not request.user.is_authenticated:
        return []
    return list(
        Tenant.objects.filter(memberships__user_id=request.user.pk, memberships__ended_at=None).order_by("name", "slug")
    )
