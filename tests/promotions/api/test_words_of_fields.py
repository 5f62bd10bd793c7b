"""validationErrors[].code has one form, whoever read the body: a word in lower case (docs/errors.md has the codes).

Their messages are our own sentences, not those of the framework.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import fields as drf_fields
from rest_framework import serializers

from stellapromote.accounts.scopes import ROLES
from stellapromote.api.fields import LineField, StrictIntegerField, StrictListField
from tests.calling import Caller, caller
from tests.factories import make_person
from tests.promotions.api.world import World

PREFIX = "api/v1/"
RULE = {"name": "release", "teams": ["release"]}


PLAIN = {"required", "null", "blank"}
"""Sentences of the framework that read like ours."""
NEVER_SAID = {"date", "make_aware", "overflow", "max_string_length"}
"""Our fields look at the value themselves, so the framework does not get to say these."""


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


def test_every_field_says_what_is_wrong_in_our_words() -> None:
    theirs = {
        (code, sentence)
        for kind in (*vars(drf_fields).values(), serializers.Serializer, serializers.ListSerializer)
        for code, sentence in getattr(kind, "default_error_messages", {}).items()
    }
    found = fields()
    assert {StrictListField, StrictIntegerField, LineField} <= {type(field) for field in found}
    assert any(isinstance(field, serializers.ListSerializer) for field in found)
    said = {(type(field).__name__, *each) for field in found for each in field.error_messages.items()}
    assert [each for each in sorted(said) if each[1:] in theirs and each[1] not in PLAIN | NEVER_SAID] == []


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"components": "x"}, "components", "This must be a list."),
        ({"components": [1]}, "components[0]", "This must be a JSON object."),
        ({"components": [{}] * 201}, "components", "This list may have at most 200 entries."),
        ({"sourceRef": {"authors": {}}}, "sourceRef.authors", "This must be a list."),
        ({"sourceRef": []}, "sourceRef", "This must be a JSON object."),
        ({"components": [{"tag": "t" * 129}]}, "components[0].tag", "This may have at most 128 characters."),
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
