import orjson
import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.confirm import confirm
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.api.promotions import PromotionViewSet
from promotions.models import DecisionRecord, Deployment, EvidencePacket, Promotion
from promotions.worker.round import run_round
from stellapromote.accounts.command_line import command_actor
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.errors import ProductError
from stellapromote.identity.actions.end_role import end_role
from tests.factories import make_approval_policy, make_environment, make_freeze, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def test_a_deployed_release_runs_in_the_environment(kestrel: Kestrel) -> None:
    promotion = kestrel.deploys(kestrel.approved_for_production())
    assert promotion.status == "deployed"
    types = (
        EvidencePacket.objects.filter(promotion=promotion).order_by("generated_at", "pk").values_list("type", flat=True)
    )
    assert list(types) == ["release_decision", "deployment"]


def test_environment_sequence_is_enforced(kestrel: Kestrel) -> None:
    release = kestrel.release()
    with pytest.raises(ProductError) as refused:
        kestrel.ask(release, kestrel.production)
    assert refused.value.code == "PROM_SEQUENCE_VIOLATION"
    assert refused.value.details == {"missingEnvironment": "staging", "targetEnvironment": "production"}
    assert not Promotion.objects.exists()


def test_a_rolled_back_release_may_not_go_on(kestrel: Kestrel) -> None:
    release = kestrel.release()
    promotion = kestrel.deploys(kestrel.ask(release, kestrel.dev))
    kestrel.reports(promotion, "rolled_back", message="It was slow")
    with pytest.raises(ProductError) as refused:
        kestrel.ask(release, kestrel.staging)
    assert refused.value.code == "PROM_SEQUENCE_VIOLATION"


def test_the_same_report_again_changes_nothing(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    first = kestrel.reports(promotion, "started", url="https://ci.example/1")
    again = kestrel.reports(promotion, "started", url="https://ci.example/2")
    assert again.version == first.version
    assert Deployment.objects.get(promotion=promotion).url == "https://ci.example/1"


def test_the_address_told_with_the_start_is_sealed_with_what_follows(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", url="https://ci.example/1")
    kestrel.reports(promotion, "succeeded")
    assert sealed_url(promotion) == "https://ci.example/1"
    kestrel.reports(promotion, "rolled_back", message="It was slow", url="https://ci.example/2")
    assert sealed_url(promotion) == "https://ci.example/2"


def test_another_attempt_has_an_address_of_its_own(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", url="https://ci.example/1")
    kestrel.reports(promotion, "failed", message="No disk")
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "succeeded")
    assert sealed_url(promotion) == ""


def sealed_url(promotion: Promotion) -> object:
    newest = EvidencePacket.objects.filter(promotion=promotion).latest("generated_at", "id")
    return orjson.loads(bytes(newest.document))["content"]["execution"]["url"]


def test_a_contradicting_report_is_refused(kestrel: Kestrel) -> None:
    promotion = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "failed")
    assert refused.value.code == "RES_STATE_CONFLICT"
    assert Promotion.objects.get(pk=promotion.pk).status == "deployed"


def test_another_manifest_than_the_approved_one_is_refused(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started", manifest_digest="sha256:" + "f" * 64)
    assert refused.value.code == "EVD_DIGEST_MISMATCH"


def test_a_freeze_that_began_after_the_approval_stops_the_start(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.wait()
    start = kestrel.clock.now().isoformat()
    make_freeze(kestrel["admin"], kestrel.production, start, "2026-11-03T00:00:00Z", clock=kestrel.clock)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "GATE_FROZEN"
    assert refused.value.details is not None
    assert refused.value.details["mayPassAt"] == "2026-11-03T00:00:00.000Z"
    # The re-evaluation is kept, and it continues by itself.
    assert Promotion.objects.get(pk=promotion.pk).status == "pending"
    kestrel.wait(days=1)
    run_round("worker", kestrel.clock)
    assert Promotion.objects.get(pk=promotion.pk).status == "approved"


def frozen_since(kestrel: Kestrel, *, until: str, hours: list[tuple[str, str]]) -> Promotion:
    """Approved into production, which has hours and is frozen at 13 o'clock of 2 November."""
    windows = [{"start": start, "end": end} for start, end in hours]
    gate = {"name": "hours", "kind": "schedule", "config": {"windows": windows}}
    make_promotion_policy(kestrel["admin"], "hours", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "hours"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    promotion = kestrel.approved_for_production()
    kestrel.wait(hours=4)
    start = kestrel.clock.now().isoformat()
    make_freeze(kestrel["admin"], kestrel.production, start, until, clock=kestrel.clock)
    return promotion


def may_pass_at(kestrel: Kestrel, promotion: Promotion) -> object:
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.details is not None
    return refused.value.details["mayPassAt"]


def test_a_gate_that_passes_says_nothing_about_when_a_start_may_pass(kestrel: Kestrel) -> None:
    hours = [("2026-11-01T00:00:00Z", "2026-11-04T00:00:00Z")]
    promotion = frozen_since(kestrel, until="2026-11-09T00:00:00Z", hours=hours)
    assert may_pass_at(kestrel, promotion) == "2026-11-09T00:00:00.000Z"


def test_a_start_may_pass_when_the_last_gate_opens(kestrel: Kestrel) -> None:
    hours = [("2026-11-02T00:00:00Z", "2026-11-02T12:00:00Z"), ("2026-11-05T08:00:00Z", "2026-11-05T12:00:00Z")]
    promotion = frozen_since(kestrel, until="2026-11-03T00:00:00Z", hours=hours)
    assert may_pass_at(kestrel, promotion) == "2026-11-05T08:00:00.000Z"


def test_nobody_knows_when_a_start_may_pass_that_also_waits_for_people(kestrel: Kestrel) -> None:
    hours = [("2026-11-01T00:00:00Z", "2026-11-04T00:00:00Z")]
    promotion = frozen_since(kestrel, until="2026-11-03T00:00:00Z", hours=hours)
    end_role(by=command_actor(kestrel.tenant), clock=kestrel.clock, user_id=kestrel["second"].account, role="approver")
    assert may_pass_at(kestrel, promotion) is None


def test_the_end_of_the_wait_for_an_override_is_no_time_to_pass(kestrel: Kestrel) -> None:
    windows = [{"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T12:00:00Z"}]
    config = {"windows": windows, "outside": "fail"}
    gate = {"name": "hours", "kind": "schedule", "config": config, "override": {"by": ["third"]}}
    make_promotion_policy(kestrel["admin"], "hours", clock=kestrel.clock, gates=[gate])
    changes = {"promotion_policy": "hours"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    promotion = kestrel.approved_for_production()
    kestrel.wait(hours=4)
    assert may_pass_at(kestrel, promotion) is None


def test_a_busy_environment_says_when_its_deployment_is_due(kestrel: Kestrel) -> None:
    running, waiting = (kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(2))
    due = kestrel.reports(running, "started").deployment_due_at
    assert due is not None
    assert may_pass_at(kestrel, waiting) == rfc3339(due)
    kestrel.clock.advance(due - kestrel.clock.now())
    assert may_pass_at(kestrel, waiting) is None


def test_a_start_refused_without_any_change_may_be_sent_again(kestrel: Kestrel) -> None:
    running, waiting = (kestrel.ask(kestrel.release(), kestrel.dev) for _ in range(2))
    kestrel.reports(running, "started")
    with pytest.raises(ProductError) as refused:
        kestrel.reports(waiting, "started")
    assert (refused.value.code, refused.value.changed_state) == ("RES_ENVIRONMENT_BUSY", False)


def test_a_request_that_nobody_decides_expires(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait(days=15)
    run_round("worker", kestrel.clock)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.status_reason) == ("cancelled", "expired")


def test_a_failed_deployment_may_be_tried_once_more(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "failed", message="Out of memory")
    promotion = kestrel.deploys(promotion)
    assert (promotion.status, promotion.attempt) == ("deployed", 2)


def test_only_the_newest_deployment_is_rolled_back(kestrel: Kestrel) -> None:
    older = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    newest = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    with pytest.raises(ProductError) as refused:
        kestrel.reports(older, "rolled_back", message="Wrong one")
    assert refused.value.code == "RES_STATE_CONFLICT"
    promotion = kestrel.reports(newest, "rolled_back", message="Slow")
    assert promotion.status == "rolled_back"
    assert EvidencePacket.objects.filter(promotion=newest, type="rollback").count() == 1


def test_a_rollback_of_an_older_deployment_is_a_contradiction_and_audited(kestrel: Kestrel) -> None:
    older = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    newest = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    with pytest.raises(ProductError) as refused:
        kestrel.reports(older, "rolled_back", message="Wrong one")
    assert (refused.value.changed_state, refused.value.details) == (
        True,
        {"promotionId": str(newest.pk), "number": newest.number},
    )
    event = AuditEvent.objects.get(action="promotion.report_refused")
    assert (event.promotion_id, event.metadata["reported"]) == (older.pk, "rolled_back")


def test_going_back_to_an_earlier_release_is_a_rollback_promotion(kestrel: Kestrel) -> None:
    earlier = kestrel.release()
    kestrel.deploys(kestrel.ask(earlier, kestrel.dev))
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    assert kestrel.ask(earlier, kestrel.dev).is_rollback


def into_apart(kestrel: Kestrel, **environment: object) -> Promotion:
    """Into an environment whose policy excludes the deployer; builder approved."""
    make_approval_policy(
        kestrel["admin"],
        "apart",
        clock=kestrel.clock,
        rules=[{"name": "release", "teams": ["release"], "minApprovals": 1}],
        separationOfDuties={"excludeDeployer": True},
    )
    apart = make_environment(
        kestrel["admin"], "apart", 0, clock=kestrel.clock, approval_policies=["apart"], **environment
    )
    promotion = kestrel.ask(kestrel.release(by="operator"), apart)
    return kestrel.approves("builder", promotion)


def refused_as_deployer(kestrel: Kestrel, promotion: Promotion, status: str, **fields: object) -> None:
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, status, by="builder", **fields)
    assert (refused.value.code, refused.value.details) == ("PERM_SEPARATION_OF_DUTIES", {"reasons": ["DEPLOYER"]})


def test_who_approved_does_not_deploy_when_the_policy_says_so(kestrel: Kestrel) -> None:
    promotion = into_apart(kestrel)
    refused_as_deployer(kestrel, promotion, "started")
    assert kestrel.reports(promotion, "started", by="operator").status == "deploying"


def test_who_confirmed_does_not_deploy_either(kestrel: Kestrel) -> None:
    gate = {"name": "backup", "kind": "manual", "config": {"confirmers": {"users": ["builder"]}, "text": "Backup"}}
    make_promotion_policy(kestrel["admin"], "by-hand", clock=kestrel.clock, gates=[gate])
    promotion = into_apart(kestrel, promotion_policy="by-hand")
    kestrel.wait()
    withdraw_approval(promotion.pk, by=kestrel["builder"], clock=kestrel.clock)
    confirm(promotion.pk, "backup", by=kestrel["builder"], clock=kestrel.clock)
    assert kestrel.approves("third", promotion).status == "approved"
    refused_as_deployer(kestrel, promotion, "started")


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_who_approved_reports_no_end_of_the_deployment(kestrel: Kestrel, status: str) -> None:
    promotion = into_apart(kestrel)
    kestrel.reports(promotion, "started")
    refused_as_deployer(kestrel, promotion, status, message="Done")
    assert kestrel.reports(promotion, status, message="Done").status != "deploying"


def test_who_approved_does_not_roll_back(kestrel: Kestrel) -> None:
    promotion = kestrel.deploys(into_apart(kestrel))
    refused_as_deployer(kestrel, promotion, "rolled_back", message="Slow")
    assert kestrel.reports(promotion, "rolled_back", message="Slow").status == "rolled_back"


def test_anybody_may_report_an_overdue_deployment_failed_with_a_reason(kestrel: Kestrel) -> None:
    promotion = into_apart(kestrel)
    due = kestrel.reports(promotion, "started").deployment_due_at
    assert due is not None
    kestrel.clock.advance(due - kestrel.clock.now())
    refused_as_deployer(kestrel, promotion, "succeeded")
    refused_as_deployer(kestrel, promotion, "failed")
    assert kestrel.reports(promotion, "failed", by="builder", message="CI is gone").status == "failed"


def test_a_deprecated_release_is_rejected_when_it_is_judged_again(kestrel: Kestrel) -> None:
    from promotions.actions.releases import deprecate_release

    promotion = kestrel.waits_for_production()
    kestrel.wait()
    deprecate_release(promotion.release_id, by=kestrel["builder"], reason="A hole", clock=kestrel.clock)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    promotion.refresh_from_db()
    assert promotion.status == "rejected"
    record = DecisionRecord.objects.get(pk=promotion.decision_id)
    assert "RELEASE_DEPRECATED" in record.reason_codes


def test_a_voter_who_lost_the_role_counts_no_more(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.wait()
    end_role(by=command_actor(kestrel.tenant), clock=kestrel.clock, user_id=kestrel["second"].account, role="approver")
    kestrel.wait()
    run_round("worker", kestrel.clock)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.approvals_given) == ("awaiting_approval", 1)
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, "started")
    assert refused.value.code == "PROM_BLOCKED"


def test_who_put_the_components_into_a_draft_counts_as_its_creator(kestrel: Kestrel) -> None:
    from promotions.actions.releases import ComponentSpec, finalize_release, update_release

    release = kestrel.release(by="operator", finalize=False)
    components = [ComponentSpec("app", "registry.example/app", "sha256:" + "e" * 64)]
    update_release(release.pk, {"components": components}, by=kestrel["builder"], clock=kestrel.clock)
    finalize_release(release.pk, by=kestrel["operator"], clock=kestrel.clock)
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    kestrel.deploys(kestrel.approves("approver", kestrel.ask(release, kestrel.staging)))
    promotion = kestrel.ask(release, kestrel.production)
    with pytest.raises(ProductError) as refused:
        kestrel.approves("builder", promotion)
    assert refused.value.code == "PERM_SEPARATION_OF_DUTIES"


def test_a_start_is_refused_when_what_let_the_release_in_was_rolled_back(kestrel: Kestrel) -> None:
    release = kestrel.release()
    in_dev = kestrel.deploys(kestrel.ask(release, kestrel.dev))
    changes = {"required_approvals": 0}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    in_staging = kestrel.deploys(kestrel.ask(release, kestrel.staging))
    kestrel.reports(in_dev, "rolled_back", message="Slow")
    again = kestrel.ask(release, kestrel.staging)
    assert (again.status, again.source_environment) == ("approved", None)
    kestrel.reports(in_staging, "rolled_back", message="Slow")
    with pytest.raises(ProductError) as refused:
        kestrel.reports(again, "started")
    assert refused.value.code == "PROM_SEQUENCE_VIOLATION"
    assert refused.value.code in PromotionViewSet.refusals["deployment"]


def test_a_report_of_another_manifest_is_audited(kestrel: Kestrel) -> None:
    from stellapromote.audit.models import AuditEvent

    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    with pytest.raises(ProductError):
        kestrel.reports(promotion, "started", manifest_digest="sha256:" + "f" * 64)
    assert AuditEvent.objects.filter(promotion_id=promotion.pk, action="promotion.report_refused").exists()


def strict_about_manifests(kestrel: Kestrel) -> None:
    changes = {"require_manifest_report": True}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)


@pytest.mark.parametrize("status", ["started", "succeeded"])
@pytest.mark.parametrize(("manifest", "code"), [(None, "VAL_INVALID"), ("sha256:" + "f" * 64, "EVD_DIGEST_MISMATCH")])
def test_a_missing_or_wrong_manifest_is_refused_and_audited_where_one_is_required(
    kestrel: Kestrel, status: str, manifest: str | None, code: str
) -> None:
    strict_about_manifests(kestrel)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    if status == "succeeded":
        kestrel.reports(promotion, "started", manifest_digest=promotion.manifest_digest)
    before = Promotion.objects.get(pk=promotion.pk).status
    with pytest.raises(ProductError) as refused:
        kestrel.reports(promotion, status, manifest_digest=manifest)
    assert refused.value.code == code
    assert Promotion.objects.get(pk=promotion.pk).status == before
    event = AuditEvent.objects.get(action="promotion.report_refused")
    assert (event.promotion_id, event.metadata["reported"]) == (promotion.pk, status)


def test_the_same_report_again_without_a_manifest_changes_nothing(kestrel: Kestrel) -> None:
    strict_about_manifests(kestrel)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", manifest_digest=promotion.manifest_digest)
    assert kestrel.reports(promotion, "started").status == "deploying"


def test_a_failure_needs_no_manifest(kestrel: Kestrel) -> None:
    strict_about_manifests(kestrel)
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", manifest_digest=promotion.manifest_digest)
    assert kestrel.reports(promotion, "failed", message="Out of memory").status == "failed"
