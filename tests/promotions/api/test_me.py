from django.test import Client

from stellapromote.accounts.scopes import ROLES
from tests.factories import make_person, make_token
from tests.promotions.api.world import Caller, World


def test_a_person_learns_who_they_are_and_what_they_may_do(world: World) -> None:
    found = world.nia.get("me")
    assert (found["username"], found["displayName"], found["kind"]) == ("nia", "Nia", "person")
    assert (found["roles"], found["teams"], found["scopes"]) == (["approver"], ["release"], sorted(ROLES["approver"]))
    assert found["tenant"] == {"id": str(world.tenant.pk), "slug": "kestrel-pay", "name": world.tenant.name}
    assert (found["authMethod"], found["tenants"]) == ("token", [found["tenant"]])


def test_a_narrow_token_shows_its_own_scopes(world: World) -> None:
    token = make_token(world.tenant, world.nia.user, scopes=["promotion:read"])
    assert Caller(world.nia.user, world.tenant, token).get("me")["scopes"] == ["promotion:read"]


def test_a_service_learns_that_it_never_votes(world: World) -> None:
    found = world.ci.get("me")
    assert (found["kind"], found["username"]) == ("service", "kestrel-pay.ci-runner")
    assert "promotion:approve" not in found["scopes"]


def test_a_session_shows_every_tenant_of_the_person_and_a_token_only_its_own(world: World, stranger: World) -> None:
    make_person(stranger.tenant, "vera", roles=["viewer"])
    client = Client(headers={"X-Stella-Tenant": "merlin"})
    client.force_login(world.vera.user)
    found = client.get("/api/v1/me").json()
    assert (found["tenant"]["slug"], found["authMethod"], found["tokenId"]) == ("merlin", "session", None)
    assert [each["slug"] for each in found["tenants"]] == ["kestrel-pay", "merlin"]
    assert [each["slug"] for each in world.vera.get("me")["tenants"]] == ["kestrel-pay"]


def test_nobody_in_particular_is_401(db: None) -> None:
    response = Client().get("/api/v1/me")
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_TOKEN_MISSING")
