"""The second factor from setting it up to losing it."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import second_factor
from stellapromote.identity.actions.set_up_second_factor import NotYourSecondFactor, set_up_second_factor
from stellapromote.identity.models import PersonSession, SignInThrottle
from stellapromote.identity.sign_in_records import person_without_tenant
from stellapromote.recorded_rows import row_digest
from tests.factories import PASSWORD, make_person, make_tenant
from tests.stellapromote.identity.second_factors import SET_UP, code_of, secret_on, set_up, setup_on, time_passes
from tests.stellapromote.identity.views.people import browser

pytestmark = pytest.mark.django_db

STEP = "/accounts/second-factor"


@pytest.fixture
def nia() -> User:
    return make_person(make_tenant("kestrel-pay"), "nia", roles=["approver"], password=PASSWORD)


def is_signed_in(client: Client) -> bool:
    return client.get("/settings").status_code == 200


def enter(client: Client, code: str | None = None, **more: str) -> Any:
    """The two steps; the answer to the last one."""
    first = client.post("/accounts/login", {"login": "nia", "password": PASSWORD, **more})
    if code is None:
        return first
    assert (first.status_code, first["Location"]) == (302, STEP)
    return client.post(STEP, {"code": code})


def signs_in_with(code: str) -> bool:
    client = Client()
    enter(client, code)
    return is_signed_in(client)


def events(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("id"))


def test_with_a_second_factor_the_password_alone_signs_nobody_in(nia: User) -> None:
    secret, codes = set_up(browser("nia"))
    assert len(set(codes)) == 10
    client = Client()
    enter(client, next="/settings/tokens")
    assert not is_signed_in(client)
    answer = client.post(STEP, {"code": code_of(secret, 1)})
    assert (answer.status_code, answer["Location"]) == (302, "/settings/tokens")
    assert is_signed_in(client)
    assert PersonSession.objects.filter(user=nia).latest("last_seen_at").signed_in_at is not None
    assert events("user.signed_in")[-1].metadata["secondFactor"] == "totp"
    assert client.session["sign_in"]["second_factor"] == "totp"


def test_a_code_signs_in_once_and_an_older_one_not_after_it(nia: User) -> None:
    client = browser("nia")
    page = client.get(SET_UP).text
    secret = secret_on(page)
    first = code_of(secret)
    client.post(SET_UP, {"setup": setup_on(page), "password": PASSWORD, "code": first})
    assert not signs_in_with(first)
    second = code_of(secret, 1)
    assert signs_in_with(second)
    assert not any(signs_in_with(each) for each in (first, second))


@pytest.mark.parametrize("periods", [-3, 3])
def test_a_code_of_another_time_is_wrong(nia: User, periods: int) -> None:
    secret, _ = set_up(browser("nia"))
    client = Client()
    answer = enter(client, code_of(secret, periods))
    assert "This code is wrong or was used before" in answer.text
    assert not is_signed_in(client)
    assert [each.actor_id for each in events("user.second_factor_failed")] == [nia.pk]


def test_what_is_no_code_is_refused(nia: User) -> None:
    set_up(browser("nia"))
    client = Client()
    enter(client)
    for code in ("", "x", "000000000000", "12345\0", "9" * 33):
        assert (code, client.post(STEP, {"code": code}).status_code) == (code, 200)
        assert (code, is_signed_in(client)) == (code, False)


def test_a_recovery_code_signs_in_once(nia: User) -> None:
    _, codes = set_up(browser("nia"))
    assert [signs_in_with(each) for each in (codes[3], codes[3], codes[4])] == [True, False, True]
    client = Client()
    enter(client, codes[5])
    assert "7 recovery codes left" in client.get("/settings").text


def test_codes_are_guessed_with_growing_delays_in_every_browser(nia: User) -> None:
    secret, _ = set_up(browser("nia"))
    SignInThrottle.objects.all().delete()
    for _ in range(5):
        assert enter(Client(), "000000").status_code == 200
    for code in ("000000", code_of(secret, 1)):
        answer = enter(Client(), code)
        assert answer.status_code == 429
        assert int(answer["Retry-After"]) >= 1
        assert "Too many attempts" in answer.text
    later = DATABASE_CLOCK.now() - timedelta(minutes=10)
    SignInThrottle.objects.update(last_at=later, open_at=later)
    assert signs_in_with(code_of(secret, 1))


def test_secrets_are_sealed_in_the_database(nia: User) -> None:
    client = browser("nia")
    client.get(SET_UP)
    secret, codes = set_up(client)
    stored = [str(each) for each in Authenticator.objects.values_list("data", flat=True)]
    sessions = [base64.b64encode(each.encode()).decode() for each in (secret, *codes)]
    for text in (*stored, *PersonSession.objects.values_list("session_data", flat=True)):
        assert not any(each in text for each in (secret, *codes, *sessions))


def test_a_second_factor_counts_with_an_earlier_secret_key_and_not_without_it(nia: User, settings: Any) -> None:
    secret, codes = set_up(browser("nia"))
    time_passes()
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another key of this installation, a long one"
    assert not signs_in_with(code_of(secret))
    settings.SECRET_KEY_FALLBACKS = [before]
    assert signs_in_with(code_of(secret))
    assert signs_in_with(codes[0])
    settings.SECRET_KEY_FALLBACKS = []
    time_passes()
    assert signs_in_with(code_of(secret))
    assert signs_in_with(codes[1])


def test_rows_that_were_taken_away_or_put_in_the_place_of_others_sign_nobody_in(nia: User) -> None:
    mine, _ = set_up(browser("nia"))
    make_person(make_tenant(), "eve", password=PASSWORD)
    theirs, codes = set_up(browser("eve"))
    time_passes()
    eve = {each.type: each.data for each in Authenticator.objects.filter(user__username="eve")}
    for each in Authenticator.objects.filter(user=nia):
        Authenticator.objects.filter(pk=each.pk).update(data=eve[each.type])
    assert not any(signs_in_with(each) for each in (code_of(theirs), codes[0], code_of(mine)))
    Authenticator.objects.filter(user=nia).delete()
    client = Client()
    assert enter(client)["Location"] == STEP
    assert not is_signed_in(client)


def test_the_account_with_its_second_factor_is_recorded(nia: User) -> None:
    client = browser("nia")
    set_up(client)
    nia.refresh_from_db()
    assert nia.second_factor is not None
    [event] = events("user.second_factor_set_up")
    assert (event.tenant_id, event.actor_id) == (None, nia.pk)
    assert event.metadata["rows"][f"user {nia.pk}"]["digest"] == row_digest(nia)


def test_setting_up_ends_the_other_sessions(nia: User) -> None:
    here, there = browser("nia"), browser("nia")
    set_up(here)
    assert [is_signed_in(each) for each in (here, there)] == [True, False]
    assert here.session["sign_in"]["second_factor"] == "totp"


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"password": "not the password"}, 400, "This is not your password."),
        ({"password": ""}, 400, "This field is required."),
        ({"code": "000000"}, 400, "This is not the code that the app shows now"),
        ({"setup": ""}, 400, "This page is too old"),
        ({"setup": "x"}, 400, "This page is too old"),
    ],
)
def test_setting_up_takes_the_password_and_a_code(nia: User, wrong: dict[str, str], status: int, said: str) -> None:
    client = browser("nia")
    page = client.get(SET_UP).text
    right = {"setup": setup_on(page), "password": PASSWORD, "code": code_of(secret_on(page))}
    answer = client.post(SET_UP, {**right, **wrong})
    assert answer.status_code == status
    assert said in answer.text
    assert (secret_on(answer.text) == secret_on(page)) == ("setup" not in wrong)
    nia.refresh_from_db()
    assert nia.second_factor is None
    assert not Authenticator.objects.exists()


def test_the_secret_of_another_person_or_of_an_old_page_is_not_taken(
    nia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_person(make_tenant(), "eve", password=PASSWORD)
    theirs = browser("eve").get(SET_UP).text
    client = browser("nia")
    data = {"setup": setup_on(theirs), "password": PASSWORD, "code": code_of(secret_on(theirs))}
    assert client.post(SET_UP, data).status_code == 400
    own = client.get(SET_UP).text
    monkeypatch.setattr(second_factor, "SET_UP_WITHIN", timedelta(0))
    data = {"setup": setup_on(own), "password": PASSWORD, "code": code_of(secret_on(own))}
    assert client.post(SET_UP, data).status_code == 400
    assert not Authenticator.objects.exists()


def test_there_is_one_second_factor(nia: User) -> None:
    client = browser("nia")
    page = client.get(SET_UP).text
    set_up(client)
    data = {"setup": setup_on(page), "password": PASSWORD, "code": code_of(secret_on(page))}
    assert client.post(SET_UP, data).status_code == 409
    assert Authenticator.objects.count() == 2


def test_it_is_turned_off_with_password_and_code(nia: User) -> None:
    client = browser("nia")
    secret, codes = set_up(client)
    other = Client()
    enter(other, code_of(secret, 1))
    place = "/accounts/second-factor/turn-off"
    for wrong in ({"password": PASSWORD, "code": "000000"}, {"password": "x", "code": codes[0]}, {"code": codes[0]}):
        assert client.post(place, wrong).status_code == 400
    assert client.post(place, {"password": PASSWORD, "code": codes[0]})["Location"] == "/settings"
    nia.refresh_from_db()
    assert (nia.second_factor, Authenticator.objects.exists()) == (None, False)
    assert [is_signed_in(each) for each in (client, other)] == [True, False]
    assert client.session["sign_in"]["second_factor"] == ""
    [event] = events("user.second_factor_ended")
    assert event.metadata["rows"][f"user {nia.pk}"]["digest"] == row_digest(nia)
    assert enter(Client())["Location"] == "/"
    assert client.post(place, {"password": PASSWORD, "code": codes[1]}).status_code == 409


def test_new_recovery_codes_end_the_ones_before(nia: User) -> None:
    client = browser("nia")
    secret, before = set_up(client)
    place = "/accounts/second-factor/recovery-codes"
    assert client.post(place, {"password": PASSWORD, "code": "000000"}).status_code == 400
    answer = client.post(place, {"password": PASSWORD, "code": code_of(secret, 1)})
    assert answer.status_code == 200
    after = answer.text.split("<li>")[1].partition("<")[0]
    assert [signs_in_with(each) for each in (before[0], after)] == [False, True]
    assert len(events("user.recovery_codes_renewed")) == 1


def test_passwords_are_guessed_with_growing_delays_in_an_open_session_too(nia: User) -> None:
    client = browser("nia")
    page = client.get(SET_UP).text
    data = {"setup": setup_on(page), "password": "guess", "code": code_of(secret_on(page))}
    assert {client.post(SET_UP, data).status_code for _ in range(5)} == {400}
    answer = client.post(SET_UP, {**data, "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 1


def test_a_person_who_lost_it_is_helped_on_the_server(nia: User, capsys: pytest.CaptureFixture[str]) -> None:
    client = browser("nia")
    secret, _ = set_up(client)
    pending = Client()
    enter(pending)
    call_command("reset_second_factor", "nia")
    assert "nia has no second factor now" in capsys.readouterr().out
    assert not is_signed_in(client)
    nia.refresh_from_db()
    [event] = events("user.second_factor_reset")
    assert event.metadata["rows"][f"user {nia.pk}"]["digest"] == row_digest(nia)
    assert pending.post(STEP, {"code": code_of(secret)})["Location"] == "/accounts/login"
    assert pending.get("/accounts/login").status_code == 200
    enter(pending)
    assert is_signed_in(pending)


@pytest.mark.parametrize("username", ["nia", "nobody"])
def test_the_command_says_what_it_cannot_reset(nia: User, username: str) -> None:
    with pytest.raises(CommandError):
        call_command("reset_second_factor", username)


def test_nobody_sets_it_up_for_another_person(nia: User) -> None:
    eve = make_person(make_tenant(), "eve")
    with pytest.raises(NotYourSecondFactor):
        set_up_second_factor(
            by=person_without_tenant(None, eve),
            clock=DATABASE_CLOCK,
            user=nia,
            secret="A" * 32,
            code="000000",
            keep_session=None,
        )


def test_a_person_at_the_second_step_may_leave_it(nia: User) -> None:
    set_up(browser("nia"))
    client = Client()
    enter(client)
    assert client.get("/accounts/login")["Location"] == STEP
    client.post("/accounts/logout")
    assert client.get("/accounts/login").status_code == 200


def test_nothing_of_the_second_factor_is_open_to_a_stranger(client: Client) -> None:
    for path in (STEP, SET_UP, "/accounts/second-factor/recovery-codes", "/accounts/second-factor/turn-off"):
        assert client.get(path)["Location"].partition("?")[0] == "/accounts/login"
        assert client.post(path, {"code": "1"})["Location"].partition("?")[0] == "/accounts/login"
