"""Where a page leads after an edit that may have been stored as a proposal."""

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from policies.models import Proposal
from stellapromote.web.htmx import go_to

T = TypeVar("T")


def go_to_proposal(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    """Says that nothing changed yet, and shows what waits for a second person."""
    messages.warning(request, "Nothing changed yet: this waits until a second person confirms it.")
    return go_to(request, reverse("proposal", args=[proposal.pk]))


def unless_proposed(request: HttpRequest, then: Callable[[T], HttpResponse]) -> Callable[[T | Proposal], HttpResponse]:
    """The answer to an edit: that of `then` for what it changed, the page of the proposal for one that waits."""

    def answer(made: T | Proposal) -> HttpResponse:
        return go_to_proposal(request, made) if isinstance(made, Proposal) else then(made)

    return answer
