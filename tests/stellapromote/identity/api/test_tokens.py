"""One's own tokens over the API."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from stellapromote.accounts.models import ApiToken, Product, Tenant, User
from stellapromote.api.models import IdempotentAnswer
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import make_person, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

NOWHERE = "00000000-0000-7000-8000-000000000000"
SCOPES = ["promotion:approve", "promotion:read"]
NEW = {"name": "laptop", "scopes": SCOPES[::-1], "expiresDays": 30}
FIELDS = {
    *("id", "name", "publicId", "scopes", "products", "createdAt", "expiresAt", "lastUsedAt"),
    *("issuedBy", "issuedByName", "revokedAt", "revokedBy", "revokedByName"),
}


@pytest.fixture
def house() -> House:
    return make_house()


@pytest.fixture
def nia(house: House) -> Client:
    return signed_in(house.nia)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, method: str, path: str, data: Any = None, **headers: str) -> Any:
    body = b"" if data is None else json.dumps(data).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.generic(method, f"/api/v1{path}", body, content_type="application/json" if body else "", headers=sent)


def made(tenant: Tenant, slug: str, **values: Any) -> None:
    now = DATABASE_CLOCK.now()
    Product.objects.create(tenant=tenant, slug=slug, display_name=slug, created_at=now, updated_at=now, **values)


def issued(client: Client, **change: Any) -> dict[str, Any]:
    response = send(client, "POST", "/tokens", {**NEW, **change})
    assert response.status_code == 201, response.content
    token: dict[str, Any] = response.json()
    return token


def test_a_token_is_issued_signed_in_and_shown_once(house: House, nia: Client) -> None:
    response = send(nia, "POST", "/tokens", NEW)
    answer = response.json()
    assert (response.status_code, response["Cache-Control"], set(answer)) == (201, "no-store", {*FIELDS, "token"})
    assert (answer["scopes"], answer["issuedByName"]) == (SCOPES, "nia")
    me = Caller(answer["token"]).get("/me").json()
    assert (me["username"], me["scopes"], me["tokenId"]) == ("nia", SCOPES, answer["id"])
    row = ApiToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(days=30)
    listed = send(nia, "GET", "/tokens")
    assert answer["token"] not in listed.text
    shown = {name: value for name, value in answer.items() if name not in ("token", "lastUsedAt")}
    assert [{**each, "lastUsedAt": None} for each in listed.json()["data"]] == [{**shown, "lastUsedAt": None}]


def test_a_token_is_limited_to_products(house: House) -> None:
    made(house.tenant, "ledger")
    scopes = ["release:read", "release:write"]
    token = issued(signed_in(house.tomas), scopes=scopes, products=["ledger"])
    assert (token["scopes"], token["products"]) == (scopes, ["ledger"])
    assert send(signed_in(house.tomas), "GET", "/tokens").json()["data"][0]["products"] == ["ledger"]
    row = ApiToken.objects.get()
    assert (row.scopes, row.product_scopes, row.products) == (["release:read"], ["release:write"], ["ledger"])


def test_a_token_lives_ninety_days_where_nothing_is_said(nia: Client) -> None:
    send(nia, "POST", "/tokens", {"name": "laptop", "scopes": ["promotion:read"]})
    row = ApiToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(days=90)


def test_the_secret_is_stored_nowhere(nia: Client) -> None:
    secret = issued(nia)["token"][20:63]
    send(nia, "POST", "/tokens", NEW, Idempotency_Key="once")
    events = json.dumps(list(AuditEvent.objects.values("before", "after", "metadata")), default=str)
    assert secret not in events
    assert last_event("token.issued").after is not None
    assert not IdempotentAnswer.objects.exists()


def test_a_repeated_key_issues_another_token(nia: Client) -> None:
    first, again = (send(nia, "POST", "/tokens", NEW, Idempotency_Key="once") for _ in range(2))
    assert (first.status_code, again.status_code, "Idempotency-Replayed" in again) == (201, 201, False)
    assert first.json()["token"] != again.json()["token"]
    assert ApiToken.objects.count() == 2


def test_a_token_issues_no_other(house: House) -> None:
    service = make_service(house.tenant, house.nia, scopes=["promotion:read"])
    for user in (house.nia, house.greta, service.user):
        body = {"name": "more", "scopes": ["promotion:read"]}
        assert refusal(caller(house.tenant, user).post("/tokens", body)) == (403, "PERM_DENIED")
    assert not ApiToken.objects.filter(name="more").exists()


def test_a_session_needs_its_csrf_token(house: House) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(house.nia)
    token = make_token(house.tenant, house.nia)
    for method, path, body in (("POST", "/tokens", NEW), ("DELETE", f"/tokens/{ApiToken.objects.get().pk}", None)):
        assert refusal(send(client, method, path, body)) == (403, "PERM_CSRF")
    assert Caller(token).get("/me").status_code == 200
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"scopes": ["tenant:admin"]}, "scopes"),
        ({"scopes": ["promotion:override"]}, "scopes"),
        ({"scopes": ["nonsense"]}, "scopes[0]"),
        ({"expiresDays": 0}, "expiresDays"),
        ({"expiresDays": 367}, "expiresDays"),
        ({"expiresDays": "30"}, "expiresDays"),
        ({"expiresDays": 1.5}, "expiresDays"),
        ({"expiresDays": None}, "expiresDays"),
        ({"userId": NOWHERE}, "userId"),
        ({"products": []}, "products"),
        ({"products": None}, "products"),
        ({"products": ["Not A Slug"]}, "products[0]"),
        ({"products": ["nothing"], "scopes": ["release:read"]}, "products[0]"),
        ({"products": ["theirs"], "scopes": ["release:read"]}, "products[0]"),
        ({"products": ["old"], "scopes": ["release:read"]}, "products[0]"),
        ({"products": ["ledger"]}, "scopes"),
    ],
)
def test_what_cannot_be_issued_is_said(house: House, nia: Client, change: dict[str, Any], field: str) -> None:
    made(house.tenant, "ledger")
    made(house.tenant, "old", archived_at=DATABASE_CLOCK.now())
    made(make_tenant(), "theirs")
    assert wrong_fields(send(nia, "POST", "/tokens", {**NEW, **change})) == [field]
    assert not ApiToken.objects.exists()


def test_a_member_without_a_role_issues_none(house: House) -> None:
    response = send(signed_in(make_person(house.tenant)), "POST", "/tokens", NEW)
    assert wrong_fields(response) == ["scopes"]


def test_tokens_are_those_of_the_caller_in_the_tenant(house: House, nia: Client) -> None:
    elsewhere = make_tenant()
    mine, theirs = issued(nia), issued(signed_in(house.greta), scopes=["tenant:admin"])
    make_person(elsewhere, "nia", roles=["viewer"])
    with_header = {"X_Stella_Tenant": elsewhere.slug}
    there = send(nia, "POST", "/tokens", {"name": "there", "scopes": ["release:read"]}, **with_header).json()
    found = {
        slug: [each["id"] for each in send(nia, "GET", "/tokens", X_Stella_Tenant=slug).json()["data"]]
        for slug in (house.tenant.slug, elsewhere.slug)
    }
    assert found == {house.tenant.slug: [mine["id"]], elsewhere.slug: [there["id"]]}
    assert theirs["id"] not in json.dumps(found)
    by_token = Caller(mine["token"]).get("/tokens").json()["data"]
    assert [each["id"] for each in by_token] == [mine["id"]]


def test_tokens_are_read_by_cursor_newest_first(nia: Client) -> None:
    names = [issued(nia, name=name)["name"] for name in ("a", "b", "c")]
    found, cursor = [], ""
    while cursor is not None:
        page = send(nia, "GET", f"/tokens?pageSize=2&cursor={cursor}").json()
        found += [each["name"] for each in page["data"]]
        cursor = page["meta"]["nextCursor"]
    assert found == names[::-1]


def test_a_token_is_revoked_for_ever(house: House, nia: Client) -> None:
    token = issued(nia)
    response = send(nia, "DELETE", f"/tokens/{token['id']}")
    assert (response.status_code, set(response.json())) == (200, FIELDS)
    assert (response.json()["revokedByName"], response.json()["revokedAt"] is None) == ("nia", False)
    assert refusal(Caller(token["token"]).get("/me")) == (401, "AUTH_TOKEN_REVOKED")
    assert send(nia, "DELETE", f"/tokens/{token['id']}").json() == response.json()
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1
    assert send(nia, "GET", "/tokens").json()["data"] == [response.json()]


def test_who_may_revoke_is_as_on_the_pages(house: House, nia: Client) -> None:
    place = f"/tokens/{issued(nia)['id']}"
    service = make_service(house.tenant, house.tomas, scopes=["release:read"])
    make_token(house.tenant, service.user)
    of_service = f"/tokens/{ApiToken.objects.get(user=service.user).pk}"
    machine = caller(house.tenant, make_service(house.tenant, house.nia, scopes=["release:read"]).user)
    for each in (caller(house.tenant, house.tomas), machine):
        assert refusal(each.delete(place)) == (403, "PERM_DENIED")
    assert refusal(send(nia, "DELETE", of_service)) == (403, "PERM_DENIED")
    assert send(signed_in(house.tomas), "DELETE", of_service).status_code == 200
    assert send(signed_in(house.greta), "DELETE", place).status_code == 200


def test_a_token_revokes_itself_alone(house: House, nia: Client) -> None:
    first, second = issued(nia, scopes=["release:read"]), issued(nia)
    assert refusal(Caller(first["token"]).delete(f"/tokens/{second['id']}")) == (403, "PERM_DENIED")
    assert Caller(second["token"]).get("/me").status_code == 200
    assert Caller(first["token"]).delete(f"/tokens/{first['id']}").status_code == 200
    assert refusal(Caller(first["token"]).get("/me")) == (401, "AUTH_TOKEN_REVOKED")
    admin = caller(house.tenant, house.greta, scopes=["tenant:admin"])
    assert admin.delete(f"/tokens/{second['id']}").status_code == 200


def test_a_token_that_is_not_there_is_404(house: House, nia: Client) -> None:
    elsewhere = make_tenant()
    mei = make_person(elsewhere, "mei", roles=["admin"])
    make_token(elsewhere, mei)
    theirs = ApiToken.objects.get(user=mei)
    for place in (f"/tokens/{theirs.pk}", f"/tokens/{NOWHERE}", "/tokens/x"):
        for query in ("", "?surprise=1"):
            assert refusal(send(nia, "DELETE", f"{place}{query}")) == (404, "RES_NOT_FOUND")
    own = issued(nia)["id"]
    assert refusal(send(nia, "DELETE", f"/tokens/{own}", If_Match='"x"')) == (400, "VAL_NOT_SUPPORTED")
    assert refusal(send(nia, "DELETE", f"/tokens/{own}?surprise=1")) == (400, "VAL_UNKNOWN_PARAMETER")
    assert not ApiToken.objects.exclude(revoked_at=None).exists()


def test_who_left_issues_and_revokes_nothing(house: House, nia: Client) -> None:
    token = issued(nia)
    caller(house.tenant, house.greta).post(f"/members/{house.nia.pk}/end", {"reason": "left"})
    for method, path, body in (
        ("POST", "/tokens", NEW),
        ("GET", "/tokens", None),
        ("DELETE", f"/tokens/{token['id']}", None),
    ):
        assert refusal(send(nia, method, path, body)) == (403, "PERM_TENANT_REQUIRED")
    assert ApiToken.objects.get(pk=token["id"]).revoked_at <= DATABASE_CLOCK.now()  # type: ignore[operator]
