from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from stellapromote.web.access import public


@public
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """The icon, for browsers that ask at this address without having read the page's head."""
    return redirect(static("favicon.svg"))
