import re
from datetime import timedelta

import pytest

from stellapromote.accounts.models import ApiToken
from stellapromote.accounts.scopes import ROLES
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import product_choice
from stellapromote.identity.views import page
from tests.factories import actor_of, actor_of_token, make_product, make_token
from tests.stellapromote.identity.views.people import People, browser, make_people

pytestmark = pytest.mark.django_db

ANSWER = {"name": "laptop", "scopes": ["promotion:read", "promotion:approve"], "expires_days": "30"}


@pytest.fixture(autouse=True)
def people() -> People:
    return make_people()


def shown_token(page: str) -> str:
    found = re.search(r"spt_[0-9A-Za-z]{65}", page)
    assert found
    return found.group()


def test_a_new_token_acts_for_its_person_with_the_chosen_scopes(people: People) -> None:
    response = browser("nia").post("/settings/tokens", ANSWER)
    by = actor_of_token(shown_token(response.text))
    assert (by.username, by.scopes) == ("nia", {"promotion:read", "promotion:approve"})
    assert by.token_issuer_id == people.nia.pk


def test_a_token_lives_as_long_as_chosen() -> None:
    browser("nia").post("/settings/tokens", ANSWER)
    token = ApiToken.objects.get()
    assert token.expires_at - token.created_at == timedelta(days=30)


def test_a_token_is_shown_once() -> None:
    client = browser("nia")
    text = shown_token(client.post("/settings/tokens", ANSWER).text)
    page = client.get("/settings/tokens").text
    assert text not in page
    assert "laptop" in page


def test_only_scopes_one_holds_are_offered() -> None:
    page = browser("nia").get("/settings/tokens").text
    offered = set(re.findall(r'name="scopes" value="([^"]+)"', page))
    assert offered == ROLES["approver"]


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": ["tenant:admin"]},
        {"scopes": ["nonsense"]},
        {"scopes": []},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": "a\u202eb"},
        {"expires_days": "0"},
        {"expires_days": "367"},
        {"expires_days": "9" * 400},
        {"expires_days": "1.5"},
    ],
)
def test_what_cannot_be_issued_is_said_beside_the_field(change: dict[str, object]) -> None:
    response = browser("nia").post("/settings/tokens", {**ANSWER, **change})
    assert response.status_code == 400
    assert "field-error" in response.text
    assert not ApiToken.objects.exists()


def test_what_was_typed_is_kept_when_something_is_wrong() -> None:
    response = browser("nia").post("/settings/tokens", {**ANSWER, "expires_days": "0"})
    assert 'value="laptop"' in response.text


def test_an_empty_form_is_an_error_and_not_a_visit() -> None:
    assert browser("nia").post("/settings/tokens", {}).status_code == 400


def test_ones_own_token_can_be_revoked(people: People) -> None:
    make_token(people.tenant, people.nia, by=actor_of(people.nia, people.tenant))
    token = ApiToken.objects.get()
    browser("nia").post(f"/settings/tokens/{token.pk}/revoke")
    token.refresh_from_db()
    assert token.revoked_by == people.nia


def test_the_token_of_a_colleague_cannot_be_revoked(people: People) -> None:
    make_token(people.tenant, people.nia)
    response = browser("tomas").post(f"/settings/tokens/{ApiToken.objects.get().pk}/revoke")
    assert response.status_code == 403
    assert ApiToken.objects.get().revoked_at is None


def test_who_holds_no_role_is_told_that_a_token_could_do_nothing(people: People) -> None:
    people.nia.role_grants.update(ended_at=people.tenant.created_at.replace(year=2999))
    page = browser("nia").get("/settings/tokens").text
    assert "Ask an administrator for a role" in page


def test_products_are_offered_where_there_are_several(people: People) -> None:
    make_product(people.tenant, "ledger", display_name="Books")
    assert 'name="products"' not in browser("nia").get("/settings/tokens").text
    make_product(people.tenant, "payments")
    make_product(people.tenant, "old", archived_at=DATABASE_CLOCK.now())
    page = browser("nia").get("/settings/tokens").text
    assert re.findall(r'name="products" value="([^"]+)"', page) == ["ledger", "payments"]
    assert "Books (ledger)" in page


def test_a_token_of_products_is_issued_and_says_so(people: People) -> None:
    for slug in ("ledger", "payments"):
        make_product(people.tenant, slug)
    client = browser("tomas")
    answer = {"name": "ci", "scopes": ["promotion:read", "release:write"], "products": ["ledger"], "expires_days": "9"}
    by = actor_of_token(shown_token(client.post("/settings/tokens", answer).text))
    assert (by.products, by.scopes) == (("ledger",), {"promotion:read", "release:write"})
    assert "for ledger alone" in client.get("/settings/tokens").text


def test_many_products_are_named_and_not_offered_one_by_one(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_choice, "MOST_OFFERED", 2)
    for slug in ("cards", "ledger", "payments"):
        make_product(people.tenant, slug)
    client = browser("tomas")
    assert "payments" not in client.get("/settings/tokens").text
    answer = {"name": "ci", "scopes": ["promotion:read"], "products": "ledger, payments", "expires_days": "9"}
    by = actor_of_token(shown_token(client.post("/settings/tokens", answer).text))
    assert by.products == ("ledger", "payments")
    refused = client.post("/settings/tokens", {**answer, "products": "ledger, a\x00b"})
    assert refused.status_code == 400
    refused = client.post("/settings/tokens", {**answer, "products": "ledgre"})
    assert "ledgre" in refused.text.partition('id="id_products_error"')[2].partition("</div>")[0]


def test_a_right_that_cannot_be_limited_is_refused_beside_the_rights(people: People) -> None:
    for slug in ("ledger", "payments"):
        make_product(people.tenant, slug)
    answer = {"name": "ci", "scopes": ["evidence:write"], "products": ["ledger"], "expires_days": "9"}
    response = browser("tomas").post("/settings/tokens", answer)
    assert response.status_code == 400
    said = response.text.partition('id="id_scopes_error"')[2].partition("</div>")[0]
    assert "evidence:write: a token that is limited to products cannot have this." in said


def test_tokens_in_use_are_shown_first_and_not_all_of_them(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing bounds the tokens of a member, and none goes away."""
    monkeypatch.setattr(page, "MOST_SHOWN", 2)
    for _ in range(3):
        make_token(people.tenant, people.nia)
    oldest = ApiToken.objects.earliest("created_at")
    ApiToken.objects.exclude(pk=oldest.pk).update(revoked_at=DATABASE_CLOCK.now())
    shown = browser("nia").get("/settings/tokens").text
    newest = ApiToken.objects.latest("created_at")
    assert re.findall(r"spt_(\w+)…", shown) == [oldest.public_id, newest.public_id]
    assert "There are more" in shown
    monkeypatch.undo()
    assert "There are more" not in browser("nia").get("/settings/tokens").text
