"""Promotions over REST: requested, previewed, cancelled (contract.md, Promotions)."""

from typing import Any
from uuid import uuid4

import pytest

from promotions.models import DecisionRecord, Promotion, PromotionCounter
from stellapromote.audit.models import AuditEvent
from tests.factories import make_environment
from tests.promotions.api.promotions import ANSWER
from tests.promotions.api.world import World


class TestRequest:
    def test_a_request_is_judged_in_the_same_call(self, world: World) -> None:
        release = world.release()
        body = {"releaseId": str(release.pk), "targetEnvironment": "dev", "reason": "Try it"}
        made = world.tomas.ok("POST", "promotions", body, status=201)
        assert set(made) == ANSWER
        assert (made["status"], made["number"], made["requestedByName"]) == ("approved", 1, "Tomas")
        assert made["sourceEnvironmentId"] is None
        assert made["evidencePacketId"] is not None
        assert made["decision"]["decision"] == "allow"
        assert self.asked(world, "production")["decision"]["decision"] == "pending"

    def asked(self, world: World, target: str) -> Any:
        release = world.release()
        world.deployed(release, "dev", "staging")
        body = {"releaseId": str(release.pk), "targetEnvironment": target, "reason": "Try it"}
        return world.tomas.ok("POST", "promotions", body, status=201)

    @pytest.mark.parametrize("by_name", [True, False])
    def test_release_and_target_go_by_name_or_by_id(self, world: World, by_name: bool) -> None:
        release, target = world.release(), world.environments["dev"]
        body = (
            {"releaseName": release.name, "targetEnvironment": target.name}
            if by_name
            else {"releaseId": str(release.pk), "targetEnvironmentId": str(target.pk)}
        )
        made = world.tomas.ok("POST", "promotions", {**body, "reason": "x"}, status=201)
        assert (made["releaseId"], made["targetEnvironmentId"]) == (str(release.pk), str(target.pk))

    @pytest.mark.parametrize("change", [None, {}, {"ref": "CHG-1"}])
    def test_the_change_is_kept_whole(self, world: World, change: dict[str, Any] | None) -> None:
        release = world.release()
        body = {"releaseName": release.name, "targetEnvironment": "dev", "reason": "x", "change": change}
        made = world.tomas.ok("POST", "promotions", body, status=201)
        expected = {"ref": "CHG-1", "url": None, "type": None, "backout": None} if change else None
        assert made["change"] == expected

    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({"releaseName": None}, ["releaseName"]),
            ({"releaseId": "0191d2f0-0000-7000-8000-000000000000"}, ["releaseId"]),
            ({"targetEnvironmentId": "0191d2f0-0000-7000-8000-000000000000"}, ["targetEnvironmentId"]),
            ({"reason": ""}, ["reason"]),
            ({"reason": "  "}, ["reason"]),
            ({"reason": "x" * 2001}, ["reason"]),
            ({"change": {"ref": "x" * 65}}, ["change.ref"]),
            ({"change": {"url": "ftp://example.org"}}, ["change.url"]),
            ({"change": {"url": "javascript:alert(1)"}}, ["change.url"]),
            ({"change": {"type": "urgent"}}, ["change.type"]),
            ({"change": {"backout": "x" * 2001}}, ["change.backout"]),
            ({"change": {"other": 1}}, ["change.other"]),
        ],
    )
    def test_a_wrong_field_is_named(self, world: World, changes: dict[str, Any], fields: list[str]) -> None:
        body = {"releaseName": world.release().name, "targetEnvironment": "dev", "reason": "x", **changes}
        response = world.tomas.call("POST", "promotions", body)
        assert response.status_code == 400
        assert [each["field"] for each in response.json()["error"]["validationErrors"]] == fields
        assert not Promotion.objects.exists()

    @pytest.mark.parametrize("absent", ["releaseName", "targetEnvironment", "reason"])
    def test_nothing_needed_may_be_left_out(self, world: World, absent: str) -> None:
        body = {"releaseName": world.release().name, "targetEnvironment": "dev", "reason": "x"}
        del body[absent]
        assert world.tomas.refused("POST", "promotions", body) == (400, "VAL_INVALID")

    def test_what_another_tenant_has_does_not_exist(self, world: World, stranger: World) -> None:
        mine, theirs = world.release("mine"), stranger.release("theirs")
        target, other = world.environments["dev"], stranger.environments["dev"]
        for release, environment in ((theirs, target), (mine, other)):
            body = {"releaseId": str(release.pk), "targetEnvironmentId": str(environment.pk), "reason": "x"}
            assert world.tomas.refused("POST", "promotions", body) == (404, "RES_NOT_FOUND")
        body = {"releaseName": "theirs", "targetEnvironment": "dev", "reason": "x"}
        assert world.tomas.refused("POST", "promotions", body) == (404, "RES_NOT_FOUND")

    def test_a_name_or_id_of_nothing_is_said_and_the_same_way_whether_or_not_another_tenant_has_it(
        self, world: World, stranger: World
    ) -> None:
        named = {"releaseName": world.release("mine").name, "targetEnvironment": "dev", "reason": "x"}
        stranger.release("theirs")

        def said(without: str, **instead: Any) -> dict[str, Any]:
            body = {name: value for name, value in named.items() if name != without} | instead
            error: dict[str, Any] = world.tomas.call("POST", "promotions", body).json()["error"]
            return error

        for name in ("theirs", "nobody-s"):
            error = said("releaseName", releaseName=name)
            assert error["message"] == "releaseName names no release of your tenant: check it."
            assert error["details"] == {"field": "releaseName"}
        for identifier in (str(stranger.environments["dev"].pk), str(uuid4())):
            error = said("targetEnvironment", targetEnvironmentId=identifier)
            assert error["message"] == "targetEnvironmentId names no environment of your tenant: check it."
        assert said("releaseName", releaseId=str(uuid4()))["details"] == {"field": "releaseId"}
        assert said("targetEnvironment", targetEnvironment="moon")["details"] == {"field": "targetEnvironment"}

    def test_broken_preconditions_store_nothing(self, world: World) -> None:
        draft, fresh, old = world.release(finalize=False), world.release(), world.release()
        world.ravi.ok("POST", f"releases/{old.pk}/deprecate", {"reason": "Leaks"})
        archived = make_environment(world.greta.actor, "attic", 9)
        world.greta.ok("POST", f"environments/{archived.pk}/archive", {})
        for release, target, refusal in (
            (draft, "dev", (422, "PROM_RELEASE_NOT_FINALIZED")),
            (fresh, "production", (422, "PROM_SEQUENCE_VIOLATION")),
            (old, "dev", (422, "PROM_RELEASE_DEPRECATED")),
            (fresh, "attic", (422, "ENV_ARCHIVED")),
        ):
            body = {"releaseName": release.name, "targetEnvironment": target, "reason": "x"}
            assert world.tomas.refused("POST", "promotions", body) == refusal
        assert not Promotion.objects.exists()
        assert PromotionCounter.objects.get(tenant=world.tenant).last_number == 0

    def test_one_active_promotion_per_release_and_target(self, world: World) -> None:
        promotion = world.waiting()
        body = {"releaseId": str(promotion.release_id), "targetEnvironment": "production", "reason": "again"}
        response = world.tomas.call("POST", "promotions", body)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "RES_DUPLICATE")
        assert response.json()["error"]["details"]["promotionId"] == str(promotion.pk)

    def test_validate_only_previews_and_stores_nothing(self, world: World) -> None:
        release = world.release()
        world.deployed(release, "dev", "staging")
        before = (Promotion.objects.count(), DecisionRecord.objects.count(), AuditEvent.objects.count())
        body = {"releaseName": release.name, "targetEnvironment": "production", "reason": "x"}

        preview = world.tomas.ok("POST", "promotions?validateOnly=true", body)

        assert (preview["status"], preview["decision"]) == ("awaiting_approval", "pending")
        assert preview["approvalCount"] == {"required": 2, "given": 0}
        assert [each["username"] for each in preview["eligibleApprovers"]] == ["mei", "nia"]
        assert [gate["name"] for gate in preview["gates"]] == ["preconditions", "freeze-window", "approval"]
        assert (Promotion.objects.count(), DecisionRecord.objects.count(), AuditEvent.objects.count()) == before
        assert PromotionCounter.objects.get(tenant=world.tenant).last_number == 2

    def test_validate_only_refuses_what_the_request_would(self, world: World) -> None:
        body = {"releaseName": world.release().name, "targetEnvironment": "production", "reason": "x"}
        refusal = world.tomas.refused("POST", "promotions?validateOnly=true", body)
        assert refusal == (422, "PROM_SEQUENCE_VIOLATION")

    def test_going_back_is_a_rollback(self, world: World) -> None:
        old, new = world.release(), world.release()
        world.deployed(old, "dev")
        world.deployed(new, "dev")
        assert world.requested(old, "dev").is_rollback


class TestCancel:
    def test_the_requester_cancels(self, world: World) -> None:
        promotion = world.waiting()
        found = world.tomas.ok("POST", f"promotions/{promotion.pk}/cancel", {"reason": "Not today"})
        assert (found["status"], found["statusReason"], found["statusDetail"]) == (
            "cancelled",
            "cancelled",
            "Not today",
        )

    def test_an_administrator_cancels_anything_open(self, world: World) -> None:
        assert world.greta.ok("POST", f"promotions/{world.waiting().pk}/cancel")["status"] == "cancelled"

    @pytest.mark.parametrize("who", ["ravi", "nia", "vera"])
    def test_nobody_else_does(self, world: World, who: str) -> None:
        place = f"promotions/{world.waiting().pk}"
        assert world.people[who].refused("POST", f"{place}/cancel", {}) == (403, "PERM_DENIED")
        assert world.vera.get(place)["status"] == "awaiting_approval"

    def test_what_is_over_is_not_cancelled(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}/cancel"
        world.tomas.ok("POST", place, {})
        assert world.tomas.refused("POST", place, {}) == (409, "RES_STATE_CONFLICT")

    def test_a_changed_promotion_is_not_cancelled_under_if_match(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}"
        tag = world.vera.call("GET", place).headers["ETag"]
        world.nia.ok("POST", f"{place}/approve", {})
        refusal = world.tomas.refused("POST", f"{place}/cancel", {}, If_Match=tag)
        assert refusal == (412, "RES_PRECONDITION_FAILED")
