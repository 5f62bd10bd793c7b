"""Overrides over REST: who is told what, and whether it verifies (domain.md §6; contract.md, Promotions)."""

from datetime import timedelta
from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from promotions.models import Override, Promotion
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.clock import rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.factories import make_promotion_policy, make_token
from tests.kept import kept
from tests.promotions.api.world import Caller, World, make_world

UNKNOWN = "0191d2f0-0000-7000-8000-000000000000"
SHUT = {
    "name": "hours",
    "kind": "schedule",
    "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
    "override": {"by": ["omar"]},
}


@pytest.fixture
def shut(world: World) -> World:
    return make_shut(world)


@kept
def make_shut(world: World) -> World:
    """Production's hours are over; omar may override them."""
    greta = world.greta.actor
    make_promotion_policy(greta, "strict", gates=[SHUT])
    production = world.environments["production"]
    update_environment(
        by=greta, clock=DATABASE_CLOCK, environment_id=production.pk, changes={"promotionPolicy": "strict"}
    )
    omar = world.omar.user
    grant_scope(by=greta, clock=DATABASE_CLOCK, user_id=omar.pk, scope=PROMOTION_OVERRIDE, reason="On call")
    world.people["omar"] = Caller(omar, world.tenant, make_token(world.tenant, omar))
    return world


def body(**changes: Any) -> dict[str, Any]:
    until = rfc3339(DATABASE_CLOCK.now() + timedelta(hours=2))
    return {"reason": "Payments are down", "ticket": "INC-7", "expiresAt": until, **changes}


def place(promotion: Promotion, gate: str = "hours") -> str:
    return f"promotions/{promotion.pk}/gates/{gate}/override"


def test_the_answer_is_the_signed_human_decision(shut: World) -> None:
    promotion = shut.waiting()
    answer = shut.omar.ok("POST", place(promotion), body(decisionId=str(promotion.decision_id)), status=201)
    assert (answer["username"], answer["ticket"], answer["review"]) == ("omar", "INC-7", None)
    verified = shut.idris.ok("POST", "evidence/verify", answer["envelope"])
    assert (verified["valid"], verified["type"], verified["result"]) == (True, "human_decision", "override")
    assert verified["promotion"] == {"id": str(promotion.pk), "number": None}
    assert verified["tenantId"] == str(shut.tenant.pk)
    record = shut.vera.get(f"promotions/{promotion.pk}/decision")
    assert record["humanDecisionEnvelopeIds"] == [answer["id"]]
    assert shut.vera.get(f"promotions/{promotion.pk}/overrides")["data"] == [answer]


def test_a_human_decision_of_another_tenant_is_not_valid(shut: World) -> None:
    envelope = shut.omar.ok("POST", place(shut.waiting()), body(), status=201)["envelope"]
    answer = make_world("other-pay", "other-").idris.ok("POST", "evidence/verify", envelope)
    checks = {check["name"]: check["result"] for check in answer["checks"]}
    assert (answer["valid"], checks["signature"], checks["stored"]) == (False, "passed", "failed")


def test_a_changed_envelope_does_not_verify(shut: World) -> None:
    promotion = shut.waiting()
    envelope = shut.omar.ok("POST", place(promotion), body(), status=201)["envelope"]
    envelope["payload"] = envelope["payload"][:-8] + "AAAA" + envelope["payload"][-4:]
    assert shut.idris.ok("POST", "evidence/verify", envelope)["valid"] is False


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("tomas", (403, "PERM_SEPARATION_OF_DUTIES")),
        ("ci", (403, "PERM_SERVICE_ACCOUNT_CANNOT_VOTE")),
        ("mei", (403, "PERM_NOT_ELIGIBLE")),
        ("greta", (403, "PERM_NOT_ELIGIBLE")),
    ],
)
def test_everybody_else_is_refused(shut: World, who: str, refusal: tuple[int, str]) -> None:
    assert shut.people[who].refused("POST", place(shut.waiting()), body()) == refusal
    assert not Override.objects.exists()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"subjectDigest": "sha256:" + "00" * 32}, (412, "RES_SUBJECT_CHANGED")),
        ({"decisionId": UNKNOWN}, (404, "RES_NOT_FOUND")),
        ({"expiresAt": "2030-01-01T00:00:00Z"}, (400, "VAL_INVALID")),
        ({"reason": ""}, (400, "VAL_INVALID")),
        ({"ticket": None}, (400, "VAL_INVALID")),
        ({"force": True}, (400, "VAL_UNKNOWN_FIELD")),
    ],
)
def test_what_does_not_fit_is_refused(shut: World, changes: dict[str, Any], refusal: tuple[int, str]) -> None:
    assert shut.omar.refused("POST", place(shut.waiting()), body(**changes)) == refusal
    assert not Override.objects.exists()


@pytest.mark.parametrize("gate", ["approval", "freeze-window"])
def test_a_gate_that_is_not_to_be_overridden_is_a_conflict(shut: World, gate: str) -> None:
    assert shut.omar.refused("POST", place(shut.waiting(), gate), body()) == (409, "RES_STATE_CONFLICT")


def test_an_unknown_gate_is_not_found(shut: World) -> None:
    assert shut.omar.refused("POST", place(shut.waiting(), "nothing"), body()) == (404, "RES_NOT_FOUND")
    assert shut.omar.refused("POST", place(shut.waiting(), "nothing"), {}) == (404, "RES_NOT_FOUND")


def test_a_stale_if_match_is_refused(shut: World) -> None:
    promotion = shut.waiting()
    tag = shut.vera.call("GET", f"promotions/{promotion.pk}").headers["ETag"]
    shut.mei.ok("POST", f"promotions/{promotion.pk}/approve", {})
    refused = shut.omar.refused("POST", place(promotion), body(), If_Match=tag)
    assert refused == (412, "RES_PRECONDITION_FAILED")


def test_the_same_key_overrides_once(shut: World) -> None:
    promotion, sent = shut.waiting(), body()
    first = shut.omar.call("POST", place(promotion), sent, Idempotency_Key="once")
    again = shut.omar.call("POST", place(promotion), sent, Idempotency_Key="once")
    assert first.content == again.content
    assert Override.objects.count() == 1


class TestReview:
    def test_another_person_reviews_once(self, shut: World) -> None:
        promotion = shut.waiting()
        given = shut.omar.ok("POST", place(promotion), body(), status=201)
        review = f"promotions/{promotion.pk}/overrides/{given['id']}/review"
        answer = shut.mei.ok("POST", review, {"verdict": "objected", "comment": "It could have waited"})
        assert (answer["review"]["username"], answer["review"]["verdict"]) == ("mei", "objected")
        assert shut.nia.refused("POST", review, {"verdict": "justified"}) == (409, "RES_STATE_CONFLICT")

    @pytest.mark.parametrize(
        ("who", "sent", "refusal"),
        [
            ("omar", {"verdict": "justified"}, (403, "PERM_SEPARATION_OF_DUTIES")),  # their own
            ("tomas", {"verdict": "justified"}, (403, "PERM_SEPARATION_OF_DUTIES")),  # asked for the promotion
            ("vera", {"verdict": "justified"}, (403, "PERM_DENIED")),
            ("ci", {"verdict": "justified"}, (403, "PERM_SERVICE_ACCOUNT_CANNOT_VOTE")),
            ("mei", {"verdict": "fine"}, (400, "VAL_INVALID")),
            ("mei", {"verdict": "objected"}, (400, "VAL_INVALID")),
        ],
    )
    def test_what_is_refused(self, shut: World, who: str, sent: dict[str, str], refusal: tuple[int, str]) -> None:
        promotion = shut.waiting()
        given = shut.omar.ok("POST", place(promotion), body(), status=201)
        review = f"promotions/{promotion.pk}/overrides/{given['id']}/review"
        assert shut.people[who].refused("POST", review, sent) == refusal


def test_another_tenants_override_does_not_exist(shut: World, stranger: World) -> None:
    theirs = stranger.waiting()
    assert shut.omar.refused("POST", place(theirs), body()) == (404, "RES_NOT_FOUND")
    assert shut.omar.refused("GET", f"promotions/{theirs.pk}/overrides") == (404, "RES_NOT_FOUND")
    review = f"promotions/{theirs.pk}/overrides/{UNKNOWN}/review"
    assert shut.mei.refused("POST", review, {"verdict": "justified"}) == (404, "RES_NOT_FOUND")
