"""Votes and confirmations over REST, and the order in which a vote is checked (contract.md, order of checks)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.models import Environment
from promotions.actions.approve import approve
from promotions.actions.archive_environment import archive_environment
from promotions.actions.confirm import confirm, unconfirm
from promotions.actions.reject import reject
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Confirmation, Promotion, Vote
from stellapromote.accounts.scopes import PROMOTION_APPROVE
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Refused
from tests.factories import component, make_environment, make_promotion, make_promotion_policy, make_token
from tests.kept import kept
from tests.promotions.api.world import Caller, World
from tests.proposals import confirmed

UNKNOWN = "0191d2f0-0000-7000-8000-000000000000"
OTHER_DIGEST = "sha256:" + "00" * 32


def in_world_of_ravi(world: World) -> Promotion:
    """A promotion that ravi, an approver too, requested."""
    release = world.release()
    world.deployed(release, "dev", "staging")
    body = {"releaseId": str(release.pk), "targetEnvironment": "production", "reason": "Month end"}
    return Promotion.objects.get(pk=world.ravi.ok("POST", "promotions", body, status=201)["id"])


class TestApprove:
    def test_the_last_approval_needed_decides(self, world: World) -> None:
        promotion = world.waiting()
        first = world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {"comment": "Fine"})
        assert (first["status"], first["approvalCount"]) == ("awaiting_approval", {"required": 2, "given": 1})
        last = world.mei.ok("POST", f"promotions/{promotion.pk}/approve", {})
        assert (last["status"], last["blockedBy"]) == ("approved", [])
        assert last["evidencePacketId"] is not None

    def test_a_vote_remembers_token_and_what_was_seen(self, world: World) -> None:
        promotion = world.waiting()
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {"subjectDigest": promotion.subject_digest})
        vote = Vote.objects.get(promotion=promotion)
        assert (vote.auth_method, vote.subject_binding) == ("token", "explicit")
        assert vote.token_id is not None

    def test_a_service_is_told_that_machines_do_not_vote(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}"
        for call, body in (("approve", {}), ("reject", {"reason": "No"})):
            assert world.ci.refused("POST", f"{place}/{call}", body) == (403, "PERM_SERVICE_ACCOUNT_CANNOT_VOTE")
        assert not Vote.objects.filter(promotion_id=place.removeprefix("promotions/")).exists()

    def test_a_changed_subject_names_what_changed(self, world: World) -> None:
        promotion = world.waiting()
        seen = promotion.subject_digest
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
        other = world.approved()
        for status in ("started", "succeeded"):
            world.ci.ok("POST", f"promotions/{other.pk}/deployment", {"status": status})

        response = world.mei.call("POST", f"promotions/{promotion.pk}/approve", {"subjectDigest": seen})

        assert (response.status_code, response.json()["error"]["code"]) == (412, "RES_SUBJECT_CHANGED")
        assert response.json()["error"]["details"]["changed"] == ["currentReleaseId"]
        assert "has changed since" in response.json()["error"]["message"]
        votes = world.vera.get(f"promotions/{promotion.pk}/approvals")["data"]
        assert [(vote["username"], vote["status"]) for vote in votes] == [("nia", "void")]

    def test_a_digest_that_never_was_its_subject_is_told_so(self, world: World) -> None:
        promotion, other = world.waiting(), world.waiting()
        response = world.mei.call("POST", f"promotions/{promotion.pk}/approve", {"subjectDigest": other.subject_digest})
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (412, "RES_SUBJECT_CHANGED")
        assert "never had this subjectDigest: read the promotion again" in error["message"]
        assert error["details"] == {"changed": [], "subjectDigest": promotion.subject_digest}

    def test_a_final_approval_takes_three_statements(self, world: World) -> None:
        """Authentication, the promotion with its facts, and everything that is written; no BEGIN and no COMMIT."""
        for _ in range(2):  # the first one in a process also reads policies
            promotion = world.waiting()
            world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
            with CaptureQueriesContext(connection) as statements:
                answer = world.mei.ok("POST", f"promotions/{promotion.pk}/approve", {})
            assert answer["status"] == "approved"
        counted = [each["sql"] for each in statements if "SET last_used_at" not in each["sql"]]
        assert len(counted) == 3, counted


class TestReject:
    def test_a_reject_ends_the_request_and_replaces_the_own_approval(self, world: World) -> None:
        promotion = world.waiting()
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
        found = world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "Not after all"})
        assert (found["status"], found["statusReason"]) == ("rejected", "APPROVAL_REJECTED")
        votes = world.vera.get(f"promotions/{promotion.pk}/approvals")["data"]
        assert [(vote["verdict"], vote["status"]) for vote in votes] == [("approve", "replaced"), ("reject", "live")]

    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": None}, {"reason": "x" * 2001}])
    def test_a_reject_needs_a_reason(self, world: World, body: dict[str, Any]) -> None:
        place = f"promotions/{world.waiting().pk}"
        assert world.nia.refused("POST", f"{place}/reject", body) == (400, "VAL_INVALID")
        assert world.vera.get(place)["status"] == "awaiting_approval"


class TestWithdraw:
    def test_a_withdrawn_approval_stays_in_history(self, world: World) -> None:
        promotion = world.waiting()
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
        found = world.nia.ok("POST", f"promotions/{promotion.pk}/withdraw-approval", {})
        assert found["approvalCount"]["given"] == 0
        votes = world.vera.get(f"promotions/{promotion.pk}/approvals")["data"]
        assert [(vote["verdict"], vote["status"]) for vote in votes] == [("approve", "withdrawn")]
        assert set(votes[0]) == {
            "id",
            "verdict",
            "voterId",
            "username",
            "displayName",
            "roles",
            "teams",
            "authMethod",
            "secondFactor",
            "comment",
            "subjectDigest",
            "subjectBinding",
            "at",
            "status",
            "endedAt",
            "endedReason",
        }

    def test_an_approval_withdrawn_after_the_decision_takes_it_back(self, world: World) -> None:
        place = f"promotions/{world.approved().pk}"
        assert world.nia.ok("POST", f"{place}/withdraw-approval", {})["status"] == "awaiting_approval"

    def test_only_a_live_approval_is_withdrawn(self, world: World) -> None:
        place = f"promotions/{world.waiting().pk}/withdraw-approval"
        assert world.nia.refused("POST", place, {}) == (409, "RES_STATE_CONFLICT")


@kept
def waits_for_vault(world: World) -> Promotion:
    """Into an environment where nia or mei confirm that a backup was taken."""
    make_careful_policy(world, "nia", "mei")
    target = make_environment(world.greta.actor, "vault", 4, promotion_policy="careful")
    release = world.release(components=[component("x")])
    world.deployed(release, "dev", "staging")
    promotion = world.requested(release, "production")
    for voter in (world.nia, world.mei):
        voter.ok("POST", f"promotions/{promotion.pk}/approve", {})
    for status in ("started", "succeeded"):
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": status})
    return make_promotion(world.tomas.actor, release, target)


@kept
def waits_for_lab(world: World) -> Promotion:
    """Into the only environment, which wants an approval and a confirmation by nia, who gave neither yet."""
    make_careful_policy(world, "nia")
    lab = make_environment(world.greta.actor, "lab", 9, promotion_policy="careful", required_approvals=1)
    for name in ("dev", "staging", "production"):
        place = world.environments[name].pk
        confirmed(archive_environment(by=world.greta.actor, clock=DATABASE_CLOCK, environment_id=place))
    return make_promotion(world.tomas.actor, world.release(), lab)


def make_careful_policy(world: World, *confirmers: str) -> None:
    config = {"confirmers": {"users": [*confirmers], "teams": []}, "text": "Backup taken"}
    make_promotion_policy(world.greta.actor, "careful", gates=[{"name": "backup", "kind": "manual", "config": config}])


def with_environment(world: World, name: str, promotion: Promotion) -> Promotion:
    world.environments[name] = Environment.objects.get(name=name)
    return promotion


class TestManualGates:
    @pytest.fixture
    def guarded(self, world: World) -> Promotion:
        return with_environment(world, "vault", waits_for_vault(world))

    def test_a_confirmation_passes_the_gate(self, world: World, guarded: Promotion) -> None:
        place = f"promotions/{guarded.pk}"
        gate = next(gate for gate in world.vera.get(f"{place}/gates")["data"] if gate["name"] == "backup")
        assert [each["username"] for each in gate["whoCanAct"]] == ["mei", "nia"]
        found = world.nia.ok("POST", f"{place}/gates/backup/confirm", {"comment": "At 8"})
        assert found["status"] == "approved"
        assert [(act["verdict"], act["gate"]) for act in world.vera.get(f"{place}/approvals")["data"]] == [
            ("confirm", "backup")
        ]

    def test_a_confirmation_can_be_taken_back(self, world: World, guarded: Promotion) -> None:
        place = f"promotions/{guarded.pk}/gates/backup"
        world.nia.ok("POST", f"{place}/confirm", {})
        assert world.nia.ok("POST", f"{place}/unconfirm", {})["status"] == "awaiting_approval"
        assert Confirmation.objects.get(promotion=guarded).ended_as == "withdrawn"

    def test_who_may_not_is_told_why(self, world: World, guarded: Promotion) -> None:
        place = f"promotions/{guarded.pk}/gates/backup"
        seen = {"subjectDigest": OTHER_DIGEST}
        assert world.omar.refused("POST", f"{place}/confirm", {}) == (403, "PERM_NOT_ELIGIBLE")
        assert world.tomas.refused("POST", f"{place}/confirm", {}) == (403, "PERM_SEPARATION_OF_DUTIES")
        assert world.vera.refused("POST", f"{place}/confirm", {}) == (403, "PERM_DENIED")
        assert world.ci.refused("POST", f"{place}/confirm", {}) == (403, "PERM_SERVICE_ACCOUNT_CANNOT_VOTE")
        assert world.nia.refused("POST", f"{place}/unconfirm", {}) == (409, "RES_STATE_CONFLICT")
        assert world.nia.refused("POST", f"{place}/confirm", seen) == (412, "RES_SUBJECT_CHANGED")
        assert not Confirmation.objects.exists()

    @pytest.mark.parametrize("gate", ["approval", "unknown"])
    @pytest.mark.parametrize("body", [{}, {"comment": 1}])
    def test_only_manual_gates_of_the_promotion_are_confirmed(
        self, world: World, guarded: Promotion, gate: str, body: dict[str, Any]
    ) -> None:
        """404 comes before the wrong field."""
        refusal = world.nia.refused("POST", f"promotions/{guarded.pk}/gates/{gate}/confirm", body)
        assert refusal == (404, "RES_NOT_FOUND")


@dataclass
class Attempt:
    """A call of approve that breaks everything from some check on. Mending it in order shows the checks in order."""

    world: World
    promotion: Promotion
    who: Caller | None = None
    path: str = "approved"
    method: str = "DELETE"
    raw: bytes = b"{"
    headers: dict[str, str] = field(default_factory=dict)

    def send(self) -> tuple[int, str]:
        caller = self.who or self.world.nia
        response = caller.call(self.method, self.path, raw=self.raw, **self.headers)
        if response.status_code == 200:
            return 200, ""
        return response.status_code, response.json()["error"]["code"]


def test_the_checks_of_approve_come_in_their_order(world: World) -> None:
    """Each step mends what was refused before and nothing else, so the next refusal is the next check."""
    promotion = in_world_of_ravi(world)
    stale = '"999"'
    attempt = Attempt(world, promotion)

    def step(expected: tuple[int, str], mend: Callable[[], object]) -> None:
        assert attempt.send() == expected
        mend()

    def headers(**sent: str) -> None:
        attempt.headers = {**attempt.headers, **sent}

    attempt.path = f"promotions/{UNKNOWN}/approved"
    headers(Authorization="Bearer nonsense", Content_Type="text/plain", If_Match=stale, X_Stella_Tenant="merlin")
    step((404, "RES_NOT_FOUND"), lambda: setattr(attempt, "path", f"promotions/{UNKNOWN}/approve"))
    step((405, "RES_METHOD_NOT_ALLOWED"), lambda: setattr(attempt, "method", "POST"))
    step((401, "AUTH_TOKEN_INVALID"), lambda: attempt.headers.pop("Authorization"))
    attempt.who = world.vera
    step((403, "PERM_TENANT_REQUIRED"), lambda: attempt.headers.pop("X_Stella_Tenant"))
    step((415, "VAL_UNSUPPORTED_MEDIA_TYPE"), lambda: attempt.headers.pop("Content_Type"))
    attempt.headers["Content_Type"] = "application/json"
    step((400, "VAL_MALFORMED_JSON"), lambda: setattr(attempt, "raw", b'{"comment": 1}'))
    step((403, "PERM_DENIED"), lambda: setattr(attempt, "who", world.ravi))
    step((404, "RES_NOT_FOUND"), lambda: setattr(attempt, "path", f"promotions/{promotion.pk}/approve"))
    step((400, "VAL_INVALID"), lambda: setattr(attempt, "raw", b'{"subjectDigest": "%s"}' % OTHER_DIGEST.encode()))
    step((412, "RES_PRECONDITION_FAILED"), lambda: attempt.headers.pop("If_Match"))
    # 409 state stands before 403: a promotion of the same people that is decided already.
    approved = world.approved()
    decided = Attempt(world, approved, world.ravi, f"promotions/{approved.pk}/approve", "POST", attempt.raw)
    decided.headers = attempt.headers
    assert decided.send() == (409, "RES_STATE_CONFLICT")
    assert Attempt(**{**vars(decided), "who": world.ci}).send() == (409, "RES_STATE_CONFLICT")
    assert Attempt(**{**vars(attempt), "who": world.ci}).send() == (403, "PERM_SERVICE_ACCOUNT_CANNOT_VOTE")
    step((403, "PERM_SEPARATION_OF_DUTIES"), lambda: setattr(attempt, "who", world.omar))
    step((403, "PERM_NOT_ELIGIBLE"), lambda: setattr(attempt, "who", world.nia))
    world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
    step((409, "RES_ALREADY_VOTED"), lambda: setattr(attempt, "who", world.mei))
    step((412, "RES_SUBJECT_CHANGED"), lambda: setattr(attempt, "raw", b"{}"))
    assert attempt.send() == (200, "")


def test_a_token_without_the_right_does_not_vote_for_its_owner(world: World) -> None:
    promotion = world.waiting()
    narrow = Caller(world.nia.user, world.tenant, make_token(world.tenant, world.nia.user, scopes=["promotion:read"]))
    assert narrow.refused("POST", f"promotions/{promotion.pk}/approve", {}) == (403, "PERM_DENIED")


@pytest.mark.parametrize("call", ["approve", "reject", "withdraw-approval"])
def test_if_match_is_equivalent_to_the_digest(world: World, call: str) -> None:
    promotion = world.waiting()
    place = f"promotions/{promotion.pk}"
    tag = world.vera.call("GET", place).headers["ETag"]
    world.mei.ok("POST", f"{place}/approve", {})
    body = {"reason": "No"} if call == "reject" else {}
    assert world.nia.refused("POST", f"{place}/{call}", body, If_Match=tag) == (412, "RES_PRECONDITION_FAILED")


@pytest.mark.parametrize(
    "call", ["approve", "reject", "withdraw-approval", "cancel", "evaluate", "gates/x/confirm", "gates/x/unconfirm"]
)
def test_another_tenants_promotion_does_not_exist(world: World, stranger: World, call: str) -> None:
    theirs = stranger.waiting()
    body = {"reason": "No"} if call == "reject" else {}
    who = world.tomas if call == "cancel" else world.nia
    assert who.refused("POST", f"promotions/{theirs.pk}/{call}", body) == (404, "RES_NOT_FOUND")
    theirs.refresh_from_db()
    assert theirs.status == "awaiting_approval"


VOTING = (
    ("approve", {}),
    ("reject", {"reason": "No"}),
    ("withdraw-approval", {}),
    ("gates/backup/confirm", {}),
    ("gates/backup/unconfirm", {}),
)


class TestWithoutTheRight:
    """Nobody votes without promotion:approve, and who took part is told that instead (docs/adr/0131)."""

    @pytest.fixture
    def guarded(self, world: World) -> Promotion:
        return with_environment(world, "lab", waits_for_lab(world))

    @pytest.mark.parametrize(("call", "body"), VOTING)
    @pytest.mark.parametrize("who", ["vera", "greta", "idris"])
    def test_others_are_told_which_right_is_missing(
        self, world: World, guarded: Promotion, who: str, call: str, body: dict[str, Any]
    ) -> None:
        caller: Caller = getattr(world, who)
        assert caller.refused("POST", f"promotions/{guarded.pk}/{call}", body) == (403, "PERM_DENIED")
        assert caller.refused("POST", f"promotions/{UNKNOWN}/{call}", body) == (403, "PERM_DENIED")
        assert not Vote.objects.filter(promotion=guarded).exists()
        assert not Confirmation.objects.filter(promotion=guarded).exists()

    @pytest.mark.parametrize(
        ("call", "body"), [each for each in VOTING if "un" not in each[0] and each[0] != "withdraw-approval"]
    )
    def test_whoever_requested_it_is_told_that(
        self, world: World, guarded: Promotion, call: str, body: dict[str, Any]
    ) -> None:
        response = world.tomas.call("POST", f"promotions/{guarded.pk}/{call}", body)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (403, "PERM_SEPARATION_OF_DUTIES")
        assert "You requested this promotion" in error["message"]
        assert world.tomas.refused("POST", f"promotions/{UNKNOWN}/{call}", body) == (403, "PERM_DENIED")
        assert not Vote.objects.filter(promotion=guarded).exists()
        assert not Confirmation.objects.filter(promotion=guarded).exists()

    def test_a_token_that_may_not_vote_does_not_though_its_owner_may(self, world: World, guarded: Promotion) -> None:
        token = make_token(world.tenant, world.nia.user, scopes=["promotion:read"])
        reader = Caller(world.nia.user, world.tenant, token)
        for call, body in VOTING:
            assert reader.refused("POST", f"promotions/{guarded.pk}/{call}", body) == (403, "PERM_DENIED")

    def test_a_token_cannot_take_back_what_its_owner_said(self, world: World, guarded: Promotion) -> None:
        place = f"promotions/{guarded.pk}"
        world.nia.ok("POST", f"{place}/approve", {})
        world.nia.ok("POST", f"{place}/gates/backup/confirm", {})
        reader = Caller(
            world.nia.user, world.tenant, make_token(world.tenant, world.nia.user, scopes=["promotion:read"])
        )
        for call in ("withdraw-approval", "gates/backup/unconfirm"):
            assert reader.refused("POST", f"{place}/{call}", {}) == (403, "PERM_DENIED")
        assert Vote.objects.get(promotion=guarded).ended_at is None
        assert Confirmation.objects.get(promotion=guarded).ended_at is None

    def test_the_actions_themselves_ask_for_the_right(self, world: World, guarded: Promotion) -> None:
        nia = world.nia.actor
        reader = replace(nia, scopes=nia.scopes - {PROMOTION_APPROVE})
        pk = guarded.pk
        for act in (
            lambda: approve(pk, by=reader),
            lambda: reject(pk, by=reader, reason="No"),
            lambda: confirm(pk, "backup", by=reader),
        ):
            with pytest.raises(Refused, match="promotion:approve"):
                act()
        assert not Vote.objects.filter(promotion=guarded).exists()
        approve(pk, by=nia)
        confirm(pk, "backup", by=nia)
        for act in (lambda: withdraw_approval(pk, by=reader), lambda: unconfirm(pk, "backup", by=reader)):
            with pytest.raises(Refused, match="promotion:approve"):
                act()
        assert Vote.objects.get(promotion=guarded).ended_at is None
        assert Confirmation.objects.get(promotion=guarded).ended_at is None
