"""The same call again is answered, not done, again: in one request after another, at once, and after failures."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from stellapromote.accounts.models import Team, Tenant
from stellapromote.api import idempotency
from stellapromote.api.idempotency import forget_expired
from stellapromote.api.models import IdempotentAnswer
from tests.database import CommittedDatabase
from tests.stellapromote.api import urls
from tests.stellapromote.api.conftest import Caller, give_token, make_caller, make_tenant

NEW = {"slug": "release", "displayName": "Release"}


def post(
    caller: Caller, data: Any = NEW, path: str = "/api/v1/teams", key: str | None = "key-1", **headers: str
) -> Any:
    return caller.call("POST", path, data, **({} if key is None else {"Idempotency_Key": key}), **headers)


def code(response: Any) -> str:
    return str(response.json()["error"]["code"])


def test_a_repeated_call_gets_the_same_bytes_and_is_done_once(admin: Caller) -> None:
    first, second = post(admin), post(admin)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Content-Type"] == "application/json"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Team.objects.count() == 1


def test_without_a_key_every_call_is_done(admin: Caller) -> None:
    assert post(admin, key=None).status_code == 201
    assert post(admin, key=None).status_code == 409
    assert not IdempotentAnswer.objects.exists()


def test_another_body_under_the_same_key_is_refused(admin: Caller) -> None:
    post(admin)
    response = post(admin, {**NEW, "slug": "security"})
    assert (response.status_code, code(response)) == (409, "RES_IDEMPOTENCY_KEY_REUSED")
    assert Team.objects.count() == 1


CHANGES = [
    "content = convert_to('{\"allowed\": true}', 'UTF8')",
    "status = 200",
    'headers = headers || \'{"Location": "/elsewhere"}\'',
    "created_at = created_at + interval '1 hour'",
    "seal = NULL",
    "seal = sha256(content)",
]


@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_that_somebody_changed_is_not_given(admin: Caller, change: str) -> None:
    """Who has the database has no SECRET_KEY."""
    post(admin)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE api_idempotentanswer SET {change}")
    response = post(admin)
    assert (response.status_code, code(response)) == (409, "RES_IDEMPOTENCY_KEY_REUSED")
    assert "is not the one given" in response.json()["error"]["message"]


def test_an_answer_of_another_call_is_not_given(admin: Caller) -> None:
    """Two calls with the same body."""
    path = "/api/v1/teams?validateOnly=true"
    for key in ("key-1", "key-2"):
        assert post(admin, path=path, key=key).status_code == 200
    first, second = IdempotentAnswer.objects.order_by("created_at")
    first.delete()
    IdempotentAnswer.objects.filter(pk=second.pk).update(fingerprint=first.fingerprint)
    assert code(post(admin, path=path)) == "RES_IDEMPOTENCY_KEY_REUSED"


def test_an_answer_counts_under_a_key_that_was_replaced(admin: Caller, settings: Any) -> None:
    post(admin)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 64, [settings.SECRET_KEY]
    assert post(admin).headers["Idempotency-Replayed"] == "true"
    settings.SECRET_KEY_FALLBACKS = []
    assert code(post(admin)) == "RES_IDEMPOTENCY_KEY_REUSED"


def test_a_key_belongs_to_its_caller_tenant_path_and_query(admin: Caller, stranger: Caller, kestrel: Tenant) -> None:
    other = make_caller(kestrel, "gerd", "admin")
    post(admin)
    assert code(post(other)) == "RES_DUPLICATE"  # done, and refused by the database
    assert post(stranger).status_code == 201
    assert post(admin, path="/api/v1/teams?validateOnly=true").json() == {"valid": True}
    team = Team.objects.get(tenant=kestrel)
    assert post(admin, {}, path=f"/api/v1/teams/{team.id}/reveal").status_code == 200


def test_a_key_is_the_persons_not_the_tokens(admin: Caller, kestrel: Tenant) -> None:
    post(admin)
    second_token = give_token(kestrel, admin.user)
    assert post(second_token).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["a", "a" * 255, "!~", "0191d2f0-0000-7000-8000-000000000000"])
def test_a_key_is_visible_characters(admin: Caller, key: str) -> None:
    assert post(admin, key=key).status_code == 201


@pytest.mark.parametrize("key", ["a" * 256, "a b", "a\tb", "\u00e9", "a\x7f"])
def test_another_key_is_400(admin: Caller, key: str) -> None:
    response = post(admin, key=key)
    assert (response.status_code, code(response)) == (400, "VAL_INVALID")
    assert response.json()["error"]["validationErrors"][0]["field"] == "Idempotency-Key"
    assert not Team.objects.exists()


def test_a_refusal_is_not_stored_and_may_be_tried_again(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    assert post(admin).status_code == 409
    team.delete()
    assert post(admin).status_code == 201


def test_a_refusal_that_changed_state_is_committed_and_replayed(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    path = f"/api/v1/teams/{team.id}/rename_then_refuse"
    first = post(admin, {}, path)
    team.refresh_from_db()
    assert (first.status_code, code(first), team.name) == (422, "PROM_APPROVAL_EXPIRED", "expired")
    second = post(admin, {}, path)
    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"


def test_a_refusal_that_changed_state_is_committed_without_a_key_too(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    assert post(admin, {}, f"/api/v1/teams/{team.id}/rename_then_refuse", key=None).status_code == 422
    team.refresh_from_db()
    assert team.name == "expired"


def test_a_failure_undoes_the_change_and_stores_nothing(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    assert post(admin, {}, f"/api/v1/teams/{team.id}/rename_then_fail").status_code == 500
    team.refresh_from_db()
    assert team.name == "Release"
    assert not IdempotentAnswer.objects.exists()


def test_an_answer_with_a_secret_is_never_stored(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    for _ in range(2):
        response = post(admin, {}, f"/api/v1/teams/{team.id}/reveal")
        assert response.status_code == 200
        assert "Idempotency-Replayed" not in response.headers
    assert not IdempotentAnswer.objects.exists()


def test_a_replay_needs_authentication_and_scope(admin: Caller, kestrel: Tenant) -> None:
    post(admin)
    read_only = give_token(kestrel, admin.user, scopes=["policy:read"])
    assert code(post(read_only)) == "PERM_DENIED"
    revoked = give_token(kestrel, admin.user, revoked_at=timezone.now())
    assert code(post(revoked)) == "AUTH_TOKEN_REVOKED"


def test_after_a_day_the_key_is_free_again(admin: Caller) -> None:
    post(admin)
    Team.objects.all().delete()
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    response = post(admin)
    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response.headers
    assert post(admin).headers["Idempotency-Replayed"] == "true"
    assert IdempotentAnswer.objects.count() == 1


def test_within_the_day_it_is_not(admin: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was given is sealed, so the day is made shorter."""
    assert timedelta(hours=24) == idempotency.LIFE
    monkeypatch.setattr(idempotency, "LIFE", timedelta(minutes=1))
    post(admin)
    assert post(admin).headers["Idempotency-Replayed"] == "true"


def test_old_answers_are_forgotten_in_portions(admin: Caller) -> None:
    for number in range(3):
        post(admin, {**NEW, "slug": f"t{number}"}, key=f"key-{number}")
    now = timezone.now()
    IdempotentAnswer.objects.update(created_at=now - timedelta(hours=24))
    post(admin, {**NEW, "slug": "young"}, key="young")
    assert forget_expired(now, limit=2) == 2
    assert forget_expired(now, limit=2) == 1
    assert IdempotentAnswer.objects.count() == 1


def test_only_post_has_keys(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    for _ in range(2):
        response = admin.call("PATCH", f"/api/v1/teams/{team.id}", {"displayName": "x"}, Idempotency_Key="key-1")
        assert response.status_code == 200
        assert "Idempotency-Replayed" not in response.headers


# --- at once, with real commits -------------------------------------------------------------------------------------


@pytest.fixture
def greta(committed_db: CommittedDatabase) -> Caller:
    return make_caller(make_tenant("kestrel"), "greta", "admin")


def test_of_many_calls_at_once_one_is_done(greta: Caller, committed_db: CommittedDatabase) -> None:
    responses = committed_db.at_once(*[lambda: post(greta)] * 8)
    assert not [response for response in responses if isinstance(response, Exception)]
    statuses = sorted(response.status_code for response in responses)  # type: ignore[union-attr]
    assert set(statuses) <= {201, 409}
    assert statuses.count(201) >= 1
    assert Team.objects.count() == 1
    done = {response.content for response in responses if response.status_code == 201}  # type: ignore[union-attr]
    assert len(done) == 1
    refused = {code(response) for response in responses if response.status_code == 409}  # type: ignore[union-attr]
    assert refused <= {"RES_IN_PROGRESS"}


def test_while_the_first_call_runs_the_second_is_told_to_come_back(
    greta: Caller, committed_db: CommittedDatabase
) -> None:
    team = Team.objects.create(tenant=greta.tenant, slug="release", name="Release")
    path = f"/api/v1/teams/{team.id}/slow"
    urls.has_begun.clear()
    urls.may_finish.clear()

    def second() -> Any:
        urls.has_begun.wait(20)
        try:
            return post(greta, {}, path)
        finally:
            urls.may_finish.set()

    first_response, second_response = committed_db.at_once(lambda: post(greta, {}, path), second)
    assert (second_response.status_code, code(second_response)) == (409, "RES_IN_PROGRESS")  # type: ignore[union-attr]
    assert first_response.status_code == 200  # type: ignore[union-attr]
    assert post(greta, {}, path).headers["Idempotency-Replayed"] == "true"


def test_a_killed_first_call_leaves_the_key_free(greta: Caller, committed_db: CommittedDatabase) -> None:
    team = Team.objects.create(tenant=greta.tenant, slug="release", name="Release")
    path = f"/api/v1/teams/{team.id}/slow"
    urls.has_begun.clear()
    urls.may_finish.clear()

    def killer() -> None:
        urls.has_begun.wait(20)
        with committed_db.as_superuser() as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
        urls.may_finish.set()

    killed, _ = committed_db.at_once(lambda: post(greta, {}, path), killer)
    assert killed.status_code == 503  # type: ignore[union-attr]
    team.refresh_from_db()
    assert team.name == "Release"
    response = post(greta, {}, path)
    assert response.status_code == 200
    assert "Idempotency-Replayed" not in response.headers
