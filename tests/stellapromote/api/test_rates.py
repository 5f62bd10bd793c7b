"""Calls in a minute: for each token, for the person of a session, and for an address without either."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings

from stellapromote.api import rates, views
from stellapromote.api.rates import MOST_BUCKETS, TokenBuckets
from tests.factories import make_person, make_tenant, make_token

LIMIT = 3


@pytest.fixture(autouse=True)
def _three_a_minute(monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[None]:
    monkeypatch.setattr(views, "BUCKETS", TokenBuckets())
    with override_settings(API_RATE_LIMIT=LIMIT, ROOT_URLCONF="stellapromote.urls"):
        yield


def call(token: str = "", path: str = "/api/v1/me", address: str = "192.0.2.1", **headers: str) -> HttpResponse:
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    answer: Any = Client().get(path, headers={**sent, **headers}, REMOTE_ADDR=address)
    return answer


def token_of(name: str) -> str:
    tenant = make_tenant(name)
    return make_token(tenant, make_person(tenant, name, roles=["viewer"]), scopes=["promotion:read"])


def statuses(token: str = "", times: int = LIMIT + 1, **options: str) -> list[int]:
    return [call(token, **options).status_code for _ in range(times)]


def test_each_answer_says_what_is_left() -> None:
    token = token_of("nia")
    left = [call(token)["X-RateLimit-Remaining"] for _ in range(LIMIT)]
    answer = call(token)
    assert left == ["2", "1", "0"]
    assert (answer["X-RateLimit-Limit"], answer["X-RateLimit-Remaining"]) == (str(LIMIT), "0")
    assert 59 <= int(answer["X-RateLimit-Reset"]) <= 60


def test_a_call_too_many_is_refused_with_the_time_to_wait() -> None:
    token = token_of("nia")
    assert statuses(token) == [200] * LIMIT + [429]
    answer = call(token)
    assert answer.json()["error"]["code"] == "SYS_RATE_LIMITED"  # type: ignore[attr-defined]
    assert 1 <= int(answer["Retry-After"]) <= 20


def test_each_token_has_its_own_calls() -> None:
    first, second = token_of("nia"), token_of("mei")
    assert statuses(first) == [200] * LIMIT + [429]
    assert call(second).status_code == 200


def test_a_refused_call_changes_nothing_and_is_refused_before_its_body_is_read() -> None:
    token = token_of("nia")
    statuses(token, LIMIT)
    answer = Client().post("/api/v1/releases", b"{", "text/plain", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 429


def test_wrong_credentials_use_up_the_calls_of_an_address_and_no_others() -> None:
    token = token_of("nia")
    assert statuses("spt_wrong") == [401] * LIMIT + [429]
    assert statuses("", 1) == [429]
    assert call("", address="192.0.2.2").status_code == 401
    assert call(token).status_code == 200


def test_a_token_for_another_tenant_is_counted_for_the_address() -> None:
    token = token_of("nia")
    refused = [call(token, **{"X-Stella-Tenant": "other"}).status_code for _ in range(LIMIT + 1)]
    assert refused == [403] * LIMIT + [429]
    assert call(token).status_code == 200


def test_public_calls_are_counted_for_the_address() -> None:
    assert statuses(path="/api/v1/evidence/keys") == [200] * LIMIT + [429]
    assert statuses(path="/api/v1/evidence/keys", address="192.0.2.2", times=1) == [200]


@pytest.mark.parametrize("path", ["/api/v1/healthz", "/healthz", "/api/v1/readyz"])
def test_health_is_always_answered(path: str) -> None:
    assert 429 not in statuses(path=path)


def test_a_person_who_is_signed_in_has_calls_of_their_own() -> None:
    tenant = make_tenant("kestrel")
    client = Client()
    client.force_login(make_person(tenant, "nia", roles=["viewer"]))
    assert [client.get("/api/v1/me").status_code for _ in range(LIMIT + 1)] == [200] * LIMIT + [429]
    assert client.get("/promotions").status_code == 200


@override_settings(API_RATE_LIMIT=0)
def test_no_limit_says_nothing() -> None:
    token = token_of("nia")
    assert statuses(token, 10) == [200] * 10
    assert "X-RateLimit-Limit" not in call(token)


def test_a_bucket_fills_up_again_and_never_beyond_a_minute() -> None:
    buckets = TokenBuckets()
    taken = [buckets.take("a", 6, now) for now in (0, 0, 0, 0, 0, 0, 0, 9, 10, 10, 1000)]
    assert [each.wait for each in taken] == [0] * 6 + [10, 1, 0, 10, 0]
    assert [each.remaining for each in taken] == [5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 5]
    assert [each.reset for each in taken] == [10, 20, 30, 40, 50, 60, 60, 51, 60, 60, 10]


def test_a_refused_call_costs_nothing() -> None:
    buckets = TokenBuckets()
    for _ in range(6):
        buckets.take("a", 6, 0)
    assert [buckets.take("a", 6, 5).wait for _ in range(50)] == [5] * 50
    assert buckets.take("a", 6, 10).wait == 0


def test_the_bucket_that_was_used_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_BUCKETS", 2)
    buckets = TokenBuckets()
    for caller in ("a", "b", "a", "c"):
        buckets.take(caller, 6, 0)
    assert [buckets.take(caller, 6, 0).remaining for caller in ("a", "b")] == [3, 5]
    assert MOST_BUCKETS == 10_000
