"""Services and their owners over the API."""

from typing import Any

import pytest

from stellapromote.accounts.models import ApiToken, ServiceAccount, ServiceOwner, User
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_membership import end_membership
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import actor_of, make_person, make_product, make_service, make_tenant, make_token
from tests.stellapromote.identity.actions.cases import House, last_event, make_house

pytestmark = pytest.mark.django_db

NOWHERE = "00000000-0000-7000-8000-000000000000"
NEW = {"name": "ci", "owners": ["tomas"], "scopes": ["release:write", "release:read"]}


@pytest.fixture
def house() -> House:
    return make_house()


def as_caller(house: House, user: User) -> Caller:
    return caller(house.tenant, user)


def greta(house: House) -> Caller:
    return as_caller(house, house.greta)


def made(house: House, **more: Any) -> dict[str, Any]:
    response = greta(house).post("/services", {**NEW, **more})
    assert response.status_code == 201, response.content
    service: dict[str, Any] = response.json()
    return service


def place(service: dict[str, Any]) -> str:
    return f"/services/{service['id']}"


def owners(service: dict[str, Any]) -> list[str]:
    return [each["username"] for each in service["owners"]]


def test_a_service_is_added_and_shown(house: House) -> None:
    service = made(house)
    stored = ServiceAccount.objects.get()
    owner = service["owners"][0]
    assert service == {
        "id": str(stored.pk),
        "name": "ci",
        "accountId": str(stored.user_id),
        "username": "kestrel-pay.ci",
        "scopes": ["release:read", "release:write"],
        "products": [],
        "createdAt": service["createdAt"],
        "owners": [
            {
                "id": str(house.tomas.pk),
                "username": "tomas",
                "displayName": "Tomas",
                "grantedAt": owner["grantedAt"],
            }
        ],
    }
    assert greta(house).get(place(service)).json() == service
    assert last_event("service.created").actor_id == house.greta.pk


def test_a_service_is_limited_to_products_and_changed_by_field(house: House) -> None:
    for slug in ("ledger", "wiki"):
        make_product(house.tenant, slug)
    service = made(house, products=["wiki", "ledger"])
    assert (service["scopes"], service["products"]) == (["release:read", "release:write"], ["ledger", "wiki"])
    changed = greta(house).call("PATCH", place(service), {"scopes": ["release:write"]}).json()
    assert (changed["scopes"], changed["products"]) == (["release:write"], ["ledger", "wiki"])
    changed = greta(house).call("PATCH", place(service), {"products": ["wiki"]}).json()
    assert (changed["scopes"], changed["products"]) == (["release:write"], ["wiki"])
    wrong = greta(house).call("PATCH", place(service), {"products": ["wiki", "nothing"]})
    assert wrong_fields(wrong) == ["products[1]"]
    wrong = greta(house).call("PATCH", place(service), {"scopes": ["audit:read"]})
    assert wrong_fields(wrong) == ["scopes"]
    assert greta(house).call("PATCH", place(service), {"products": []}).json()["products"] == []
    assert ServiceAccount.objects.get().scopes == ["release:write"]
    events = AuditEvent.objects.filter(action="service.updated").order_by("id")
    assert [each.after.get("products") for each in events] == [["ledger", "wiki"], ["wiki"], None]


def test_owners_see_their_services_and_administrators_all(house: House) -> None:
    made(house)
    made(house, name="bot", owners=["nia", "tomas"])
    names = {
        user.username: [each["name"] for each in as_caller(house, user).get("/services").json()["data"]]
        for user in (house.greta, house.nia, house.tomas)
    }
    assert names == {"greta": ["bot", "ci"], "nia": ["bot"], "tomas": ["bot", "ci"]}
    ci = ServiceAccount.objects.get(name="ci")
    assert refusal(as_caller(house, house.nia).get(f"/services/{ci.pk}")) == (404, "RES_NOT_FOUND")
    assert as_caller(house, house.tomas).get(f"/services/{ci.pk}").status_code == 200
    machine = as_caller(house, ci.user).get("/services").json()
    assert (machine["data"], machine["meta"]["totalCount"]) == ([], 0)
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=house.tomas.pk)
    assert [owners(each) for each in greta(house).get("/services").json()["data"]] == [["nia"], []]


def test_pages_by_cursor_go_through_all_services_once(house: House) -> None:
    for name in ("c", "a", "b"):
        made(house, name=name)
    found, cursor = [], ""
    while cursor is not None:
        page = greta(house).get(f"/services?pageSize=2&cursor={cursor}").json()
        found += [each["name"] for each in page["data"]]
        cursor = page["meta"]["nextCursor"]
    assert found == ["a", "b", "c"]


def test_a_page_costs_the_same_however_many_they_are(house: House, django_assert_max_num_queries: Any) -> None:
    caller_ = greta(house)
    for number in range(5):
        made(house, name=f"ci-{number}", owners=["nia", "tomas"])
    with django_assert_max_num_queries(5):
        assert caller_.get("/services").json()["meta"]["totalCount"] == 5


def test_scopes_are_replaced_for_present_tokens_too(house: House) -> None:
    service = made(house)
    token = make_token(house.tenant, ServiceAccount.objects.get().user)
    response = greta(house).call("PATCH", place(service), {"scopes": ["release:read"]})
    assert (response.status_code, response.json()["scopes"]) == (200, ["release:read"])
    assert Caller(token).get("/me").json()["scopes"] == ["release:read"]
    event = last_event("service.updated")
    assert (event.before, event.after) == ({"name": "ci", "scopes": NEW["scopes"][::-1]}, {"scopes": ["release:read"]})
    assert greta(house).put(place(service), response.json()).status_code == 200
    assert AuditEvent.objects.filter(action="service.updated").count() == 1


def test_nobody_widens_their_own_rights_by_a_service(house: House) -> None:
    for body in ({**NEW, "owners": ["greta"]}, {**NEW, "owners": ["greta", "tomas"]}):
        assert refusal(greta(house).post("/services", body)) == (403, "PERM_DENIED")
    service = made(house, owners=["greta"], scopes=["release:read"])
    widened = {"scopes": ["release:read", "audit:read"]}
    assert refusal(greta(house).call("PATCH", place(service), widened)) == (403, "PERM_DENIED")
    held = {"scopes": ["release:read", "evidence:export"]}
    assert greta(house).call("PATCH", place(service), held).status_code == 200
    other = made(house, name="other")
    assert refusal(greta(house).put(f"{place(other)}/owners/greta", None)) == (403, "PERM_DENIED")


def test_the_issuer_of_a_token_adds_no_scope_that_they_lack(house: House) -> None:
    service = made(house, scopes=["release:read"])
    make_token(house.tenant, ServiceAccount.objects.get().user, by=house.admin)
    widened = {"scopes": ["release:read", "release:write"]}
    assert refusal(greta(house).call("PATCH", place(service), widened)) == (403, "PERM_DENIED")
    ApiToken.objects.filter(user=ServiceAccount.objects.get().user).update(revoked_at=DATABASE_CLOCK.now())
    assert greta(house).call("PATCH", place(service), widened).status_code == 200


def test_a_service_does_not_change_itself(house: House) -> None:
    service = made(house, scopes=["tenant:admin", "release:read"])
    itself = as_caller(house, ServiceAccount.objects.get().user)
    assert refusal(itself.call("PATCH", place(service), {"scopes": ["release:read"]})) == (403, "PERM_DENIED")
    assert refusal(itself.post(f"{place(service)}/end", {"reason": "x"})) == (403, "PERM_DENIED")
    assert greta(house).get(place(service)).json() == service


def test_owners_come_and_go(house: House) -> None:
    service = made(house)
    response = greta(house).put(f"{place(service)}/owners/nia", None)
    assert (response.status_code, owners(response.json())) == (200, ["nia", "tomas"])
    assert greta(house).put(f"{place(service)}/owners/nia", {}).json() == response.json()
    assert AuditEvent.objects.filter(action="service.owner_added").count() == 1
    response = greta(house).delete(f"{place(service)}/owners/tomas?reason=moved")
    assert (response.status_code, owners(response.json())) == (200, ["nia"])
    assert last_event("service.owner_ended").after == {"reason": "moved"}
    assert refusal(greta(house).delete(f"{place(service)}/owners/nia")) == (409, "RES_IN_USE")
    assert greta(house).delete(f"{place(service)}/owners/tomas").json() == response.json()
    make_person(house.tenant, "vera")
    assert refusal(greta(house).delete(f"{place(service)}/owners/vera")) == (404, "RES_NOT_FOUND")
    assert refusal(greta(house).delete(f"{place(service)}/owners/nia?reason=%00")) == (400, "VAL_INVALID")


def test_a_service_ends_with_its_owners_and_tokens(house: House) -> None:
    service = made(house, owners=["nia", "tomas"])
    token = Caller(make_token(house.tenant, ServiceAccount.objects.get().user, by=actor_of(house.tomas, house.tenant)))
    response = greta(house).post(f"{place(service)}/end", {"reason": "moved to another CI"})
    assert (response.status_code, response.json()["owners"]) == (200, [])
    event = last_event("service.ended")
    assert (event.before, event.after) == (
        {"name": "ci", "owners": ["nia", "tomas"]},
        {"reason": "moved to another CI"},
    )
    assert event.metadata["revokedTokens"] == 1
    assert refusal(token.get("/me")) == (401, "AUTH_TOKEN_REVOKED")
    assert greta(house).post(f"{place(service)}/end", {"reason": "again"}).json() == response.json()
    assert AuditEvent.objects.filter(action="service.ended").count() == 1
    assert refusal(greta(house).post("/services", NEW)) == (409, "RES_DUPLICATE")
    assert owners(greta(house).put(f"{place(service)}/owners/nia", {}).json()) == ["nia"]
    assert refusal(token.get("/me")) == (401, "AUTH_TOKEN_REVOKED")


def test_nobody_ends_a_service_of_their_own_nor_by_a_machine(house: House) -> None:
    mine = made(house, owners=["greta", "tomas"], scopes=["release:read"])
    machine = as_caller(house, make_service(house.tenant, house.tomas, "admin", scopes=["tenant:admin"]).user)
    for who, owner in ((greta(house), "greta"), (machine, "tomas")):
        assert refusal(who.post(f"{place(mine)}/end", {"reason": "x"})) == (403, "PERM_DENIED")
        assert refusal(who.delete(f"{place(mine)}/owners/{owner}")) == (403, "PERM_DENIED")
    assert ServiceOwner.objects.filter(service_id=mine["id"], ended_at=None).count() == 2


def writes(service: dict[str, Any]) -> list[tuple[str, str, Any]]:
    return [
        ("POST", "/services", {**NEW, "name": "another"}),
        ("PATCH", place(service), {"scopes": ["release:read"]}),
        ("PUT", place(service), {"scopes": ["release:read"]}),
        ("POST", f"{place(service)}/end", {"reason": "x"}),
        ("PUT", f"{place(service)}/owners/nia", {}),
        ("DELETE", f"{place(service)}/owners/tomas", None),
    ]


def test_only_administrators_change_services(house: House) -> None:
    service = made(house)
    machine = ServiceAccount.objects.get().user
    for user in (house.tomas, house.nia, machine):
        for method, path, body in writes(service):
            assert refusal(as_caller(house, user).call(method, path, body)) == (403, "PERM_DENIED")
    assert greta(house).get(place(service)).json() == service


def test_another_tenant_finds_no_service_here(house: House) -> None:
    service = made(house)
    elsewhere = make_tenant()
    mei = make_person(elsewhere, "mei", roles=["admin"])
    make_person(elsewhere, "zoe")
    stranger = caller(elsewhere, mei)
    for each in (service, {"id": NOWHERE}):
        for method, path, body in [*writes(each)[1:], ("GET", place(each), None)]:
            known = path.replace("/nia", "/zoe").replace("/tomas", "/zoe")
            wrong_body = body if body is None else {"surprise": 1}
            assert refusal(stranger.call(method, known, body)) == (404, "RES_NOT_FOUND")
            assert refusal(stranger.call(method, known, wrong_body)) == (404, "RES_NOT_FOUND")
    assert stranger.get("/services").json()["data"] == []
    assert stranger.post("/services", {**NEW, "owners": ["zoe"]}).status_code == 201


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_owner_who_is_no_member_is_not_there(house: House, method: str) -> None:
    service = made(house)
    make_person(make_tenant(), "mei")
    left = make_person(house.tenant, "left")
    end_membership(by=house.admin, clock=DATABASE_CLOCK, user_id=left.pk)
    for username in ("mei", "left", "nobody", "Nia"):
        response = greta(house).call(method, f"{place(service)}/owners/{username}")
        assert refusal(response) == (404, "RES_NOT_FOUND")


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "Not A Slug"}, "name"),
    ({"name": None}, "name"),
    ({"owners": []}, "owners"),
    ({"owners": None}, "owners"),
    ({"owners": "tomas"}, "owners"),
    ({"owners": ["mei"]}, "owners"),
    ({"owners": ["nobody", "tomas"]}, "owners"),
    ({"owners": ["Not A Name"]}, "owners[0]"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["nonsense"]}, "scopes[0]"),
    ({"scopes": ["promotion:approve"]}, "scopes"),
    ({"scopes": ["release:read", "promotion:override"]}, "scopes"),
    ({"scopes": [1]}, "scopes[0]"),
    ({"products": ["main"]}, "products[0]"),
]


def test_a_service_that_cannot_be_is_refused(house: House) -> None:
    make_person(make_tenant(), "mei")
    for change, field in IMPOSSIBLE:
        assert (change, wrong_fields(greta(house).post("/services", {**NEW, **change}))) == (change, [field])
        assert not ServiceAccount.objects.exists()


def test_scopes_that_cannot_be_are_refused(house: House) -> None:
    service = made(house)
    for scopes in ([], None, ["nonsense"], ["promotion:approve"], "release:read"):
        response = greta(house).call("PATCH", place(service), {"scopes": scopes})
        assert refusal(response) == (400, "VAL_INVALID")
    assert refusal(greta(house).call("PATCH", place(service), {"name": "other"})) == (400, "VAL_INVALID")
    for body in ({}, {"reason": ""}, {"reason": 1}):
        assert wrong_fields(greta(house).post(f"{place(service)}/end", body)) == ["reason"]
    assert greta(house).get(place(service)).json() == service


@pytest.mark.parametrize(
    ("method", "rest", "body"), [("PATCH", "", {"scopes": ["release:read"]}), ("POST", "/end", {"reason": "x"})]
)
def test_a_write_names_what_it_read(house: House, method: str, rest: str, body: Any) -> None:
    service = made(house)
    seen = greta(house).get(place(service))["ETag"]
    greta(house).put(f"{place(service)}/owners/nia", {})
    stale = greta(house).call(method, f"{place(service)}{rest}", body, If_Match=seen)
    assert refusal(stale) == (412, "RES_PRECONDITION_FAILED")
    seen = greta(house).get(place(service))["ETag"]
    assert greta(house).get(place(service), If_None_Match=seen).status_code == 304
    assert greta(house).call(method, f"{place(service)}{rest}", body, If_Match=seen).status_code == 200


def test_the_same_key_adds_one_service(house: House) -> None:
    by = greta(house)
    first, again = (by.post("/services", NEW, Idempotency_Key="once") for _ in range(2))
    assert (first.status_code, again["Idempotency-Replayed"], first.content) == (201, "true", again.content)
    other = by.post("/services", {**NEW, "name": "other"}, Idempotency_Key="once")
    assert refusal(other) == (409, "RES_IDEMPOTENCY_KEY_REUSED")
