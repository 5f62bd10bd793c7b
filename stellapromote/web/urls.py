"""Addresses of the frame itself. The styleguide exists in debug mode only."""

from django.conf import settings
from django.urls import path

from stellapromote.web.views import choices, command_line, icon, styleguide

urlpatterns = [
    path("cli/stella", command_line.program, name="command_line"),
    path("cli/stella.sha256", command_line.checksum, name="command_line_checksum"),
    path("favicon.ico", icon.favicon, name="favicon"),
    path("tenant", choices.choose_tenant, name="choose_tenant"),
    path("theme", choices.set_theme, name="set_theme"),
]

if settings.DEBUG:
    urlpatterns.append(path("styleguide", styleguide.styleguide, name="styleguide"))
