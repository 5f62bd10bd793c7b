"""A form that was posted after its session timed out: it comes back with its text once its person signs in again.

The sign-in page carries the fields, signed; nothing is stored for a stranger. After signing in, the address of the form
shows its page as after a refusal, with the text in the form: no action runs (acting.carry_out), and the transaction is
read-only. So signing in never casts a vote (docs/adr/0236).
"""

from collections.abc import Callable
from copy import copy
from datetime import timedelta
from typing import Any, Final, cast
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import InternalError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, resolve_url
from django.urls import resolve
from django.utils.datastructures import MultiValueDict

from stellapromote.errors import Conflict, ProductError
from stellapromote.web.access import View
from stellapromote.web.refusals import page_above, refusal_response

FIELD: Final = "kept"
"""The hidden field of the sign-in page, and the key of the session from then until the form is shown."""

LONGEST: Final = 64 * 1024
"""Characters of the hidden field. A form that would need more is lost, and the sign-in page says so."""

_LIFE: Final = timedelta(hours=1)
_SALT: Final = "stellapromote.kept-form"
_NEVER: Final = ("password", "secret", "token", "code")
"""Parts of names of fields that are not kept."""
_NOT_AT: Final = ("/accounts/", "/admin/", "/api/", "/welcome/")


class NotSent(Conflict):
    """The form is shown again; nothing was done."""

    code = "RES_STATE_CONFLICT"

    def __init__(self) -> None:
        super().__init__(
            "You were signed out before this was sent, so nothing was done. Look at it again, then send it."
        )


class _Session:
    timed_out_person: UUID | None


class _ShownAgain(HttpRequest):
    is_shown_again: bool
    kept_form: str


def kept_form(request: HttpRequest) -> str | None:
    """The posted fields and their address, signed, for the person whose session timed out; empty where that is too
    long. None for any other request."""
    person = cast("_Session", request.session).timed_out_person
    if request.method != "POST" or person is None or request.path.startswith(_NOT_AT):
        return None
    fields = {
        name: request.POST.getlist(name)
        for name in request.POST
        if not any(part in name.lower() for part in _NEVER)  # among them the CSRF token
    }
    form = {"path": request.get_full_path(), "fields": fields, "person": str(person)}
    kept = signing.dumps(form, salt=_SALT, compress=True)
    return kept if len(kept) <= LONGEST else ""


def sign_in_with(request: HttpRequest, kept: str) -> HttpResponseBase:
    """The sign-in page, which carries the form, or says that it is lost, and leads back to its address. 403, as nothing
    was done."""
    path = resolve_url(settings.LOGIN_URL)
    asked = _as(request, "GET", path, QueryDict())
    vars(asked)["GET"] = QueryDict(urlencode({"next": request.get_full_path()}))
    cast("_ShownAgain", asked).kept_form = kept
    response: HttpResponseBase = resolve(path).func(asked)
    if isinstance(response, HttpResponse):
        response.status_code = 403
    return response


def carried(request: HttpRequest) -> dict[str, Any]:
    """What the sign-in page says and carries: the form that this request could not send, or that of the page before.

    `kept`: the hidden field, empty for none; `is_new`: it comes with this request; `is_lost`: it was too long.
    """
    new = getattr(request, "kept_form", None)
    before = request.POST.get(FIELD, "")
    kept = new or (before if _read(before) is not None else "")
    return {"kept": kept, "is_new": bool(new), "is_lost": new == ""}


def keep_after_sign_in(request: HttpRequest) -> None:
    """Takes the form of the sign-in page into the session of the person who signs in."""
    kept = request.POST.get(FIELD, "")
    if _read(kept) is not None:
        request.session[FIELD] = kept


def is_shown_again(request: HttpRequest) -> bool:
    return getattr(request, "is_shown_again", False)


class KeptFormMiddleware:
    """Shows a kept form again at its address, once. Stands behind the middleware that finds the actor."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view_func: View,
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if request.method != "GET" or not request.user.is_authenticated or FIELD not in request.session:
            return None
        form = _read(request.session[FIELD])
        if form is None or form["person"] != str(request.user.pk):
            del request.session[FIELD]
            return None
        if form["path"] != request.get_full_path():
            return None
        del request.session[FIELD]
        fields = QueryDict(mutable=True)
        for name, values in form["fields"].items():
            fields.setlist(name, values)
        posted = _as(request, "POST", request.path, fields)
        cast("_ShownAgain", posted).is_shown_again = True
        return _show(posted, view_func, view_args, view_kwargs)


def _show(request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HttpResponseBase:
    """The answer of the view, which writes nothing. A view without a page of its own leads to the page above it."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
            return view(request, *args, **kwargs)
    except ProductError as refusal:
        return refusal_response(request, refusal)
    except InternalError:
        return redirect(page_above(request.path))


def _read(kept: str) -> dict[str, Any] | None:
    try:
        return cast("dict[str, Any]", signing.loads(kept, salt=_SALT, max_age=_LIFE))
    except signing.BadSignature:
        return None


def _as(request: HttpRequest, method: str, path: str, fields: QueryDict) -> HttpRequest:
    """The request with another method, path and fields, of the same person."""
    other = copy(request)
    other.method, other.path, other.path_info = method, path, path
    vars(other).update(_post=fields, _files=MultiValueDict())
    return other
