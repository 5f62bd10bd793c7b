"""Truth table of who gets in (contract.md, auth, tokens, tenant), and what a call leaves behind."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ApiToken, Membership, ServiceOwner, Tenant, User
from stellapromote.accounts.token_format import generate
from stellapromote.api import authentication
from stellapromote.api.authentication import note_use
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_membership import end_membership
from tests.database import CommittedDatabase
from tests.stellapromote.api.conftest import (
    EARLIER,
    Caller,
    give_token,
    make_caller,
    make_service,
    make_tenant,
)

WHO = "/api/v1/who"
PAST = datetime.now(UTC) - timedelta(days=1)


def answer(response: Any) -> tuple[int, str]:
    body = response.json()
    return response.status_code, body["error"]["code"] if "error" in body else body["username"]


def with_header(value: str) -> Any:
    return Client().get(WHO, headers={"Authorization": value})


def test_a_token_gets_in(admin: Caller) -> None:
    assert answer(admin.call("GET", WHO)) == (200, "greta")


def test_no_credentials(db: None) -> None:
    response = Client().get(WHO)
    assert answer(response) == (401, "AUTH_TOKEN_MISSING")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic Z3JldGE6eA==",
        "Token {text}",
        "{text}",
        "Bearer {text} {text}",
        "Bearer {text}x",
        "Bearer {unknown}",
        "Bearer " + "x" * 10_000,
        "Bearer \u00e9",
    ],
)
def test_an_unreadable_or_unknown_token(admin: Caller, header: str) -> None:
    response = with_header(header.format(text=admin.text, unknown=generate()[2]))
    assert answer(response) == (401, "AUTH_TOKEN_INVALID")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(admin: Caller, scheme: str) -> None:
    assert answer(with_header(f"{scheme} {admin.text}")) == (200, "greta")


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "code"),
    [
        (PAST, None, "AUTH_TOKEN_EXPIRED"),
        (None, PAST, "AUTH_TOKEN_REVOKED"),
        (PAST, PAST, "AUTH_TOKEN_REVOKED"),  # revoked is the stronger word
    ],
)
@pytest.mark.parametrize("secret_matches", [True, False])
def test_a_dead_token_is_explained_only_to_who_knows_its_secret(
    kestrel: Tenant, expires_at: Any, revoked_at: Any, code: str, secret_matches: bool
) -> None:
    values = {"revoked_at": revoked_at} if revoked_at else {}
    if expires_at:
        values["expires_at"] = expires_at
    if not secret_matches:
        values["secret_digest"] = bytes(32)
    caller = make_caller(kestrel, "greta", "admin", **values)
    assert answer(caller.call("GET", WHO)) == (401, code if secret_matches else "AUTH_TOKEN_INVALID")


def test_secrets_are_compared_in_constant_time_also_for_unknown_tokens(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    real = authentication.hmac.compare_digest
    monkeypatch.setattr(authentication.hmac, "compare_digest", lambda a, b: compared.append(a) or real(a, b))
    with_header(f"Bearer {generate()[2]}")
    with_header(f"Bearer {admin.text}")
    assert len(compared) == 2


def test_who_left_the_tenant_has_no_tenant(admin: Caller) -> None:
    Membership.objects.filter(user=admin.user).update(ended_at=timezone.now())
    assert answer(admin.call("GET", WHO)) == (403, "PERM_TENANT_REQUIRED")


def test_an_inactive_account_has_no_tenant(admin: Caller) -> None:
    User.objects.filter(pk=admin.user.pk).update(is_active=False)
    assert answer(admin.call("GET", WHO)) == (403, "PERM_TENANT_REQUIRED")


def test_a_service_whose_only_owner_left_is_told_why_it_does_not_get_in(kestrel: Tenant) -> None:
    service = make_service(kestrel, "ci-runner", ["release:read"])
    assert service.call("GET", WHO).status_code == 200
    owner = ServiceOwner.objects.get(service__user=service.user).owner
    end_membership(by=command_actor(kestrel), clock=DATABASE_CLOCK, user_id=owner.pk)
    refused = service.call("GET", WHO)
    assert answer(refused) == (403, "PERM_TENANT_REQUIRED")
    assert "a service needs an owner who is one" in refused.json()["error"]["message"]


def test_a_service_gets_in_with_its_scopes_only(kestrel: Tenant) -> None:
    service = make_service(kestrel, "ci-runner", ["release:read"])
    body = service.call("GET", WHO).json()
    assert (body["username"], body["scopes"]) == ("kestrel.ci-runner", ["release:read"])


def test_a_token_has_no_more_scopes_than_its_owner_and_than_it_was_given(kestrel: Tenant) -> None:
    caller = make_caller(kestrel, "vera", "viewer", scopes=["release:read", "release:write"])
    assert caller.call("GET", WHO).json()["scopes"] == ["release:read"]


@pytest.mark.parametrize(("named", "status"), [("kestrel", 200), ("merlin", 403), ("nowhere", 403), ("KESTREL", 403)])
def test_a_token_is_of_one_tenant(admin: Caller, stranger: Caller, named: str, status: int) -> None:
    assert admin.call("GET", WHO, X_Stella_Tenant=named).status_code == status


def test_a_token_in_the_query_string_is_not_looked_at(admin: Caller) -> None:
    assert answer(Client().get(f"{WHO}?access_token={admin.text}")) == (401, "AUTH_TOKEN_MISSING")


def test_a_token_costs_one_statement(admin: Caller, django_assert_num_queries: Any) -> None:
    ApiToken.objects.update(last_used_at=timezone.now())
    with django_assert_num_queries(1):
        admin.call("GET", "/api/v1/teams?kind=green")


# --- sessions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(admin: Caller) -> Client:
    """greta, signed in, with a browser that checks CSRF as a real one."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin.user)
    return client


def test_a_session_gets_in(browser: Client) -> None:
    body = browser.get(WHO).json()
    assert (body["username"], body["method"]) == ("greta", "session")


def test_a_failing_header_does_not_fall_back_to_the_session(browser: Client) -> None:
    response = browser.get(WHO, headers={"Authorization": "Bearer x"})
    assert answer(response) == (401, "AUTH_TOKEN_INVALID")


def test_an_empty_header_does_not_fall_back_to_the_session(browser: Client) -> None:
    assert answer(browser.get(WHO, headers={"Authorization": ""})) == (401, "AUTH_TOKEN_INVALID")


def test_an_unsafe_method_needs_the_csrf_token(browser: Client) -> None:
    assert answer(browser.post("/api/v1/teams", {}, content_type="application/json")) == (403, "PERM_CSRF")


def test_the_csrf_token_opens_unsafe_methods(browser: Client) -> None:
    browser.cookies["csrftoken"] = "a" * 32
    response = browser.post(
        "/api/v1/teams",
        {"slug": "release", "displayName": "Release"},
        content_type="application/json",
        headers={"X-CSRFToken": "a" * 32},
    )
    assert response.status_code == 201


def test_a_wrong_csrf_token_does_not(browser: Client) -> None:
    browser.cookies["csrftoken"] = "a" * 32
    response = browser.post("/api/v1/teams", {}, content_type="application/json", headers={"X-CSRFToken": "b" * 32})
    assert answer(response) == (403, "PERM_CSRF")


def test_a_form_from_elsewhere_cannot_bring_the_token_in_its_body_alone(browser: Client) -> None:
    response = browser.post("/api/v1/teams", {"csrfmiddlewaretoken": "a" * 32})
    assert answer(response) == (403, "PERM_CSRF")


def test_a_forgotten_session_is_no_session(db: None) -> None:
    client = Client()
    client.cookies["sessionid"] = "x" * 32
    assert answer(client.get(WHO)) == (401, "AUTH_TOKEN_MISSING")


@pytest.mark.parametrize(
    ("named", "status", "tenant"),
    [(None, 403, None), ("kestrel", 200, "kestrel"), ("merlin", 200, "merlin"), ("osprey", 403, None), ("", 403, None)],
)
def test_a_session_of_several_tenants_names_one(
    browser: Client, admin: Caller, stranger: Caller, named: str | None, status: int, tenant: str | None
) -> None:
    make_tenant("osprey")
    Membership.objects.create(tenant=stranger.tenant, user=admin.user, granted_at=EARLIER, granted_via="command")
    response = browser.get(WHO, headers={} if named is None else {"X-Stella-Tenant": named})
    assert response.status_code == status
    assert response.json().get("tenant") == tenant


def test_a_session_without_a_tenant_is_403(db: None) -> None:
    user = User.objects.create(username="nobody", display_name="Nobody", date_joined=EARLIER)
    client = Client()
    client.force_login(user)
    assert answer(client.get(WHO)) == (403, "PERM_TENANT_REQUIRED")


# --- last use -------------------------------------------------------------------------------------------------------


def last_use(caller: Caller) -> Any:
    return ApiToken.objects.get(pk=caller.token.pk).last_used_at


def test_the_first_use_is_written(admin: Caller) -> None:
    admin.call("GET", WHO)
    assert last_use(admin) is not None


def test_a_use_within_the_minute_costs_nothing(admin: Caller, django_assert_num_queries: Any) -> None:
    just_now = timezone.now() - timedelta(seconds=50)
    ApiToken.objects.update(last_used_at=just_now)
    with django_assert_num_queries(1):
        admin.call("GET", "/api/v1/teams?zzz=1")
    assert last_use(admin) == just_now


def test_a_use_after_a_minute_is_written(admin: Caller) -> None:
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    admin.call("GET", WHO)
    assert timezone.now() - last_use(admin) < timedelta(seconds=30)


def test_a_refused_call_is_a_use(viewer: Caller) -> None:
    viewer.call("POST", "/api/v1/teams", {})
    assert last_use(viewer) is not None


def test_a_dead_token_is_not_used(kestrel: Tenant) -> None:
    caller = make_caller(kestrel, "greta", expires_at=PAST)
    caller.call("GET", WHO)
    assert last_use(caller) is None


def test_a_locked_row_is_left_alone_at_once(committed_db: CommittedDatabase, caplog: pytest.LogCaptureFixture) -> None:
    caller = give_token(
        make_tenant("kestrel"), User.objects.create(username="greta", display_name="G", date_joined=EARLIER)
    )
    with committed_db.as_app() as other, other.transaction():
        other.execute("SELECT 1 FROM accounts_apitoken FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        note_use(caller.token.pk, timezone.now())
    assert "could not be written" not in caplog.text
    assert last_use(caller) is None


def test_a_use_survives_the_failure_of_its_request(committed_db: CommittedDatabase) -> None:
    caller = make_caller(make_tenant("kestrel"), "greta", "admin")
    created = caller.call("POST", "/api/v1/teams", {"slug": "a", "displayName": "A"}).json()["id"]
    ApiToken.objects.update(last_used_at=None)
    assert caller.call("POST", f"/api/v1/teams/{created}/rename_then_fail").status_code == 500
    assert last_use(caller) is not None


def test_a_failure_to_write_it_does_not_fail_the_request(admin: Caller, caplog: pytest.LogCaptureFixture) -> None:
    note_use("not an id", timezone.now())  # type: ignore[arg-type]
    assert "could not be written" in caplog.text
