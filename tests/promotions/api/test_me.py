from typing import Any

import pytest
from django.test import Client

from stellapromote.accounts.scopes import ROLES
from stellapromote.audit.models import AuditEvent
from tests.calling import wrong_fields
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


def test_a_person_chooses_the_time_zone_of_their_pages_signed_in(world: World) -> None:
    client = Client()
    client.force_login(world.vera.user)
    assert client.get("/api/v1/me").json()["timeZone"] == "UTC"
    changed = client.patch("/api/v1/me", {"timeZone": "Asia/Tokyo"}, content_type="application/json")
    assert (changed.status_code, changed.json()["timeZone"]) == (200, "Asia/Tokyo")
    assert world.vera.get("me")["timeZone"] == "Asia/Tokyo"
    [event] = AuditEvent.objects.filter(action="user.time_zone_changed")
    assert (event.tenant_id, event.before, event.after) == (None, {"timeZone": "UTC"}, {"timeZone": "Asia/Tokyo"})
    for same in ({}, {"timeZone": "Asia/Tokyo"}):
        assert client.patch("/api/v1/me", same, content_type="application/json").status_code == 200
    assert AuditEvent.objects.filter(action="user.time_zone_changed").count() == 1


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "localtime", "../UTC", "x" * 65, 5, None])
def test_a_zone_that_is_none_is_refused(world: World, zone: Any) -> None:
    client = Client()
    client.force_login(world.vera.user)
    refused = client.patch("/api/v1/me", {"timeZone": zone}, content_type="application/json")
    assert (refused.status_code, wrong_fields(refused)) == (400, ["timeZone"])
    assert client.get("/api/v1/me").json()["timeZone"] == "UTC"


def test_a_token_and_a_service_change_no_account(world: World) -> None:
    for who in (world.vera, world.ci):
        assert who.refused("PATCH", "me", {"timeZone": "Asia/Tokyo"}) == (403, "PERM_DENIED")
        assert who.get("me")["timeZone"] == "UTC"
