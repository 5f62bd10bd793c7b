"""Every answer that is not 2xx is the one envelope, whoever refuses; a failure shows nothing of the inside."""

import re
from typing import Any

import pytest
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.db.models import ProtectedError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.test import Client
from rest_framework import exceptions as drf

from stellapromote.accounts.models import Team
from stellapromote.api.exceptions import as_product_error, field_errors
from stellapromote.errors import CODES, RuleViolation
from tests.stellapromote.api.conftest import Caller


def caused(error: Exception, sqlstate: str) -> Exception:
    cause = Exception("constraint promotions_secret_name")
    cause.sqlstate = sqlstate  # type: ignore[attr-defined]
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuleViolation(code="PROM_BLOCKED"), "PROM_BLOCKED"),
        (Http404("No Promotion matches the given query."), "RES_NOT_FOUND"),
        (PermissionDenied("inside"), "PERM_DENIED"),
        (drf.NotFound(), "RES_NOT_FOUND"),
        (drf.PermissionDenied(), "PERM_DENIED"),
        (drf.NotAuthenticated(), "AUTH_TOKEN_MISSING"),
        (drf.AuthenticationFailed(), "AUTH_TOKEN_INVALID"),
        (drf.ParseError(), "VAL_MALFORMED_JSON"),
        (drf.UnsupportedMediaType("x"), "VAL_UNSUPPORTED_MEDIA_TYPE"),
        (drf.NotAcceptable(), "VAL_NOT_ACCEPTABLE"),
        (drf.Throttled(7), "SYS_RATE_LIMITED"),
        (drf.ValidationError({"name": ["no"]}), "VAL_INVALID"),
        (drf.APIException("inside"), "SYS_INTERNAL"),
        (DjangoValidationError({"name": ["no"]}), "VAL_INVALID"),
        (DjangoValidationError("no"), "VAL_INVALID"),
        (OperationalError("connection refused at 10.0.0.1"), "SYS_UNAVAILABLE"),
        (InterfaceError("closed"), "SYS_UNAVAILABLE"),
        (DataError("integer out of range"), "VAL_INVALID"),
        (caused(IntegrityError(), "23505"), "RES_DUPLICATE"),
        (caused(IntegrityError(), "23503"), "RES_IN_USE"),
        (caused(IntegrityError(), "23514"), "SYS_INTERNAL"),  # a check constraint: the action should have refused
        (IntegrityError(), "SYS_INTERNAL"),
        (ProgrammingError("relation"), "SYS_INTERNAL"),
        (ProtectedError("x", set()), "RES_IN_USE"),
        (RequestDataTooBig(), "VAL_BODY_TOO_LARGE"),
        (UnreadablePostError(), "VAL_MALFORMED_JSON"),
        (TooManyFieldsSent("inside"), "VAL_BODY_TOO_LARGE"),
        (TooManyFilesSent("inside"), "VAL_BODY_TOO_LARGE"),
        (MultiPartParserError("inside"), "VAL_INVALID"),
        (BadRequest("inside"), "VAL_INVALID"),
        (DisallowedHost("evil"), "VAL_INVALID"),
        (RuntimeError("inside"), "SYS_INTERNAL"),
        (KeyError("inside"), "SYS_INTERNAL"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_exception_has_a_code_and_says_nothing_of_the_inside(error: Exception, code: str) -> None:
    refusal = as_product_error(error)
    assert refusal.code == code
    assert not re.search("inside|promotions_|10.0.0.1|relation|matches", refusal.message)


@pytest.mark.parametrize(
    ("detail", "places"),
    [
        ({"a": ["x"]}, [("a", "x")]),
        ({"a": {"b": ["x", "y"]}}, [("a.b", "x"), ("a.b", "y")]),
        ({"a": {1: {"b": ["x"]}}}, [("a[1].b", "x")]),
        ({"a": [{}, {"b": ["x"]}]}, [("a[1].b", "x")]),
        ({"non_field_errors": ["x"]}, [("body", "x")]),
        ({"a": {"non_field_errors": ["x"]}}, [("a", "x")]),
        (["x"], [("body", "x")]),
    ],
)
def test_places_are_dotted_paths(detail: Any, places: list[tuple[str, str]]) -> None:
    assert [(error.field, error.message) for error in field_errors(detail)] == places


def assert_envelope(response: Any, status: int, code: str) -> None:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert body.keys() == {"success", "error", "meta"}
    assert body["success"] is False
    assert body["error"]["code"] == code
    assert body["error"].keys() <= {"code", "message", "details", "validationErrors"}
    assert body["error"]["message"]
    assert body["meta"].keys() == {"requestId", "timestamp"}
    assert body["meta"]["requestId"] == response.headers["X-Request-Id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["meta"]["timestamp"])
    assert CODES[code].status == status


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nope",
        "/api/v2/teams",
        "/api/v1/teams/",
        "/api/v1//teams",
        "/api/v1/Teams",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "FOO"])
def test_an_unknown_path(path: str, method: str, db: None) -> None:
    assert_envelope(Client().generic(method, path), 404, "RES_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/api/v1/teams", "GET, HEAD, POST"),
        ("OPTIONS", "/api/v1/teams", "GET, HEAD, POST"),
        ("FOO", "/api/v1/teams", "GET, HEAD, POST"),
        ("TRACE", "/api/v1/teams", "GET, HEAD, POST"),
        ("POST", "/api/v1/who", "GET, HEAD"),
        ("POST", "/api/v1/teams/00000000-0000-7000-8000-000000000000", "DELETE, GET, HEAD, PATCH, PUT"),
        ("dispatch", "/api/v1/teams", "GET, HEAD, POST"),
    ],
)
def test_a_wrong_method_names_the_right_ones(method: str, path: str, allow: str, db: None) -> None:
    response = Client().generic(method, path)
    assert_envelope(response, 405, "RES_METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == allow


def test_a_failure_is_logged_with_the_request_and_shows_nothing(
    admin: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    seen = []
    got_request_exception.connect(receiver := lambda **about: seen.append(about["request"].path))
    response = admin.call("POST", f"/api/v1/teams/{team.id}/rename_then_fail")
    assert_envelope(response, 500, "SYS_INTERNAL")
    assert b"machine room" not in response.content
    assert b"RuntimeError" not in response.content
    assert "the secret of the machine room" in caplog.text
    assert seen == [f"/api/v1/teams/{team.id}/rename_then_fail"]
    got_request_exception.disconnect(receiver)


def test_a_value_that_the_database_refuses_is_400(db: None) -> None:
    assert_envelope(Client().post("/api/v1/open", {}, content_type="application/json"), 400, "VAL_INVALID")


def test_a_database_that_does_not_answer_is_503(admin: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("stellapromote.api.authentication.actor_for_token", refuse)
    response = admin.call("GET", "/api/v1/who")
    assert_envelope(response, 503, "SYS_UNAVAILABLE")
    assert response.headers["Retry-After"] == "5"


def test_a_public_call_needs_nobody(db: None) -> None:
    assert Client().get("/api/v1/open").json() == {"hello": "world"}
    assert Client().get("/api/v1/open", headers={"Authorization": "Bearer x"}).status_code == 200
