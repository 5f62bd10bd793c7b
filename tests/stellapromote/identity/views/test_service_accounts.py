import re
from html import unescape

import pytest

from stellapromote.accounts.models import ServiceAccount
from tests.factories import actor_of_token, make_person, make_product, make_service, make_tenant
from tests.stellapromote.identity.views.people import People, browser, make_people

pytestmark = pytest.mark.django_db

ANSWER = {"name": "ci-runner", "owners": "tomas, nia", "scopes": ["promotion:read", "promotion:deploy"]}


@pytest.fixture(autouse=True)
def people() -> People:
    return make_people()


def test_an_administrator_adds_a_service_with_its_owners() -> None:
    browser("greta").post("/settings/services", ANSWER)
    service = ServiceAccount.objects.get()
    owners = service.owners.order_by("owner__username").values_list("owner__username", flat=True)
    assert (service.name, list(owners), service.scopes) == (
        "ci-runner",
        ["nia", "tomas"],
        ["promotion:deploy", "promotion:read"],
    )


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": ["promotion:approve"]},
        {"scopes": ["promotion:override"]},
        {"scopes": []},
        {"owners": "nobody"},
        {"owners": ""},
        {"owners": " , "},
        {"owners": "tomas\0"},
        {"name": "Not A Slug"},
    ],
)
def test_a_service_that_cannot_be_is_said(people: People, change: dict[str, object]) -> None:
    make_service(people.tenant, people.tomas, "taken")
    response = browser("greta").post("/settings/services", {**ANSWER, **change})
    assert response.status_code == 400
    assert "error-summary" in response.text
    assert ServiceAccount.objects.count() == 1


def test_a_service_is_added_for_products_and_changed_to_others(people: People) -> None:
    for slug in ("ledger", "wiki"):
        make_product(people.tenant, slug)
    client = browser("greta")
    assert client.post("/settings/services", {**ANSWER, "products": ["ledger"]}).status_code == 302
    service = ServiceAccount.objects.get()
    assert (service.product_scopes, service.products) == (["promotion:deploy"], ["ledger"])
    path = f"/settings/services/{service.pk}"
    page = client.get(path).text
    assert "for ledger alone" in page
    assert "for ledger alone" in client.get("/settings/services").text
    answer = {"scopes": service.all_scopes, "products": ["wiki"], "seen": seen(page)}
    assert client.post(f"{path}/scopes", answer).status_code == 302
    service.refresh_from_db()
    assert service.products == ["wiki"]
    refused = client.post("/settings/services", {**ANSWER, "scopes": ["evidence:write"], "products": ["wiki"]})
    assert "evidence:write: a service that is limited to products cannot have this." in unescape(refused.text)


def test_a_name_that_is_taken_is_said_beside_the_name(people: People) -> None:
    make_service(people.tenant, people.tomas, "taken")
    response = browser("greta").post("/settings/services", {**ANSWER, "name": "taken"})
    assert response.status_code == 409
    beside = response.text.partition('id="id_name_error"')[2].partition("</div>")[0]
    assert "There is a service taken already." in beside
    assert 'value="tomas, nia"' in response.text


def test_only_administrators_add_services() -> None:
    response = browser("tomas").post("/settings/services", ANSWER)
    assert response.status_code == 403
    assert "This needs the right tenant:admin" in response.text
    assert not ServiceAccount.objects.exists()


def test_an_administrator_is_told_why_they_get_no_rights_by_a_service_of_theirs() -> None:
    answer = {**ANSWER, "owners": "greta", "scopes": ["audit:read", "promotion:read"]}
    response = browser("greta").post("/settings/services", answer)
    assert response.status_code == 403
    assert "Your own roles do not give you audit:read" in response.text
    assert "ask another administrator to add it" in response.text
    assert not ServiceAccount.objects.exists()


def test_an_administrator_is_told_why_they_get_no_token_with_more_rights(people: People) -> None:
    service = make_service(people.tenant, people.tomas, "ci-runner")
    answer = {"name": "mine", "scopes": ["promotion:deploy"], "expires_days": "30"}
    response = browser("greta").post(f"/settings/services/{service.pk}", answer)
    assert response.status_code == 403
    assert "ask an owner whom another person named to issue the token" in response.text


def test_an_owner_issues_tokens_of_the_service_and_is_recorded_as_issuer(people: People) -> None:
    service = make_service(people.tenant, people.tomas, "ci-runner")
    answer = {"name": "pipeline", "scopes": ["promotion:deploy"], "expires_days": "30"}
    page = browser("tomas").post(f"/settings/services/{service.pk}", answer).text
    found = re.search(r"spt_[0-9A-Za-z]{65}", page)
    assert found
    by = actor_of_token(found.group())
    assert (by.kind, by.scopes, by.token_issuer_id) == ("service", {"promotion:deploy"}, people.tomas.pk)


def test_the_services_of_others_do_not_exist(people: People) -> None:
    service = make_service(people.tenant, people.tomas, "ci-runner")
    client = browser("nia")
    assert client.get(f"/settings/services/{service.pk}").status_code == 404
    assert "ci-runner" not in client.get("/settings/services").text


def test_services_of_another_tenant_do_not_exist_for_an_administrator(people: People) -> None:
    other = make_tenant("osprey")
    service = make_service(other, make_person(other, "mei"), "ci-runner")
    assert browser("greta").get(f"/settings/services/{service.pk}").status_code == 404


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found
    return unescape(found[1])


@pytest.fixture
def service(people: People) -> ServiceAccount:
    return make_service(people.tenant, people.tomas, "ci", scopes=["promotion:read"])


def owners(service: ServiceAccount) -> set[str]:
    return set(service.owners.filter(ended_at=None).values_list("owner__username", flat=True))


def test_an_administrator_changes_what_a_service_may_do(service: ServiceAccount) -> None:
    client, path = browser("greta"), f"/settings/services/{service.pk}"
    answer = {"scopes": ["promotion:read", "release:write"], "seen": seen(client.get(path).text)}
    assert client.post(f"{path}/scopes", answer).status_code == 302
    service.refresh_from_db()
    assert service.scopes == ["promotion:read", "release:write"]
    again = client.post(f"{path}/scopes", {**answer, "scopes": ["release:write"]})
    assert again.status_code == 412
    assert 'value="release:write" id="change_scopes' in again.text


def test_a_service_without_a_right_is_refused_beside_the_rights(service: ServiceAccount) -> None:
    client, path = browser("greta"), f"/settings/services/{service.pk}"
    answer = client.post(f"{path}/scopes", {"scopes": [], "seen": seen(client.get(path).text)})
    assert (answer.status_code, 'id="change_scopes_error"' in answer.text) == (400, True)


def test_owners_are_added_and_ended(people: People, service: ServiceAccount) -> None:
    client, path = browser("greta"), f"/settings/services/{service.pk}"
    refused = client.post(f"{path}/owners/{people.tomas.pk}/end")
    assert refused.status_code == 409
    assert "tomas is the only owner of ci who is a member: add another owner first." in refused.text
    assert client.post(f"{path}/owners", {"owner": "nia"}).status_code == 302
    assert client.post(f"{path}/owners/{people.tomas.pk}/end").status_code == 302
    assert owners(service) == {"nia"}
    unknown = client.post(f"{path}/owners", {"owner": "nobody"})
    assert unknown.status_code == 400
    assert "Not a member of this tenant" in unknown.text.partition('id="owner_owner_error"')[2].partition("</div>")[0]


def test_a_service_is_ended_with_a_reason(service: ServiceAccount) -> None:
    client, path = browser("greta"), f"/settings/services/{service.pk}"
    assert client.post(f"{path}/end", {"reason": ""}).status_code == 400
    assert client.post(f"{path}/end", {"reason": "Replaced"}).status_code == 302
    assert owners(service) == set()


@pytest.mark.parametrize("username", ["tomas", "nia"])
def test_others_change_no_service(people: People, service: ServiceAccount, username: str) -> None:
    """An owner sees it without the forms; anybody else does not see it."""
    client, page = browser(username), f"/settings/services/{service.pk}"
    answer = {"scopes": ["release:write"], "seen": '"x"', "owner": "nia", "reason": "x"}
    expected = 403 if username == "tomas" else 404
    for path in ("scopes", "owners", f"owners/{people.tomas.pk}/end", "end"):
        assert (path, client.post(f"{page}/{path}", answer).status_code) == (path, expected)
        service.refresh_from_db()
        assert (service.scopes, owners(service)) == (["promotion:read"], {"tomas"})
    if username == "tomas":
        shown = client.get(page).text
        assert "End service" not in shown
        assert "End ownership" not in shown
