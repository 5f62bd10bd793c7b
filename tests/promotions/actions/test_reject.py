"""A reject is the safe direction: who may vote and did not ask for it stops it, until it runs (domain.md §5)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.utils import timezone

from environments.actions.update_environment import update_environment
from policies.models import ApprovalPolicy
from promotions.actions.approve import approve
from promotions.actions.cancel import cancel
from promotions.actions.reject import reject
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import DecisionRecord, EvidencePacket, OutboxEvent, Promotion, Vote
from promotions.packets import signing_key
from promotions.packets.verifying import known_keys, stored_here, verify
from promotions.verification import replay
from promotions.worker.round import run_round
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import RoleGrant, User
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid, ProductError
from stellapromote.identity.actions.end_role import end_role
from tests.factories import actor_of, actor_of_token, make_person, make_promotion_policy, make_service, make_token
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def joins(kestrel: Kestrel, username: str, *, teams: tuple[str, ...] = ()) -> Actor:
    """An approver who comes now, by the command line."""
    kestrel.wait()
    user = make_person(kestrel.tenant, username, roles=["approver"], teams=teams, clock=kestrel.clock)
    return actor_of(user, kestrel.tenant)


def refused(act: Callable[[], object]) -> ProductError:
    with pytest.raises(ProductError) as found:
        act()
    return found.value


def rejected_by(kestrel: Kestrel, by: Actor, promotion: Promotion, reason: str = "KEV listed") -> Promotion:
    kestrel.wait()
    return reject(promotion.pk, by=by, reason=reason, clock=kestrel.clock)


def failed(kestrel: Kestrel) -> Promotion:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    return kestrel.reports(promotion, "failed", message="It crashed")


def waits_with_its_quorum(kestrel: Kestrel) -> Promotion:
    """Into production, approved by everybody needed, and held by a gate that opens later."""
    windows = [{"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}]
    gates = [{"name": "hours", "kind": "schedule", "config": {"windows": windows}}]
    make_promotion_policy(kestrel["admin"], "hours", clock=kestrel.clock, gates=gates)
    changes = {"promotion_policy": "hours"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    promotion = kestrel.approved_for_production()
    assert (promotion.status, promotion.approvals_given) == ("pending", 2)
    return promotion


def packet_of(promotion: Promotion) -> Any:
    packet = EvidencePacket.objects.get(pk=promotion.evidence_packet_id)
    document = orjson.loads(bytes(packet.document))
    assert verify(document, known_keys(), stored_here).valid
    return document


class TestWhoMay:
    def test_an_approver_when_the_quorum_is_filled(self, kestrel: Kestrel) -> None:
        promotion = waits_with_its_quorum(kestrel)
        assert rejected_by(kestrel, kestrel["third"], promotion).status == "rejected"

    def test_an_approver_of_no_team_that_is_asked(self, kestrel: Kestrel) -> None:
        bob = joins(kestrel, "bob")
        promotion = kestrel.waits_for_production()
        assert rejected_by(kestrel, bob, promotion).status == "rejected"
        vote = Vote.objects.get(promotion=promotion)
        assert (vote.verdict, vote.roles, vote.teams) == ("reject", ["approver"], [])

    def test_somebody_who_got_the_role_after_the_request(self, kestrel: Kestrel) -> None:
        promotion = kestrel.waits_for_production()
        late = joins(kestrel, "late", teams=("release",))
        assert rejected_by(kestrel, late, promotion).status == "rejected"
        vote = Vote.objects.get(promotion=promotion)
        assert (vote.roles, vote.teams) == (["approver"], ["release"])

    def test_who_created_the_release(self, kestrel: Kestrel) -> None:
        promotion = kestrel.waits_for_production()
        assert refused(lambda: kestrel.approves("builder", promotion)).code == "PERM_SEPARATION_OF_DUTIES"
        assert kestrel.rejects("builder", promotion).status == "rejected"

    def test_who_edited_the_policy(self, kestrel: Kestrel) -> None:
        editor = actor_of(
            make_person(kestrel.tenant, "editor", roles=["admin", "approver"], clock=kestrel.clock), kestrel.tenant
        )
        policy, duty = ApprovalPolicy.objects.get(name="two-person"), {"excludePolicyEditor": True}
        changes = {"separationOfDuties": duty}
        update_approval_policy(by=editor, clock=kestrel.clock, policy_id=policy.pk, changes=changes)
        promotion = kestrel.waits_for_production()
        assert refused(lambda: approve(promotion.pk, by=editor, clock=kestrel.clock)).details == {
            "reasons": ["POLICY_EDITOR"]
        }
        assert rejected_by(kestrel, editor, promotion).status == "rejected"

    def test_not_who_asked(self, kestrel: Kestrel) -> None:
        promotion = kestrel.waits_for_production()
        refusal = refused(lambda: kestrel.rejects("requester", promotion))
        assert (refusal.code, refusal.details) == ("PERM_SEPARATION_OF_DUTIES", {"reasons": ["REQUESTER"]})

    def test_the_owner_of_the_machine_that_asked(self, kestrel: Kestrel) -> None:
        """Anybody may be made an owner by somebody else, and would be silenced by it."""
        release = kestrel.reaches_staging()
        owner = make_person(kestrel.tenant, "owner", roles=["approver"], clock=kestrel.clock)
        service = make_service(kestrel.tenant, owner, clock=kestrel.clock)
        kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
        promotion = kestrel.ask(release, kestrel.production, by="machine")
        machine = refused(lambda: kestrel.rejects("machine", promotion))
        assert machine.code == "PERM_SERVICE_ACCOUNT_CANNOT_VOTE"
        assert rejected_by(kestrel, actor_of(owner, kestrel.tenant), promotion).status == "rejected"

    def test_nor_on_what_follows_automatically(self, kestrel: Kestrel) -> None:
        owner = make_person(kestrel.tenant, "owner", roles=["approver"], clock=kestrel.clock)
        service = make_service(kestrel.tenant, owner, clock=kestrel.clock)
        kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
        changes = {"auto_promote_from": "dev"}
        update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
        kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev, by="machine"))
        run_round("worker", kestrel.clock)
        promotion = Promotion.objects.get(target_environment=kestrel.staging)
        by = actor_of(owner, kestrel.tenant)
        assert refused(lambda: approve(promotion.pk, by=by, clock=kestrel.clock)).details == {
            "reasons": ["SERVICE_OWNER"]
        }
        assert rejected_by(kestrel, by, promotion).status == "rejected"

    def test_the_owner_of_a_machine_that_only_built_the_release(self, kestrel: Kestrel) -> None:
        owner = make_person(kestrel.tenant, "owner", roles=["approver"], clock=kestrel.clock)
        service = make_service(kestrel.tenant, owner, clock=kestrel.clock)
        kestrel.actors["machine"] = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
        promotion = kestrel.waits_for_production(by="machine")
        by = actor_of(owner, kestrel.tenant)
        assert refused(lambda: approve(promotion.pk, by=by, clock=kestrel.clock)).code == "PERM_SEPARATION_OF_DUTIES"
        assert rejected_by(kestrel, by, promotion).status == "rejected"

    def test_not_who_has_no_right_to_vote(self, kestrel: Kestrel) -> None:
        promotion = kestrel.waits_for_production()
        assert refused(lambda: kestrel.rejects("operator", promotion)).code == "PERM_DENIED"

    def test_not_who_lost_the_role_while_the_call_was_on_its_way(self, kestrel: Kestrel) -> None:
        promotion = kestrel.waits_for_production()
        by, user_id = command_actor(kestrel.tenant), kestrel["third"].account
        kestrel.wait()
        end_role(by=by, clock=kestrel.clock, user_id=user_id, role="approver")
        assert refused(lambda: kestrel.rejects("third", promotion)).code == "PERM_NOT_ELIGIBLE"

    def test_it_needs_a_reason(self, kestrel: Kestrel) -> None:
        promotion = kestrel.waits_for_production()
        with pytest.raises(Invalid):
            rejected_by(kestrel, kestrel["third"], promotion, reason=" ")


class TestWhenItIsOpen:
    def test_an_approved_one_is_rejected_with_record_and_packet(self, kestrel: Kestrel) -> None:
        promotion = kestrel.rejects("third", kestrel.approved_for_production(), "It is listed in KEV")
        assert (promotion.status, promotion.status_reason) == ("rejected", "APPROVAL_REJECTED")
        assert (promotion.approved_at, promotion.approval_expires_at) == (None, None)
        record = DecisionRecord.objects.get(pk=promotion.decision_id)
        assert (record.decision, record.reason_codes) == ("deny", ["APPROVAL_REJECTED"])
        assert replay.replay(record).equal
        packet = packet_of(promotion)
        assert (packet["type"], packet["content"]["decision"]["result"]) == ("release_decision", "deny")
        assert [each["verdict"] for each in packet["content"]["actors"]["approvers"]] == [
            "approve",
            "approve",
            "reject",
        ]
        events = list(OutboxEvent.objects.filter(promotion=promotion).values_list("name", flat=True))
        assert {"approval.denied", "promotion.rejected"} <= set(events)
        started = refused(lambda: kestrel.reports(promotion, "started"))
        assert (started.code, started.details) == ("RES_STATE_CONFLICT", {"status": "rejected"})

    def test_it_replaces_an_approval_that_was_counted(self, kestrel: Kestrel) -> None:
        promotion = kestrel.rejects("second", kestrel.approved_for_production())
        assert promotion.status == "rejected"
        votes = Vote.objects.filter(promotion=promotion, username="second").order_by("at")
        assert list(votes.values_list("verdict", "ended_as")) == [("approve", "replaced"), ("reject", "")]

    @pytest.mark.parametrize("report", ["started", "succeeded"])
    def test_what_runs_is_not_rejected_any_more(self, kestrel: Kestrel, report: str) -> None:
        promotion = kestrel.approved_for_production()
        kestrel.reports(promotion, "started")
        if report == "succeeded":
            kestrel.reports(promotion, report)
        refusal = refused(lambda: kestrel.rejects("third", promotion))
        status = {"started": "deploying", "succeeded": "deployed"}[report]
        assert (refusal.code, refusal.details) == ("RES_STATE_CONFLICT", {"status": status})
        assert not Vote.objects.filter(promotion=promotion, verdict="reject").exists()

    def test_what_ended_is_not_rejected_again(self, kestrel: Kestrel) -> None:
        promotion = kestrel.waits_for_production()
        kestrel.wait()
        cancel(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)
        assert refused(lambda: kestrel.rejects("third", promotion)).details == {"status": "cancelled"}


class TestAfterAFailure:
    def test_it_ends_further_attempts_with_record_and_packet(self, kestrel: Kestrel) -> None:
        promotion = failed(kestrel)
        before = promotion.decision_sequence
        promotion = kestrel.rejects("third", promotion, "The cause is not known")
        assert (promotion.status, promotion.retry_closed) == ("failed", True)
        assert promotion.status_detail == "It crashed"
        record = DecisionRecord.objects.get(pk=promotion.decision_id)
        assert (record.sequence, record.decision) == (before + 1, "deny")
        assert replay.replay(record).equal
        packet = packet_of(promotion)
        assert (packet["type"], packet["content"]["decision"]["result"]) == ("release_decision", "deny")
        audited = AuditEvent.objects.filter(promotion_id=promotion.pk, timestamp=kestrel.clock.now())
        assert set(audited.values_list("action", flat=True)) == {"approval.denied", "evidence.packet_created"}

    def test_a_further_attempt_is_refused_with_what_to_do(self, kestrel: Kestrel) -> None:
        promotion = kestrel.rejects("third", failed(kestrel))
        refusal = refused(lambda: kestrel.reports(promotion, "started"))
        assert (refusal.code, refusal.details) == ("RES_STATE_CONFLICT", {"status": "failed", "retryClosed": True})
        assert refusal.message.endswith("Request again.")
        assert Promotion.objects.get(pk=promotion.pk).status == "failed"
        assert AuditEvent.objects.filter(promotion_id=promotion.pk, action="promotion.report_refused").count() == 1

    def test_without_a_reject_another_attempt_starts(self, kestrel: Kestrel) -> None:
        assert kestrel.reports(failed(kestrel), "started").attempt == 2

    def test_it_is_rejected_once(self, kestrel: Kestrel) -> None:
        promotion = kestrel.rejects("third", failed(kestrel))
        refusal = refused(lambda: kestrel.rejects("second", promotion))
        assert (refusal.code, refusal.details) == ("RES_STATE_CONFLICT", {"status": "failed", "retryClosed": True})

    def test_it_may_still_be_rolled_back_and_requested_again(self, kestrel: Kestrel) -> None:
        promotion = kestrel.rejects("third", failed(kestrel))
        assert kestrel.ask(promotion.release, kestrel.production).status == "awaiting_approval"
        promotion = kestrel.reports(promotion, "rolled_back", message="Back")
        assert (promotion.status, promotion.retry_closed) == ("rolled_back", True)

    def test_not_by_who_asked(self, kestrel: Kestrel) -> None:
        promotion = failed(kestrel)
        assert refused(lambda: kestrel.rejects("requester", promotion)).code == "PERM_SEPARATION_OF_DUTIES"


class TestWithoutASigningKey:
    @pytest.fixture(autouse=True)
    def outage(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        def begins() -> None:
            monkeypatch.setattr("promotions.judging.evaluation_context.current_key", lambda: None)

        self.ends = lambda: (monkeypatch.undo(), signing_key.load.cache_clear())
        return begins

    def test_an_approved_one_waits_and_does_not_start(self, kestrel: Kestrel, outage: Callable[[], None]) -> None:
        promotion = kestrel.approved_for_production()
        outage()
        promotion = kestrel.rejects("third", promotion)
        assert (promotion.status, promotion.approvals_given) == ("awaiting_approval", 2)
        assert refused(lambda: kestrel.reports(promotion, "started")).code == "PROM_BLOCKED"
        assert refused(lambda: withdraw_approval(promotion.pk, by=kestrel["third"], clock=kestrel.clock)).code == (
            "RES_STATE_CONFLICT"
        )
        self.ends()
        kestrel.wait()
        run_round("worker", kestrel.clock)
        assert Promotion.objects.get(pk=promotion.pk).status == "rejected"

    def test_a_failed_one_waits_and_does_not_start(self, kestrel: Kestrel, outage: Callable[[], None]) -> None:
        promotion = failed(kestrel)
        outage()
        promotion = kestrel.rejects("third", promotion)
        assert (promotion.status, promotion.retry_closed) == ("failed", False)
        assert refused(lambda: kestrel.reports(promotion, "started")).code == "PROM_BLOCKED"
        self.ends()
        kestrel.wait()
        run_round("worker", kestrel.clock)
        promotion = Promotion.objects.get(pk=promotion.pk)
        assert (promotion.status, promotion.retry_closed, promotion.next_change_at) == ("failed", True, None)
        assert packet_of(promotion)["content"]["decision"]["result"] == "deny"
        version = promotion.version
        kestrel.wait()
        run_round("worker", kestrel.clock)
        assert Promotion.objects.get(pk=promotion.pk).version == version

    def test_a_start_that_comes_before_the_worker_is_refused(
        self, kestrel: Kestrel, outage: Callable[[], None]
    ) -> None:
        promotion = failed(kestrel)
        outage()
        kestrel.rejects("third", promotion)
        self.ends()
        refusal = refused(lambda: kestrel.reports(promotion, "started"))
        assert (refusal.code, refusal.message[-14:]) == ("RES_STATE_CONFLICT", "Request again.")
        assert Promotion.objects.get(pk=promotion.pk).retry_closed

    def test_it_outlives_its_authors_role_and_another_subject(
        self, kestrel: Kestrel, outage: Callable[[], None]
    ) -> None:
        promotion = kestrel.waits_for_production()
        other = kestrel.approved_for_production()
        kestrel.approves("approver", promotion)
        outage()
        kestrel.rejects("third", promotion)
        self.ends()
        kestrel.deploys(other)
        RoleGrant.objects.filter(user_id=kestrel["third"].account).update(ended_at=timezone.now())
        kestrel.wait()
        run_round("worker", kestrel.clock)
        assert Promotion.objects.get(pk=promotion.pk).status == "rejected"
        votes = Vote.objects.filter(promotion=promotion).order_by("at")
        assert list(votes.values_list("username", "ended_as")) == [("approver", "void"), ("third", "")]


def test_an_account_that_is_locked_does_not_reject(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    User.objects.filter(pk=kestrel["third"].account).update(is_active=False)
    assert refused(lambda: kestrel.rejects("third", promotion)).code == "PERM_NOT_ELIGIBLE"
