import pytest
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.identity.models import PersonSession
from stellapromote.identity.views import page
from tests.factories import PASSWORD, make_person, make_tenant
from tests.stellapromote.identity.views.people import browser, make_people

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "another horse, another staple"


@pytest.fixture(autouse=True)
def _people() -> None:
    make_people()


def is_signed_in(client: Client) -> bool:
    return client.get("/settings").status_code == 200


def sessions(username: str) -> list[PersonSession]:
    return list(PersonSession.objects.filter(user__username=username).order_by("signed_in_at"))


def test_the_page_says_which_roles_and_teams_one_has() -> None:
    page = browser("nia").get("/settings").text
    assert "Votes on promotions, still subject to approval policy" in page
    assert "release" in page


def test_who_is_in_no_tenant_still_has_a_profile() -> None:
    tenant = make_tenant()
    make_person(tenant, "gone", password=PASSWORD)
    client = browser("gone")
    tenant.memberships.update(ended_at=tenant.created_at.replace(year=2999))
    assert client.get("/settings").status_code == 200


def test_a_name_can_be_changed() -> None:
    browser("nia").post("/settings/name", {"display_name": " Nia Okafor "})
    assert User.objects.get(username="nia").display_name == "Nia Okafor"


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "Nia\u202eafor", "Nia\nOkafor", "Nia\0"])
def test_a_name_that_cannot_be_is_said_beside_the_field(name: str) -> None:
    response = browser("nia").post("/settings/name", {"display_name": name})
    assert response.status_code == 400
    assert "field-error" in response.text
    assert User.objects.get(username="nia").display_name == "Nia"


def test_every_session_is_listed_with_browser_and_address() -> None:
    client = browser("nia")
    page = client.get("/settings").text
    assert "nia&#x27;s browser" in page
    assert "127.0.0.1" in page
    assert "this one" in page


def test_the_sessions_used_last_are_shown_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        client = browser("nia")
    monkeypatch.setattr(page, "MOST_SHOWN", 2)
    shown = client.get("/settings").text
    assert (shown.count("End this session"), "There are more, used longer ago" in shown) == (1, True)
    client.post("/settings/sessions/end-others")
    assert "There are more" not in client.get("/settings").text
    assert len(sessions("nia")) == 1


def test_the_key_of_a_session_is_never_shown() -> None:
    first, second = browser("nia"), browser("nia")
    page = first.get("/settings").text
    assert not any(session.session_key in page for session in sessions("nia"))
    assert second is not first


def test_another_session_can_be_ended() -> None:
    first, second = browser("nia"), browser("nia")
    second.post(f"/settings/sessions/{sessions('nia')[0].public_id}/end")
    assert not is_signed_in(first)
    assert is_signed_in(second)


def test_all_other_sessions_can_be_ended() -> None:
    others, this = [browser("nia"), browser("nia")], browser("nia")
    this.post("/settings/sessions/end-others")
    assert not any(is_signed_in(client) for client in others)
    assert is_signed_in(this)


def test_the_sessions_of_others_do_not_exist() -> None:
    nia = browser("nia")
    response = browser("greta").post(f"/settings/sessions/{sessions('nia')[0].public_id}/end")
    assert response.status_code == 404
    assert is_signed_in(nia)


def test_a_change_of_password_ends_all_other_sessions() -> None:
    other, this = browser("nia"), browser("nia")
    answer = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert this.post("/accounts/password", answer).status_code == 302
    assert not is_signed_in(other)
    assert is_signed_in(this)
    assert len(sessions("nia")) == 1


def test_a_session_keeps_its_start_and_browser_through_a_change_of_password() -> None:
    this = browser("nia")
    before = sessions("nia")[0]
    answer = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    this.post("/accounts/password", answer)
    after = sessions("nia")[0]
    assert after.session_key != before.session_key
    assert (after.signed_in_at, after.device) == (before.signed_in_at, before.device)


def test_changes_to_an_account_are_audited_without_a_tenant() -> None:
    other, this = browser("nia"), browser("nia")
    this.post("/settings/name", {"display_name": "Nia Okafor"})
    this.post("/settings/sessions/end-others")
    events = AuditEvent.objects.filter(action__in=["user.renamed", "session.others_ended"]).order_by("id")
    assert [(event.action, event.tenant_id, event.actor_name) for event in events] == [
        ("user.renamed", None, "Nia (nia)"),
        ("session.others_ended", None, "Nia Okafor (nia)"),
    ]
    assert other is not this


def test_pages_show_times_in_the_zone_of_their_reader() -> None:
    client, other = browser("nia"), browser("greta")
    assert " UTC" in client.get("/settings").text.partition("Where you are signed in")[2]
    assert client.post("/settings/time-zone", {"time_zone": "Asia/Kolkata"})["Location"] == "/settings"
    sessions = client.get("/settings").text.partition("Where you are signed in")[2]
    assert "Asia/Kolkata (+05:30)" in sessions
    assert " UTC" not in sessions.partition("</table>")[0]
    nia = User.objects.get(username="nia")
    assert "Asia/Kolkata" not in other.get(f"/settings/members/{nia.pk}").text


def test_a_zone_that_cannot_be_is_said_beside_the_field() -> None:
    client = browser("nia")
    refused = client.post("/settings/time-zone", {"time_zone": "Mars/Olympus"})
    assert refused.status_code == 400
    assert "field-error" in refused.text
    assert User.objects.get(username="nia").time_zone == "UTC"
