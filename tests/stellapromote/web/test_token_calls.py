"""A call by token is judged by its header alone, whatever cookies come with it."""

import pytest
from django.test import Client

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


def test_an_unknown_path_is_the_documented_404(client: Client, token: str) -> None:
    answer = client.get("/api/v1/nothing", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RES_NOT_FOUND")


def test_a_head_has_the_length_of_its_get(client: Client, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert (
        client.head("/api/v1/me", headers=headers).headers["Content-Length"]
        == client.get("/api/v1/me", headers=headers).headers["Content-Length"]
    )
