"""The figures of the installation for Prometheus (docs/metrics.md)."""

import hmac
from ipaddress import ip_address

from django.conf import settings
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from promotions.worker.metrics import figures_as_text
from stellapromote.api.declarations import PUBLIC, Answer
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiView
from stellapromote.errors import Refused
from stellapromote.web.client_address import client_address


class MetricsRefused(Refused):
    """Neither the address nor the token of the caller may read the figures of the installation."""

    code = "PERM_METRICS"


class MetricsView(ApiView):
    """Without a tenant's token: the figures are those of all tenants together, and no tenant may give a right to read
    what others do. Neither check needs the database."""

    tag = "Operations"
    scopes = {"get": PUBLIC}
    answers = {"get": Answer(media_type="text/plain")}
    refusals = {"get": ["PERM_METRICS"]}
    counted = False

    def get(self, request: ApiRequest) -> ApiResponse:
        """The figures, in the text format of Prometheus"""
        if not (_has_token(request) or _is_allowed(request)):
            raise MetricsRefused
        return ApiResponse(figures_as_text(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: ApiRequest) -> bool:
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if not settings.METRICS_TOKEN or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())


def _is_allowed(request: ApiRequest) -> bool:
    """A proxy that TRUSTED_PROXIES does not name gives its own address to every request that it forwards: those are not
    allowed by it."""
    address = request.client_address
    if address is None:
        return False
    peer = client_address(request.META.get("REMOTE_ADDR", ""), "", settings.TRUSTED_PROXIES)
    if "HTTP_X_FORWARDED_FOR" in request.META and address == peer:
        return False
    return any(ip_address(address) in network for network in settings.METRICS_ALLOW)
