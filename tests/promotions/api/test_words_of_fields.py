"""validationErrors[].code has one form, whoever read the body: a word in lower case (docs/errors.md has the codes).

Their messages are our own sentences, not those of the framework.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import validators
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import fields as drf_fields
from rest_framework import serializers

from stellapromote.accounts.scopes import ROLES
from stellapromote.api.exceptions import field_errors
from stellapromote.api.fields import LineField, StrictIntegerField, StrictListField
from tests.calling import Caller, caller
from tests.factories import make_person
from tests.promotions.api.world import World

PREFIX = "api/v1/"
RULE = {"name": "release", "teams": ["release"]}


WRONG: list[Any] = [
    *(drf_fields.empty, None, True, 0, -1, 2**53, 1.5, float("nan"), "", " ", "x" * 100_000, "a\nb", "\x00"),
    *("2026-02-30T08:00:00Z", "0001-01-01T00:00:00+01:00", [], {}, [None], [{}], [[]], [1] * 10_000, {"zzz": 1}),
]


def routes(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every path of the API with its pattern."""
    for each in resolver.url_patterns:
        path = before + str(each.pattern).lstrip("^").rstrip("$")
        if isinstance(each, URLResolver):
            yield from routes(each, path)
        elif path.startswith(PREFIX):
            yield path.removeprefix(PREFIX), each


def collections() -> list[str]:
    """Every path of the API without a parameter that takes a POST."""
    found = {
        path
        for path, pattern in routes(get_resolver())
        if "post" in (getattr(pattern.callback, "actions", None) or {}) and "<" not in path
    }
    return sorted(found)


def fields_of(field: serializers.Field[Any, Any, Any, Any]) -> Iterator[serializers.Field[Any, Any, Any, Any]]:
    """The field and everything inside of it."""
    yield field
    inside = [field.child] if hasattr(field, "child") else getattr(field, "fields", {}).values()
    for each in inside:
        yield from fields_of(each)


def fields() -> list[serializers.Field[Any, Any, Any, Any]]:
    """One field of each class that some body of the API has."""
    bodies = {
        body
        for _, pattern in routes(get_resolver())
        for body in getattr(getattr(pattern.callback, "cls", None), "bodies", {}).values()
    }
    return list({type(field): field for body in bodies for field in fields_of(body())}.values())


@pytest.fixture
def everything(world: World) -> Caller:
    return caller(world.tenant, make_person(world.tenant, "everything", roles=ROLES))


def words(response: Any, field: str) -> list[str]:
    assert response.status_code == 400, response.content
    return [each["code"] for each in response.json()["error"]["validationErrors"] if each["field"] == field]


def theirs() -> re.Pattern[str]:
    """Fits every sentence that the framework's fields and validators have for a wrong value."""
    kinds = (*vars(drf_fields).values(), serializers.Serializer, serializers.ListSerializer)
    said = [str(each) for kind in kinds for each in getattr(kind, "default_error_messages", {}).values()]
    said += [str(each.message) for each in vars(validators).values() if hasattr(each, "message")]
    forms = [re.sub(r"\\{\w+\\}|%\\\(\w+\\\)\w", ".*", re.escape(each)) for each in said]
    return re.compile("|".join(forms))


def said_by(field: serializers.Field[Any, Any, Any, Any], value: Any) -> list[str]:
    try:
        field.run_validation(value)
    except serializers.ValidationError as error:
        return [each.message for each in field_errors(error.detail)]
    except drf_fields.SkipField:
        pass
    return []


def test_every_field_says_what_is_wrong_in_our_words() -> None:
    found = fields()
    assert {StrictListField, StrictIntegerField, LineField} <= {type(field) for field in found}
    assert any(isinstance(field, serializers.ListSerializer) for field in found)
    said = {(type(field).__name__, each) for field in found for value in WRONG for each in said_by(field, value)}
    assert [each for each in sorted(said) if theirs().fullmatch(each[1])] == []
    assert {name for name, _ in said} >= {type(field).__name__ for field in found} - {"NoBody"}


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"components": "x"}, "components", "This must be a list."),
        ({"components": [1]}, "components[0]", "This must be a JSON object."),
        ({"components": [{}] * 201}, "components", "This has too many entries: give at most 200."),
        ({"sourceRef": {"authors": {}}}, "sourceRef.authors", "This must be a list."),
        ({"sourceRef": []}, "sourceRef", "This must be a JSON object."),
        ({"components": [{"tag": "t" * 129}]}, "components[0].tag", "This is too long: use at most 128 characters."),
    ],
)
def test_a_list_and_an_object_are_told_like_a_text(
    everything: Caller, body: dict[str, Any], field: str, message: str
) -> None:
    told = everything.post("/releases", {"name": "one", **body}).json()["error"]["validationErrors"]
    assert message in [each["message"] for each in told if each["field"] == field]


def test_collections_are_found() -> None:
    assert {"approval-policies", "environments", "promotion-policies", "promotions", "releases"} <= set(collections())


@pytest.mark.parametrize("path", collections())
def test_a_field_that_a_call_does_not_know_is_an_unknown_field(everything: Caller, path: str) -> None:
    response = everything.post(f"/{path}", {"zzz": 1})
    assert words(response, "zzz") == ["unknown_field"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "word"),
    [
        (
            "POST",
            "promotion-policies",
            {"name": "other", "gates": [{"kind": "approval", "zzz": 1}]},
            "gates[0].zzz",
            "",
        ),
        ("POST", "approval-policies", {"name": "other", "rules": [{"name": "a", "zzz": 1}]}, "rules[0].zzz", ""),
        ("PUT", "promotion-policies/default", {"zzz": 1}, "zzz", ""),
        ("POST", "promotion-policies", {"name": "other", "pendingTtl": "x"}, "pendingTtl", "invalid"),
        ("POST", "approval-policies", {"name": "other", "rules": "x"}, "rules", "not_a_list"),
        ("POST", "approval-policies", {"name": "anyone", "rules": [RULE]}, "name", "invalid"),
        (
            "POST",
            "approval-policies",
            {"name": "o", "rules": [RULE | {"teams": ["z"]}]},
            "rules[0].teams[0]",
            "invalid",
        ),
        ("POST", "promotion-policies", {"name": "other", "gates": [{"kind": "zzz"}]}, "gates[0].kind", "invalid"),
    ],
)
def test_inside_of_policy_documents_it_is_the_same_word(
    everything: Caller, method: str, path: str, body: dict[str, Any], field: str, word: str
) -> None:
    assert words(everything.call(method, f"/{path}", body), field) == [word or "unknown_field"]
