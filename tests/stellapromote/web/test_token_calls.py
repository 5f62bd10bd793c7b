"""A call by token is judged by its header alone, whatever cookies come with it."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import Resolver404, URLPattern, get_resolver, resolve

from stellapromote.web.token_calls import API, match
from tests.factories import make_person, make_ready_tenant, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def token() -> str:
    tenant = make_ready_tenant()
    return make_token(tenant, make_person(tenant, "tomas", roles=["operator"]))


def test_a_session_beside_a_bad_token_does_not_count(client: Client, token: str) -> None:
    client.cookies["sessionid"] = "anything"
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer spt_wrong"}).status_code == 401


def test_the_answer_does_not_depend_on_cookies(client: Client, token: str) -> None:
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert "Vary" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Length"] == str(len(answer.content))


def test_a_host_that_is_not_ours_is_refused(client: Client, token: str) -> None:
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}", "Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VAL_INVALID")
    [problem] = answer.json()["error"]["validationErrors"]
    assert (problem["field"], problem["message"]) == ("Host", answer.json()["error"]["message"])
    assert "ALLOWED_HOSTS" in problem["message"]


def test_an_unknown_path_is_the_documented_404(client: Client, token: str) -> None:
    answer = client.get("/api/v1/nothing", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RES_NOT_FOUND")


def test_a_head_has_the_length_of_its_get(client: Client, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert (
        client.head("/api/v1/me", headers=headers).headers["Content-Length"]
        == client.get("/api/v1/me", headers=headers).headers["Content-Length"]
    )


def routes(patterns: Any = None, before: str = "/") -> Iterator[str]:
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from routes(each.url_patterns, route)


ROUTES_WITH_IDS = sorted({each for each in routes() if each.startswith(API) and "<uuid:" in each and "^" not in each})


def with_ids(route: str) -> str:
    """A path of the route; every other place holds a word."""
    parts = route.split("<")
    return parts[0] + "".join(
        (str(uuid4()) if part.startswith("uuid:") else "word") + part.partition(">")[2] for part in parts[1:]
    )


def test_there_are_routes_with_ids() -> None:
    assert f"{API}promotions/<uuid:pk>/approve" in ROUTES_WITH_IDS


@pytest.mark.parametrize("route", ROUTES_WITH_IDS)
def test_each_id_is_that_of_the_path_at_every_call(route: str) -> None:
    for _ in range(3):
        path = with_ids(route)
        try:
            expected = resolve(path)
        except Resolver404:
            pytest.fail(f"{path} of {route} is not found")
        found = match(path)
        assert (found.func, found.args, found.kwargs) == (expected.func, expected.args, expected.kwargs)


AN_ID = "0191d2f0-0000-7000-8000-00000000abcd"


@pytest.mark.parametrize("segment", ["<id>", f"x{AN_ID}", f"{AN_ID}x", AN_ID.upper(), f"{AN_ID}%0A"])
def test_what_only_looks_like_an_id_is_none(segment: str) -> None:
    match(f"{API}promotions/{uuid4()}/approve")
    path = f"{API}promotions/{segment}/approve"
    found, expected = match(path), resolve(path)
    assert (found.func, found.kwargs) == (expected.func, expected.kwargs)
