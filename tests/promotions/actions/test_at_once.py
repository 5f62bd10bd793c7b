"""Several people and machines at the same instant, on real connections: one transition, one record, one packet."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from environments.actions.update_environment import update_environment
from promotions.actions.approve import approve
from promotions.actions.cancel import cancel
from promotions.actions.evaluate import reevaluate
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.reject import reject
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.models import DecisionRecord, Deployment, EvidencePacket, OutboxEvent, Override, Promotion, Vote
from promotions.worker.round import run_round
from stellapromote.accounts.actor import system_actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.errors import ProductError
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_freeze, make_person, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.slow


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_kestrel()


def outcomes(results: list[Any]) -> list[str]:
    """`ok`, or the code of the refusal, sorted."""
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ProductError):
            raise result
    return sorted(result.code if isinstance(result, ProductError) else "ok" for result in results)


def approved_once(promotion_id: UUID) -> None:
    assert Promotion.objects.get(pk=promotion_id).status == "approved"
    assert EvidencePacket.objects.filter(promotion_id=promotion_id).count() == 1
    assert DecisionRecord.objects.filter(promotion_id=promotion_id, decision="allow").count() == 1
    assert AuditEvent.objects.filter(promotion_id=promotion_id, action="promotion.approved").count() == 1
    assert OutboxEvent.objects.filter(promotion_id=promotion_id, name="promotion.approved").count() == 1


def test_two_final_votes_at_once_make_one_approval(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.wait()
    found = committed_db.at_once(
        lambda: approve(promotion.pk, by=kestrel["approver"], clock=kestrel.clock),
        lambda: approve(promotion.pk, by=kestrel["second"], clock=kestrel.clock),
    )
    assert outcomes(found) == ["ok", "ok"]
    approved_once(promotion.pk)


def test_one_person_clicking_eight_times_votes_once(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    calls: list[Callable[[], Promotion]] = [
        lambda: approve(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
    ] * 8
    assert outcomes(committed_db.at_once(*calls)) == ["RES_ALREADY_VOTED"] * 7 + ["ok"]
    assert Vote.objects.filter(promotion=promotion).count() == 1


@pytest.mark.parametrize("race", range(4))
def test_an_approval_and_the_end_of_its_role_at_once_approve_nothing_for_long(
    committed_db: CommittedDatabase, kestrel: Kestrel, race: int
) -> None:
    """lena approves product main alone; the role is for another product from the same moment on."""
    lena = make_person(kestrel.tenant, "lena", roles=["approver"], products=["main"], clock=kestrel.clock)
    kestrel.release(product="ledger")
    release, by = kestrel.release(), actor_of(lena, kestrel.tenant)
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    promotion = kestrel.ask(release, kestrel.staging)
    kestrel.wait()
    change = {"by": command_actor(kestrel.tenant), "clock": kestrel.clock, "user_id": lena.pk, "role": "approver"}
    calls: list[Callable[[], Any]] = [
        lambda: approve(promotion.pk, by=by, clock=kestrel.clock),
        lambda: grant_role(**change, products=["ledger"]),
    ]
    found = committed_db.at_once(*(calls if race % 2 else reversed(calls)))
    assert outcomes(found) in (["ok", "ok"], ["PERM_NOT_ELIGIBLE", "ok"])
    kestrel.wait()
    final = reevaluate(promotion.pk, by=system_actor(kestrel.tenant.pk, kestrel.tenant.slug), clock=kestrel.clock)
    assert (final.status, final.approvals_given) == ("awaiting_approval", 0)
    assert lena.pk not in final.open_voters


@pytest.mark.parametrize("failed_before", [False, True], ids=["approved", "failed"])
@pytest.mark.parametrize("race", range(4))
def test_of_a_reject_and_a_start_at_once_one_is_refused(
    committed_db: CommittedDatabase, kestrel: Kestrel, race: int, failed_before: bool
) -> None:
    promotion = kestrel.approved_for_production()
    if failed_before:
        kestrel.reports(promotion, "started")
        kestrel.reports(promotion, "failed", message="It crashed")
    kestrel.wait()
    calls: list[Callable[[], Promotion]] = [
        lambda: reject(promotion.pk, by=kestrel["third"], reason="No", clock=kestrel.clock),
        lambda: report_deployment(promotion.pk, Report("started"), by=kestrel["operator"], clock=kestrel.clock),
    ]
    found = committed_db.at_once(*(calls if race % 2 else reversed(calls)))
    assert outcomes(found) == ["RES_STATE_CONFLICT", "ok"]
    final = Promotion.objects.get(pk=promotion.pk)
    rejected = Vote.objects.filter(promotion=promotion, verdict="reject").exists()
    started = Deployment.objects.filter(promotion=promotion, attempt=2 if failed_before else 1, status="started")
    assert (rejected, started.exists()) in ((True, False), (False, True))
    if rejected:
        assert (final.status, final.retry_closed) == (("failed", True) if failed_before else ("rejected", False))
    else:
        assert (final.status, final.retry_closed) == ("deploying", False)
    denied = DecisionRecord.objects.filter(promotion=promotion, decision="deny").count()
    assert denied == (1 if rejected else 0)


@pytest.mark.parametrize("race", range(4))
def test_of_a_reject_and_the_last_approval_at_once_the_reject_holds(
    committed_db: CommittedDatabase, kestrel: Kestrel, race: int
) -> None:
    """It is possible before the approval and after it, so it is never refused."""
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    kestrel.wait()
    calls: list[Callable[[], Promotion]] = [
        lambda: approve(promotion.pk, by=kestrel["second"], clock=kestrel.clock),
        lambda: reject(promotion.pk, by=kestrel["third"], reason="No", clock=kestrel.clock),
    ]
    found = committed_db.at_once(*(calls if race % 2 else reversed(calls)))
    assert outcomes(found) in (["RES_STATE_CONFLICT", "ok"], ["ok", "ok"])
    final = Promotion.objects.get(pk=promotion.pk)
    assert (final.status, final.status_reason) == ("rejected", "APPROVAL_REJECTED")
    assert DecisionRecord.objects.get(pk=final.decision_id).decision == "deny"


def test_the_last_approval_and_a_cancel_at_once_leave_one_consistent_state(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    committed_db.at_once(
        lambda: approve(promotion.pk, by=kestrel["second"], clock=kestrel.clock),
        lambda: cancel(promotion.pk, by=kestrel["requester"], clock=kestrel.clock),
    )
    final = Promotion.objects.get(pk=promotion.pk)
    assert final.status == "cancelled"
    packets = EvidencePacket.objects.filter(promotion=promotion).count()
    assert packets == (1 if final.approved_at else 0)


def test_the_same_request_twice_at_once_makes_one_promotion(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    release = kestrel.release()
    promotion_request = PromotionRequest(release.pk, kestrel.dev.pk, "Wanted")
    found = committed_db.at_once(
        *[lambda: request_promotion(promotion_request, by=kestrel["requester"], clock=kestrel.clock)] * 4
    )
    assert outcomes(found) == ["RES_DUPLICATE"] * 3 + ["ok"]
    assert Promotion.objects.filter(release=release).count() == 1


def test_promotion_numbers_have_no_gap_when_requests_come_at_once(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    promotion_requests = [PromotionRequest(kestrel.release().pk, kestrel.dev.pk, "Wanted") for _ in range(6)]
    found = committed_db.at_once(
        *[
            lambda promotion_request=promotion_request: request_promotion(
                promotion_request, by=kestrel["requester"], clock=kestrel.clock
            )  # type: ignore[misc]
            for promotion_request in promotion_requests
        ]
    )
    assert outcomes(found) == ["ok"] * 6
    numbers = sorted(Promotion.objects.values_list("number", flat=True))
    assert numbers == list(range(1, 7))


def test_two_starts_into_one_environment_at_once_start_one(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    one = kestrel.ask(kestrel.release(), kestrel.dev)
    other = kestrel.ask(kestrel.release(), kestrel.dev)
    found = committed_db.at_once(
        *[
            lambda each=each: report_deployment(  # type: ignore[misc]
                each.pk, Report("started"), by=kestrel["operator"], clock=kestrel.clock
            )
            for each in (one, other)
        ]
    )
    assert outcomes(found) == ["RES_ENVIRONMENT_BUSY", "ok"]
    assert Promotion.objects.filter(status="deploying").count() == 1


def ended(promotion_id: UUID) -> tuple[str, list[str], int, int]:
    """Its state; the reports kept of it; the packets of the deployment; the refusals audited."""
    return (
        Promotion.objects.get(pk=promotion_id).status,
        list(Deployment.objects.filter(promotion_id=promotion_id).order_by("id").values_list("status", flat=True)),
        EvidencePacket.objects.filter(promotion_id=promotion_id, type="deployment").count(),
        AuditEvent.objects.filter(promotion_id=promotion_id, action="promotion.report_refused").count(),
    )


def test_the_same_report_four_times_at_once_is_taken_once(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.reports(kestrel.ask(kestrel.release(), kestrel.dev), "started")
    waiting = kestrel.ask(kestrel.release(), kestrel.dev)
    by, clock = kestrel["operator"], kestrel.clock
    calls = [lambda: report_deployment(promotion.pk, Report("succeeded"), by=by, clock=clock)] * 4
    assert outcomes(committed_db.at_once(*calls)) == ["ok"] * 4
    assert ended(promotion.pk) == ("deployed", ["started", "succeeded"], 1, 0)
    assert Promotion.objects.get(pk=waiting.pk).version == waiting.version + 1


def test_of_two_contradicting_reports_at_once_one_is_refused(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.reports(kestrel.ask(kestrel.release(), kestrel.dev), "started")
    by, clock = kestrel["operator"], kestrel.clock
    found = committed_db.at_once(
        lambda: report_deployment(promotion.pk, Report("succeeded"), by=by, clock=clock),
        lambda: report_deployment(promotion.pk, Report("failed", "It crashed"), by=by, clock=clock),
    )
    assert outcomes(found) == ["RES_STATE_CONFLICT", "ok"]
    status, reports, packets, refusals = ended(promotion.pk)
    assert (status, reports, packets, refusals) == (status, ["started", reports[1]], 1, 1)
    assert {"succeeded": "deployed", "failed": "failed"}[reports[1]] == status


def test_deployments_that_end_at_once_wake_the_same_promotions_without_a_deadlock(
    committed_db: CommittedDatabase, kestrel: Kestrel, caplog: pytest.LogCaptureFixture
) -> None:
    """Four products; whatever waits by a dependency gate waits for each of them."""
    caplog.set_level("INFO")
    wanted = {"type": "environment", "environment": "dev", "state": "idle"}
    gate = {"kind": "dependency", "config": {"targets": [wanted]}}
    admin, clock = kestrel["admin"], kestrel.clock
    make_promotion_policy(admin, "quiet", clock=clock, gates=[gate])
    products = ("api", "web", "cron", "mail")
    running = [
        kestrel.reports(kestrel.ask(kestrel.release(product=product), kestrel.dev), "started") for product in products
    ]
    update_environment(by=admin, clock=clock, environment_id=kestrel.dev.pk, changes={"promotion_policy": "quiet"})
    waiting = [kestrel.ask(kestrel.release(product="main"), kestrel.dev) for _ in range(3)]
    done = Report("succeeded")
    calls = [partial(report_deployment, each.pk, done, by=kestrel["operator"], clock=clock) for each in running]
    assert outcomes(committed_db.at_once(*calls)) == ["ok"] * 4
    assert [Promotion.objects.get(pk=each.pk).status for each in running] == ["deployed"] * 4
    assert [Promotion.objects.get(pk=each.pk).version for each in waiting] == [each.version + 4 for each in waiting]
    assert "is repeated" not in caplog.text


def test_a_request_waits_for_a_deployment_that_is_being_reported_and_has_it_in_its_subject(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    running = kestrel.reports(kestrel.ask(kestrel.release(), kestrel.dev), "started")
    promotion_request = PromotionRequest(kestrel.release().pk, kestrel.dev.pk, "Wanted")
    reported = threading.Event()

    def report() -> Promotion:
        with transaction.atomic():
            done = report_deployment(running.pk, Report("succeeded"), by=kestrel["operator"], clock=kestrel.clock)
            reported.set()
            # Long enough for a request that does not wait to be done before this commits.
            time.sleep(1)
        return done

    def request() -> Promotion:
        assert reported.wait(timeout=20)
        return request_promotion(promotion_request, by=kestrel["requester"], clock=kestrel.clock)

    found = committed_db.at_once(report, request)
    assert outcomes(found) == ["ok", "ok"]
    asked = Promotion.objects.exclude(pk=running.pk).get()
    assert asked.subject["currentReleaseId"] == str(running.release_id)


def test_a_start_waits_for_a_freeze_that_is_being_written_and_is_refused_by_it(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    now = kestrel.clock.now().isoformat()
    written = threading.Event()

    def stop_the_line() -> None:
        with transaction.atomic():
            make_freeze(kestrel["admin"], None, now, "2026-12-31T00:00:00Z", clock=kestrel.clock)
            written.set()
            # Long enough for a start that does not wait to be done before this commits.
            time.sleep(1)

    def start() -> Promotion:
        assert written.wait(timeout=20)
        return report_deployment(promotion.pk, Report("started"), by=kestrel["operator"], clock=kestrel.clock)

    found = committed_db.at_once(stop_the_line, start)
    assert outcomes(found) == ["GATE_FROZEN", "ok"]
    assert Promotion.objects.get(pk=promotion.pk).status == "pending"


def test_the_worker_and_a_voter_at_once_keep_every_vote(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    system = system_actor(kestrel.tenant.pk, kestrel.tenant.slug)
    committed_db.at_once(
        lambda: approve(promotion.pk, by=kestrel["second"], clock=kestrel.clock),
        lambda: reevaluate(promotion.pk, by=system, clock=kestrel.clock),
        lambda: run_round("one", kestrel.clock),
        lambda: run_round("two", kestrel.clock),
    )
    approved_once(promotion.pk)


def test_requests_into_an_environment_on_hold_do_not_deadlock(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    releases = [kestrel.release() for _ in range(4)]
    for release in releases:
        kestrel.deploys(kestrel.ask(release, kestrel.dev))
    changes = {"auto_promote_from": "dev", "auto_promote_hold": True}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    looks: list[datetime] = []

    class Watched:
        """Each attempt of a request looks at the clock once: one that met a deadlock is tried again."""

        @property
        def fixed(self) -> datetime:
            looks.append(kestrel.clock.now())
            time.sleep(0.3)
            return looks[-1]

    promotion_requests = [PromotionRequest(release.pk, kestrel.staging.pk, "Wanted") for release in releases]
    found = committed_db.at_once(
        *[
            lambda promotion_request=promotion_request: request_promotion(
                promotion_request, by=kestrel["requester"], clock=Watched()
            )  # type: ignore[misc]
            for promotion_request in promotion_requests
        ]
    )
    assert outcomes(found) == ["ok"] * 4
    assert len(looks) == 4


def test_an_override_and_a_vote_of_its_author_at_once_never_both_count(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    shut = {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"}
    gate = {"name": "hours", "kind": "schedule", "config": shut, "override": {"by": ["third"]}}
    make_promotion_policy(kestrel["admin"], "strict", clock=kestrel.clock, gates=[gate])
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"promotionPolicy": "strict"},
    )
    third = kestrel["third"].account
    grant_scope(by=kestrel["admin"], clock=kestrel.clock, user_id=third, scope=PROMOTION_OVERRIDE, reason="On call")
    by = actor_of(User.objects.get(pk=third), kestrel.tenant)
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    override_request = OverrideRequest("hours", "Payments are down", "INC-7", kestrel.clock.now() + timedelta(hours=4))
    found = committed_db.at_once(
        lambda: approve(promotion.pk, by=by, clock=kestrel.clock),
        lambda: override_gate(promotion.pk, override_request, by=by, clock=kestrel.clock),
    )
    assert outcomes(found) in (["PERM_NOT_ELIGIBLE", "ok"], ["ok", "ok"])
    final = Promotion.objects.get(pk=promotion.pk)
    assert (final.status, final.approvals_given) == ("awaiting_approval", 1)


def test_one_person_overriding_four_times_at_once_overrides_once(
    committed_db: CommittedDatabase, kestrel: Kestrel
) -> None:
    promotion = kestrel.waits_for_production()
    now = kestrel.clock.now()
    end = rfc3339(now + timedelta(hours=5))
    make_freeze(kestrel["admin"], kestrel.production, rfc3339(now), end, clock=kestrel.clock, exceptions=["third"])
    kestrel.wait()
    override_request = OverrideRequest(
        "freeze-window", "Payments are down", "INC-7", kestrel.clock.now() + timedelta(hours=4)
    )
    calls = [lambda: override_gate(promotion.pk, override_request, by=kestrel["third"], clock=kestrel.clock)] * 4
    assert outcomes(committed_db.at_once(*calls)) == ["RES_STATE_CONFLICT"] * 3 + ["ok"]
    assert Override.objects.filter(promotion=promotion).count() == 1
