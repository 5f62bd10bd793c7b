"""Every address, put together. Apps bring their own lists; an unknown path under /api/ is the API's 404."""

import logging
import sys
from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from promotions.api.urls import health
from stellapromote.api.docs import DocsView, SchemaView
from stellapromote.api.exceptions import as_product_error, error_response
from stellapromote.api.views import UnknownPath
from stellapromote.database.errors import reason_unavailable
from stellapromote.errors import ProductError
from stellapromote.web.access import public
from stellapromote.web.middleware import is_api
from stellapromote.web.refusals import keep_out_of_log
from stellapromote.web.views import errors as pages

logger = logging.getLogger(__name__)

# Each app adds its router here: path("", include("environments.api.urls")).
api_v1: list[URLPattern | URLResolver] = [
    path("", include("promotions.api.urls")),
    path("schema", SchemaView.as_view(), name="api-schema"),
    path("", include("policies.api.urls")),
    path("", include("promotions.api.policies_urls")),
    path("", include("environments.api.urls")),
    path("", include("promotions.api.environments_urls")),
    path("", include("stellapromote.identity.api.urls")),
]

urlpatterns = [
    path("api/v1/", include(api_v1)),  # first: automation calls it most, and every pattern before it costs each call
    path("", include("stellapromote.web.urls")),
    path("", include("stellapromote.identity.sign_in_urls")),
    path("", include("stellapromote.identity.urls")),
    path("", include("promotions.urls")),
    path("", include("promotions.views.policies_urls")),
    path("", include("promotions.views.environments_urls")),
    path("", include("environments.urls")),
    path("", include(health)),  # for load balancers and supervisors, which know no API version
    path("admin/", admin.site.urls),
    path("admin", public(RedirectView.as_view(pattern_name="admin:index")), name="admin_without_slash"),
    path("api/docs", DocsView.as_view(), name="api-docs"),
    re_path(r"^api(?:/.*)?$", UnknownPath.as_view()),
]


def _by_path(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Django's error hooks serve pages and API alike: each gets its own kind of answer. Any stranger can bring about
    what Django refuses, as by too many fields, so the log gets one line."""

    def handler(request: HttpRequest, exception: Exception) -> HttpResponse:
        refusal = as_product_error(exception)
        logger.info("%s at %s: %s", refusal.code, request.path, refusal.message)
        response = error_response(refusal, request) if is_api(request) else page(request, refusal)
        keep_out_of_log(response)
        return response

    return handler


def handler500(request: HttpRequest) -> HttpResponse:
    """Also for what fails before a view is reached: the session, the actor."""
    unavailable = reason_unavailable(sys.exception())
    if unavailable is not None:
        logger.warning("Unavailable at %s: %s", request.path, sys.exception())
    if is_api(request):
        code = "SYS_INTERNAL" if unavailable is None else "SYS_UNAVAILABLE"
        return error_response(ProductError(unavailable, code=code), request)
    return pages.server_error(request) if unavailable is None else pages.unavailable(request, unavailable)


handler400 = _by_path(pages.bad_request)
handler403 = _by_path(pages.permission_denied)
handler404 = _by_path(pages.page_not_found)
