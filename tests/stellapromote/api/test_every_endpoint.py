"""Promises about every call that the product has, whoever wrote it."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver

from stellapromote.accounts.scopes import SCOPES
from stellapromote.api import schema
from stellapromote.api.contract import as_markdown
from stellapromote.api.declarations import MEMBER, PUBLIC
from stellapromote.api.schema import openapi
from stellapromote.api.views import ApiView, UnknownPath

URLCONF = "stellapromote.urls"
CONTRACT = Path(__file__).parents[3] / "docs" / "api.md"
NOWHERE = "00000000-0000-7000-8000-000000000000"

# Calls without authentication, each with its reason.
OPEN = {
    ("GET", "/api/v1/schema"): "the contract holds no data of anybody",
    ("GET", "/api/v1/healthz"): "for supervisors, which hold no token",
    ("GET", "/api/v1/readyz"): "for load balancers, which hold no token",
    ("GET", "/api/v1/evidence/keys"): "evidence is verified by who has no account (contract.md)",
}


@pytest.fixture(autouse=True)
def _product_api(_conventions_api: None) -> Iterator[None]:
    with override_settings(ROOT_URLCONF=URLCONF):
        yield


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in openapi(URLCONF)["paths"].items()
        for method, operation in item.items()
    ]


EVERY = [pytest.param(method, path, operation, id=f"{method} {path}") for method, path, operation in operations()]


def concrete(path: str) -> str:
    return (
        re.sub(r"\{[^}]*(?:number|version)\}", "1", re.sub(r"\{(?:\w*_)?id\}", NOWHERE, path))
        .replace("{name}", "nothing")
        .replace("{slug}", "nothing")
        .replace("{username}", "nobody")
        .replace("{gate}", "nothing")
    )


def views(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, path)
        else:
            yield path, pattern


API_VIEWS = [(path, pattern) for path, pattern in views(get_resolver(URLCONF).url_patterns) if path.startswith("api")]


@pytest.mark.parametrize(("path", "pattern"), API_VIEWS, ids=[path for path, _ in API_VIEWS])
def test_everything_below_api_is_built_on_the_conventions(path: str, pattern: URLPattern) -> None:
    if path == "api/docs":
        return  # a page
    assert issubclass(pattern.callback.cls, ApiView)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("path", "pattern"), API_VIEWS, ids=[path for path, _ in API_VIEWS])
def test_a_path_that_names_something_can_tell_whether_it_is_there(path: str, pattern: URLPattern) -> None:
    view = getattr(pattern.callback, "cls", None)
    if view is not None and not issubclass(view, UnknownPath) and "<" in path:
        assert view.resource is not ApiView.resource


def test_the_document_is_valid_and_complete_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    document = schema._made.__wrapped__(URLCONF)
    assert capsys.readouterr().err == ""
    schemathesis.openapi.from_dict(document)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("method", "path", "operation"), EVERY)
def test_a_call_says_in_a_sentence_what_it_does(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation.get("summary")
    assert operation["tags"][0]


@pytest.mark.parametrize(("method", "path", "operation"), EVERY)
def test_a_call_names_its_right(method: str, path: str, operation: dict[str, Any]) -> None:
    scopes = operation["x-required-scope"]
    named = {scopes} if isinstance(scopes, str) else set(scopes)
    assert named <= {*SCOPES, MEMBER, PUBLIC}
    assert (PUBLIC in named) == ((method, path) in OPEN)


@pytest.mark.parametrize(("method", "path", "operation"), EVERY)
@pytest.mark.django_db
def test_a_call_asks_who_calls(method: str, path: str, operation: dict[str, Any]) -> None:
    if (method, path) in OPEN:
        return
    for headers, code in [({}, "AUTH_TOKEN_MISSING"), ({"Authorization": "Bearer x"}, "AUTH_TOKEN_INVALID")]:
        response = Client().generic(method, concrete(path), b"{", content_type="application/json", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (401, code)


@pytest.mark.parametrize(("method", "path", "operation"), EVERY)
@pytest.mark.django_db
def test_a_call_refuses_a_method_that_it_does_not_have(method: str, path: str, operation: dict[str, Any]) -> None:
    response = Client().generic("BREW", concrete(path))
    assert response.status_code == 405
    assert method in response.headers["Allow"].split(", ")


def test_the_documented_contract_is_that_of_this_code() -> None:
    written = as_markdown(openapi(URLCONF))
    assert CONTRACT.read_text() == written, "write it again: python manage.py api_contract > docs/api.md"


def test_the_command_prints_the_contract() -> None:
    printed = StringIO()
    call_command("api_contract", stdout=printed)
    assert printed.getvalue() == as_markdown(openapi(URLCONF))
