"""The way from a page to an action and back."""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest, HttpResponse

from stellapromote.accounts.actor import Actor
from stellapromote.audit.refusals import note_refused_request
from stellapromote.errors import ProductError
from stellapromote.web.forms import ActionFields
from stellapromote.web.htmx import wants_fragment
from stellapromote.web.kept_forms import NotSent, is_shown_again
from stellapromote.web.refusals import with_retry_after

T = TypeVar("T")


def acting(request: HttpRequest) -> Actor:
    """The person in their active tenant; the middleware lets no other request through to pages that need one."""
    actor = getattr(request, "actor", None)
    assert isinstance(actor, Actor)
    return actor


def carry_out(
    request: HttpRequest,
    action: Callable[[], T],
    *,
    form: ActionFields | None = None,
    again: Callable[[ProductError | None], HttpResponse],
    then: Callable[[T], HttpResponse],
) -> HttpResponse:
    """Runs the action once the form takes its input. `then` answers with the result.

    Otherwise `again` answers: the page with the input in its form, with status 200 before any input, 400 for input that
    the form refuses, and else that of the refusal. Errors of fields stand in the form; `again` gets any other. htmx
    gets that as a toast, and a person who may not see the page gets it as a page of its own. A form that is shown again
    after signing in (kept_forms) runs nothing.
    """
    if is_shown_again(request):
        return _with_status(again(NotSent()), 200)
    if form is not None and not form.is_valid():
        return _with_status(again(None), 400 if form.is_bound else 200)
    try:
        result = action()
    except ProductError as refusal:
        return _refused(request, refusal, form, again)
    return then(result)


def _refused(
    request: HttpRequest,
    refusal: ProductError,
    form: ActionFields | None,
    again: Callable[[ProductError | None], HttpResponse],
) -> HttpResponse:
    told = form is not None and form.show_refusal(refusal)
    if not told and wants_fragment(request):
        raise refusal
    try:
        page = again(None if told else refusal)
    except ProductError:
        raise refusal from None
    note_refused_request(request, refusal.code)
    return with_retry_after(_with_status(page, refusal.status), refusal)


def _with_status(page: HttpResponse, status: int) -> HttpResponse:
    page.status_code = status
    return page
