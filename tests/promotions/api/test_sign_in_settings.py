"""/sign-in-settings, and what calls and pages are refused where a second factor is required."""

from typing import Any

import pytest
from django.test import Client

from policies.models import Proposal
from promotions.models import Vote
from stellapromote.accounts.models import ApiToken, SignInSettings
from tests.factories import PASSWORD
from tests.promotions.api.test_nobody_alone_by_proposals import confirms
from tests.promotions.api.world import Caller, World
from tests.stellapromote.identity.second_factors import code_of, set_up

PLACE = "sign-in-settings"
REQUIRED = {"requireSecondFactor": True, "graceDays": 0}


def browser(caller: Caller) -> Client:
    caller.user.set_password(PASSWORD)
    caller.user.save(update_fields=["password"])
    client = Client()
    assert client.post("/accounts/login", {"login": caller.user.username, "password": PASSWORD}).status_code == 302
    return client


def with_second_factor(caller: Caller) -> Client:
    secret, _ = set_up(browser(caller))
    client = browser(caller)
    assert client.post("/accounts/second-factor", {"code": code_of(secret, 1)}).status_code == 302
    return client


def token_of(client: Client, caller: Caller, *scopes: str) -> Caller:
    """One that the person makes on the page in this session."""
    answer = client.post("/settings/tokens", {"name": "mine", "scopes": scopes, "expires_days": 9})
    assert answer.status_code == 200, answer.text
    return Caller(caller.user, caller.tenant, answer.text.partition("spt_")[2].join(("spt_", "")).partition('"')[0])


def test_a_tenant_requires_nothing_until_an_administrator_says_so(world: World) -> None:
    assert world.vera.get(PLACE) == {
        "id": str(world.tenant.pk),
        "requireSecondFactor": False,
        "secondFactorFrom": None,
    }
    for who in (world.nia, world.vera, world.idris):
        assert who.refused("PATCH", PLACE, REQUIRED) == (403, "PERM_DENIED")
    changed = world.greta.ok("PATCH", PLACE, {"requireSecondFactor": True})
    assert changed["requireSecondFactor"]
    assert world.vera.get(PLACE) == changed
    assert SignInSettings.objects.get().tenant == world.tenant


def test_to_require_it_no_longer_is_a_proposal(world: World) -> None:
    world.greta.ok("PATCH", PLACE, {"requireSecondFactor": True})
    proposal = world.greta.ok("PATCH", PLACE, {"requireSecondFactor": False}, status=202)
    assert (proposal["kind"], proposal["environments"]) == ("sign_in_settings.update", ["production"])
    assert world.greta.get(PLACE)["requireSecondFactor"]
    assert confirms(world.nia, proposal) == (200, "confirmed")
    assert not world.greta.get(PLACE)["requireSecondFactor"]


def test_the_change_is_bound_to_what_was_read(world: World) -> None:
    tag = world.greta.call("GET", PLACE)["ETag"]
    world.greta.ok("PATCH", PLACE, {"requireSecondFactor": True}, If_Match=tag)
    assert world.greta.refused("PATCH", PLACE, {"requireSecondFactor": False}, If_Match=tag) == (
        412,
        "RES_PRECONDITION_FAILED",
    )


@pytest.mark.parametrize("body", [
    {"requireSecondFactor": "yes"}, {"requireSecondFactor": True, "graceDays": 91},
    {"requireSecondFactor": False, "graceDays": 1}, {"requireSecondFactor": True, "graceDays": 1.5}, {"grace": 1},
])  # fmt: skip
def test_what_cannot_be_is_said(world: World, body: Any) -> None:
    status, code = world.greta.refused("PATCH", PLACE, body)
    assert (status, code[:4]) == (400, "VAL_")
    assert not SignInSettings.objects.exists()


def test_a_token_that_was_made_without_it_carries_no_vote_then(world: World) -> None:
    promotion = world.waiting()
    world.greta.ok("PATCH", PLACE, REQUIRED)
    for act, body in (("approve", {}), ("reject", {"reason": "no"})):
        answer = world.nia.call("POST", f"promotions/{promotion.pk}/{act}", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "PERM_SECOND_FACTOR")
        assert "set one up in your settings" in answer.json()["error"]["message"]
    assert "promotion:approve" not in world.nia.get("me")["scopes"]
    assert world.tomas.refused("POST", f"promotions/{promotion.pk}/approve", {})[1] == "PERM_SEPARATION_OF_DUTIES"
    assert not Vote.objects.filter(promotion=promotion).exists()


def test_a_token_that_was_made_with_it_votes(world: World) -> None:
    promotion = world.waiting()
    client = with_second_factor(world.nia)
    world.greta.ok("PATCH", PLACE, REQUIRED)
    token = token_of(client, world.nia, "promotion:read", "promotion:approve")
    assert ApiToken.objects.get(name="mine").second_factor
    token.ok("POST", f"promotions/{promotion.pk}/approve", {})
    vote = Vote.objects.get(promotion=promotion)
    assert (vote.voter, vote.auth_method, vote.second_factor) == (world.nia.user, "token", True)
    [shown] = world.idris.get(f"promotions/{promotion.pk}/approvals")["data"]
    assert shown["secondFactor"] is True


def test_a_token_of_a_session_without_it_does_not_get_the_right(world: World) -> None:
    world.greta.ok("PATCH", PLACE, REQUIRED)
    client = browser(world.nia)
    answer = client.post("/settings/tokens", {"name": "mine", "scopes": ["promotion:approve"], "expires_days": 9})
    assert answer.status_code == 400
    assert "with a second factor" in answer.text
    assert not ApiToken.objects.filter(name="mine").exists()


def test_a_session_without_it_is_refused_on_the_page_and_one_with_it_votes(world: World) -> None:
    promotion = world.waiting()
    world.greta.ok("PATCH", PLACE, REQUIRED)
    path, form = f"/promotions/{promotion.pk}", {"subject_digest": promotion.subject_digest}
    without = browser(world.nia)
    assert "requires a second factor" in without.get(path).text
    refused = without.post(f"{path}/approve", form)
    assert refused.status_code == 403
    assert "set one up in your settings" in refused.text
    assert not Vote.objects.filter(promotion=promotion).exists()
    set_up(without)
    assert without.post(f"{path}/approve", form).status_code == 302
    assert Vote.objects.get(promotion=promotion).second_factor


def test_signing_in_again_with_the_password_alone_is_not_enough(world: World) -> None:
    promotion = world.waiting()
    world.greta.ok("PATCH", PLACE, REQUIRED)
    client = with_second_factor(world.nia)
    answer = client.get(f"/promotions/{promotion.pk}")
    assert "requires a second factor" not in answer.text


def test_the_page_shows_and_changes_the_settings(world: World) -> None:
    greta = browser(world.greta)
    assert browser(world.nia).get("/settings/sign-in").status_code == 403
    page = greta.get("/settings/sign-in").text
    assert "/settings/sign-in" in greta.get("/settings").text
    seen = page.partition('name="seen" value="')[2].partition('"')[0].replace("&quot;", '"')
    refused = greta.post("/settings/sign-in", {"seen": seen, "require_second_factor": "on", "grace_days": "91"})
    assert refused.status_code == 400
    answer = greta.post("/settings/sign-in", {"seen": seen, "require_second_factor": "on", "grace_days": "3"})
    assert (answer.status_code, answer["Location"]) == (302, "/settings/sign-in")
    shown = greta.get("/settings/sign-in").text
    assert "In force from" in shown
    assert greta.post("/settings/sign-in", {"seen": seen}).status_code == 412
    seen = shown.partition('name="seen" value="')[2].partition('"')[0].replace("&quot;", '"')
    answer = greta.post("/settings/sign-in", {"seen": seen})
    assert answer["Location"] == f"/proposals/{Proposal.objects.get().pk}"
    assert SignInSettings.objects.get().second_factor_from is not None
    assert "Change the sign-in settings of" in greta.get(answer["Location"]).text
