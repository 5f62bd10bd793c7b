import re
from datetime import timedelta

import pytest

from stellapromote.accounts.models import ApiToken
from stellapromote.accounts.scopes import ROLES
from tests.factories import actor_of, actor_of_token, make_token
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
