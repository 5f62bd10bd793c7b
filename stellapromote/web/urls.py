"""Addresses of the frame itself. The styleguide exists in debug mode only."""

from django.conf import settings
from django.urls import path

from stellapromote.web.views import choices, icon, styleguide

urlpatterns = [
    path("favicon.ico", icon.favicon, name="favicon"),
    path("tenant", choices.choose_tenant, name="choose_tenant"),
    path("theme", choices.set_theme, name="set_theme"),
]

if settings.DEBUG:
    urlpatterns.append(path("styleguide", styleguide.styleguide, name="styleguide"))
