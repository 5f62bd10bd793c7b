"""A person's choices about the frame of the pages: the tenant they work in, and light or dark."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from stellapromote.web.access import public, tenant_not_required
from stellapromote.web.context import THEME_COOKIE, THEMES, tenants_of
from stellapromote.web.middleware import TENANT_SESSION_KEY

_YEAR = 365 * 24 * 3600


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_not_required
def choose_tenant(request: HttpRequest) -> HttpResponse:
    """Shows the person's tenants; a post makes one of them the session's active one. Any other does not exist (404)."""
    if request.method != "POST":
        return render(request, "web/choose_tenant.html", {"next": _local(request, request.GET.get("next", ""))})
    slug = request.POST.get("tenant", "")
    if slug not in {tenant.slug for tenant in tenants_of(request)}:
        raise Http404
    request.session[TENANT_SESSION_KEY] = slug
    return redirect(_local(request, request.POST.get("next", "")))


@public
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keeps light or dark in a cookie that the server reads back; `auto` follows the system again."""
    response = redirect(_local(request, request.POST.get("next", "")))
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=_YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE, httponly=False
        )
    else:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response


def _local(request: HttpRequest, url: str) -> str:
    """The address if it is one of ours, else the start page."""
    return url if url.startswith("/") and url_has_allowed_host_and_scheme(url, {request.get_host()}) else "/"
