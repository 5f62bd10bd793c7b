"""Where a page leads after an edit that was stored as a proposal."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from policies.models import Proposal
from stellapromote.web.htmx import go_to


def go_to_proposal(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    """Says that nothing changed yet, and shows what waits for a second person."""
    messages.warning(request, _("Nothing changed yet: this waits until a second person confirms it."))
    return go_to(request, reverse("proposal", args=[proposal.pk]))
