"""Every non-2xx answer of the API comes from here (contract.md, errors): one envelope, one list of codes."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from rest_framework import exceptions as drf

from stellapromote.api.authentication import NotAuthenticated, request_id_of
from stellapromote.api.envelope import envelope, retry_after
from stellapromote.api.rendering import ApiResponse
from stellapromote.audit.refusals import note_refused_request
from stellapromote.database.errors import reason_unavailable
from stellapromote.errors import Conflict, FieldError, Invalid, ProductError, Refused

logger = logging.getLogger(__name__)

_UNIQUE_VIOLATION = "23505"
_FOREIGN_KEY_VIOLATION = "23503"


class NotFound(ProductError):
    """No such path, or no such object in the caller's tenant: the answers are the same."""

    code = "RES_NOT_FOUND"


class MethodNotAllowed(ProductError):
    code = "RES_METHOD_NOT_ALLOWED"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(allowed))
        super().__init__(f"This path takes {self.allow or 'no method'}.")


def exception_handler(error: Exception, context: Mapping[str, Any]) -> ApiResponse:
    """The answer for any exception that leaves a view. Never raises, never returns None."""
    request = context["request"]
    refusal = as_product_error(error)
    if refusal.code == "SYS_INTERNAL":
        logger.error("Unexpected %s at %s", type(error).__name__, request.path, exc_info=error)
        got_request_exception.send(sender=type(context.get("view")), request=getattr(request, "_request", request))
    elif refusal.status == 503:
        logger.warning("Unavailable at %s: %s", request.path, error)
    else:
        logger.info("%s at %s: %s", refusal.code, request.path, refusal.message)
        note_refused_request(getattr(request, "_request", request), refusal.code)
    return error_response(refusal, request)


def error_response(error: ProductError, request: Any) -> ApiResponse:
    """The envelope of contract.md for a refusal, also for Django's error hooks under /api/."""
    headers = retry_after(error)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allow
    response = ApiResponse(envelope(error, request_id_of(request)), status=error.status, headers=headers)
    # Django would log every refusal again, without saying which.
    response._has_been_logged = True
    return response


def as_product_error(error: Exception) -> ProductError:
    """The refusal that stands for an exception; SYS_INTERNAL, without its text, for an unexpected one."""
    if isinstance(error, ProductError):
        return error
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, drf.APIException):
        return _from_drf(error)
    # Both are IntegrityErrors of their own kind, so they come first.
    if isinstance(error, ProtectedError | RestrictedError):
        return Conflict(code="RES_IN_USE")
    if isinstance(error, DatabaseError | InterfaceError):
        return _from_database(error)
    if isinstance(error, PermissionDenied):
        return Refused("You may not do this.")
    if isinstance(error, DjangoValidationError):
        return Invalid(fields=_django_fields(error))
    if isinstance(error, RequestDataTooBig):
        return Invalid("The request is larger than is taken here: send less.", code="VAL_BODY_TOO_LARGE")
    if isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        message = "The request has more fields or files than are taken here: send fewer."
        return Invalid(message, code="VAL_BODY_TOO_LARGE")
    if isinstance(error, UnreadablePostError):
        return Invalid("The body ended before it was complete.", code="VAL_MALFORMED_JSON")
    if isinstance(error, SuspiciousOperation | BadRequest | MultiPartParserError):
        return Invalid("The request cannot be read.")
    return ProductError(code="SYS_INTERNAL")


def _from_database(error: Exception) -> ProductError:
    unavailable = reason_unavailable(error)
    if unavailable is not None:
        return ProductError(unavailable, code="SYS_UNAVAILABLE")
    if isinstance(error, DataError):
        return Invalid("A value cannot be stored: a number, a time or a text is out of range.")
    state = getattr(error.__cause__, "sqlstate", None)
    if isinstance(error, IntegrityError) and state in (_UNIQUE_VIOLATION, _FOREIGN_KEY_VIOLATION):
        # Two callers passed the same check at once; the constraint let one through.
        logger.info("A constraint decided between two calls: %s", error)
        return Conflict(code="RES_DUPLICATE" if state == _UNIQUE_VIOLATION else "RES_IN_USE")
    return ProductError(code="SYS_INTERNAL")


def _from_drf(error: drf.APIException) -> ProductError:
    if isinstance(error, drf.ValidationError):
        return Invalid(fields=field_errors(error.detail))
    codes: dict[type[drf.APIException], str] = {
        drf.ParseError: "VAL_MALFORMED_JSON",
        drf.NotFound: "RES_NOT_FOUND",
        drf.PermissionDenied: "PERM_DENIED",
        drf.NotAcceptable: "VAL_NOT_ACCEPTABLE",
        drf.UnsupportedMediaType: "VAL_UNSUPPORTED_MEDIA_TYPE",
        drf.Throttled: "SYS_RATE_LIMITED",
    }
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        missing = isinstance(error, drf.NotAuthenticated)
        return NotAuthenticated(code="AUTH_TOKEN_MISSING" if missing else "AUTH_TOKEN_INVALID")
    return ProductError(code=codes.get(type(error), "SYS_INTERNAL"))


def field_errors(detail: Any, path: str = "") -> Iterable[FieldError]:
    """DRF's nested details as a flat list of places in wire names: `rules[0].minApprovals`."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            if key == "non_field_errors":
                yield from field_errors(value, path)
            elif isinstance(key, int):
                yield from field_errors(value, f"{path}[{key}]")
            else:
                yield from field_errors(value, f"{path}.{key}" if path else str(key))
    elif isinstance(detail, list | tuple):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list | tuple)
            if not nested or value:
                yield from field_errors(value, f"{path}[{index}]" if nested else path)
    else:
        yield FieldError(path or "body", str(detail), str(getattr(detail, "code", "invalid")))


def _django_fields(error: DjangoValidationError) -> list[FieldError]:
    by_field = error.error_dict if hasattr(error, "error_dict") else {"body": error.error_list}
    return [
        FieldError(name if name != "__all__" else "body", message, single.code or "invalid")
        for name, errors in by_field.items()
        for single in errors
        for message in single.messages
    ]
