"""validationErrors[].code has one form, whoever read the body: a word in lower case (docs/errors.md has the codes)."""

from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from stellapromote.accounts.scopes import ROLES
from tests.calling import Caller, caller
from tests.factories import make_person
from tests.promotions.api.world import World

PREFIX = "api/v1/"
RULE = {"name": "release", "teams": ["release"]}


def collections() -> list[str]:
    """Every path of the API without a parameter that takes a POST."""
    found: set[str] = set()

    def walk(patterns: list[Any], before: str) -> None:
        for pattern in patterns:
            path = before + str(pattern.pattern).lstrip("^").rstrip("$")
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern) and "post" in (getattr(pattern.callback, "actions", None) or {}):
                found.add(path)

    walk(get_resolver().url_patterns, "")
    return sorted(each.removeprefix(PREFIX) for each in found if each.startswith(PREFIX) and "<" not in each)


@pytest.fixture
def everything(world: World) -> Caller:
    return caller(world.tenant, make_person(world.tenant, "everything", roles=ROLES))


def words(response: Any, field: str) -> list[str]:
    assert response.status_code == 400, response.content
    return [each["code"] for each in response.json()["error"]["validationErrors"] if each["field"] == field]


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
        ("POST", "approval-policies", {"name": "other", "rules": "x"}, "rules", "invalid"),
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
