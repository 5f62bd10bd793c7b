from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import QuerySet

from environments.actions.hold_auto_promotion import hold_auto_promotion
from environments.models import Environment
from promotions.actions.start_check import EnvironmentBusy, check_deploys_apart, check_starts
from promotions.fastpath import rows
from promotions.judging.concerned_promotions import (
    DeploymentSurroundings,
    read_other_deployments,
    schedule_concerned_promotions,
    select_waiting_by_dependency,
)
from promotions.judging.evaluation_context import EvaluationContext, gather_context, instant
from promotions.judging.facts import StoredFacts
from promotions.judging.locks import lock_with_surroundings
from promotions.judging.packet_content import packet_content
from promotions.judging.sealing import SigningUnavailable, store_packet
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import DecisionRecord, Deployment, Promotion
from promotions.packets.signing_key import current_key
from promotions.states import OPEN, Status, in_words, transition
from promotions.voting import rules
from promotions.voting.etags import check_tag
from promotions.voting.outcome import Outcome
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_DEPLOY
from stellapromote.api.etag import IfMatch
from stellapromote.audit.events import OfPromotion
from stellapromote.clock import Clock, rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import FieldError, Invalid, ProductError, RuleViolation, reason_against
from stellapromote.fastpath.together import fetch_together
from stellapromote.ids import new_id
from stellapromote.recorded_rows import note_as_read
from stellapromote.signing.canonical_json import digest_bytes
from stellapromote.transactions import transactional

STARTED, SUCCEEDED, FAILED, ROLLED_BACK = "started", "succeeded", "failed", "rolled_back"
REPORTS = (STARTED, SUCCEEDED, FAILED, ROLLED_BACK)
STARTING = OPEN | {Status.FAILED}

_REACHED = {
    STARTED: Status.DEPLOYING,
    SUCCEEDED: Status.DEPLOYED,
    FAILED: Status.FAILED,
    ROLLED_BACK: Status.ROLLED_BACK,
}


class OtherManifest(RuleViolation):
    """The deployed manifest is not the approved one."""

    code = "EVD_DIGEST_MISMATCH"


@dataclass(frozen=True, slots=True)
class Report:
    """A report of CI or an operator about the deployment; ``message`` is the reason of a rollback. ``url`` holds for
    the later reports of the attempt too. ``run_id`` is the run that deploys, empty where the reporter names none."""

    status: str
    message: str = ""
    url: str = ""
    manifest_digest: str | None = None
    run_id: str = ""


def report_deployment(
    promotion_id: UUID, report: Report, *, by: Actor, if_match: IfMatch | None = None, clock: Clock = DATABASE_CLOCK
) -> Promotion:
    """Takes one report about a deployment (domain.md §4, reports); the same report again changes nothing.

    ``started`` runs the start check: a refused start commits the re-evaluation, then raises GATE_FROZEN, PROM_BLOCKED,
    PROM_APPROVAL_EXPIRED, PROM_SEQUENCE_VIOLATION or RES_ENVIRONMENT_BUSY, which also refuses the start of another run
    than the one that deploys. Contradicting reports, the end reported by another run, and a rollback of
    another deployment than the newest, raise RES_STATE_CONFLICT, another manifest EVD_DIGEST_MISMATCH, changed
    components REL_MANIFEST_MISMATCH, and a missing manifest, where the environment requires it, Invalid; these are
    audited. SeparationOfDuties where a policy excludes the deployer.
    """
    rules.check_can_report(by)
    if report.status == ROLLED_BACK and not report.message.strip():
        message = "A rollback needs a reason in `message`."
        raise Invalid(message, fields=[FieldError("message", message, "required")])
    try:
        return _report(promotion_id, report, by, if_match, clock).result()
    except IntegrityError as error:
        if "promotion_one_deploying_per_lock" not in str(error):
            raise
        raise EnvironmentBusy(
            "Another deployment into this environment has just started: try again when it ends.",
            details={"mayPassAt": None},
        ) from error


@transactional
def _report(promotion_id: UUID, report: Report, by: Actor, if_match: IfMatch | None, clock: Clock) -> Outcome:
    key = current_key()
    promotion, superseded, moment, reading = lock_with_surroundings(
        promotion_id,
        by.tenant,
        clock,
        signing_key_id=None if key is None else key.key_id,
        writes_environment=report.status in (SUCCEEDED, ROLLED_BACK),
    )
    by.require_product(promotion.product, PROMOTION_DEPLOY)
    check_tag(promotion, by, if_match)
    work = UnitOfWork(by, instant(moment, promotion))
    if report.manifest_digest not in (None, promotion.manifest_digest):
        return _other_manifest(promotion, report, work)
    of_another_run = _refusal_of_another_run(promotion, report, work.at)
    if of_another_run is not None:
        return _refuse(promotion, report, of_another_run, work)
    if promotion.status == _REACHED[report.status]:
        return Outcome(promotion)
    if _lacks_manifest(promotion, report):
        return _without_manifest(promotion, report, work)
    if report.status == STARTED:
        return _start(promotion, superseded, report, by, work, reading)
    if (promotion.status, report.status) in {(Status.DEPLOYING, SUCCEEDED), (Status.DEPLOYING, FAILED)}:
        return _finish(promotion, report, by, work, reading)
    if report.status == ROLLED_BACK and promotion.status in {Status.DEPLOYED, Status.FAILED}:
        return _roll_back(promotion, report, by, work, reading)
    return _contradiction(promotion, report, work)


def _start(
    promotion: Promotion, superseded: list[Promotion], report: Report, by: Actor, work: UnitOfWork, reading: StoredFacts
) -> Outcome:
    if promotion.status not in STARTING:
        return _contradiction(promotion, report, work)
    if promotion.retry_closed:
        return _refuse(promotion, report, rules.no_further_attempt(promotion.number, promotion.status), work)
    shown = promotion.version
    refusal = check_starts(promotion, superseded, by, work, reading)
    if refusal is not None:
        rows.store(promotion)
        work.write()
        return Outcome(promotion, refusal, changed=promotion.version != shown)
    at, environment = work.at, promotion.target_environment
    before = promotion.status
    step = transition(Status(before), Status.DEPLOYING)
    promotion.status = Status.DEPLOYING
    promotion.attempt += 1
    promotion.started_at, promotion.completed_at = at, None
    promotion.overdue_at = promotion.next_change_at = None
    whole = environment.exclusive == Environment.Exclusive.ENVIRONMENT
    promotion.deployment_lock = "*" if whole else promotion.product
    promotion.deployment_due_at = at + timedelta(seconds=environment.config["deploymentTimeout"])
    promotion.version += 1
    _note_report(promotion, report, by, work)
    _note_event(step.event, before, promotion, report, work)
    work.writes.store(promotion)
    work.write()
    return Outcome(promotion)


def _finish(promotion: Promotion, report: Report, by: Actor, work: UnitOfWork, reading: StoredFacts) -> Outcome:
    context = gather_context(promotion, work.at, reading=reading)
    broken = reason_against(rules.check_manifest, promotion, context.facts.release_manifest)
    if broken is not None:
        return _refuse(promotion, report, broken, work)
    if not _anybody_may_end(promotion, report, work.at):
        check_deploys_apart(by, context)
    target = _REACHED[report.status]
    promotion.completed_at = work.at
    return _close(context, target, report, by, work, packet_type="deployment")


def _refusal_of_another_run(promotion: Promotion, report: Report, at: datetime) -> ProductError | None:
    """A start that is reported again is the same start only where its run is the same, named or not. The end may be
    reported without a run, by a person."""
    running = promotion.status == Status.DEPLOYING
    again = report.status == STARTED and running
    ends = report.status in (SUCCEEDED, FAILED) and (running or promotion.status == _REACHED[report.status])
    if not again and not (ends and report.run_id):
        return None
    started_by = promotion.started_by_run()
    if report.run_id == started_by or (ends and not started_by):
        return None
    run = f"Run {started_by}" if started_by else "A run without runId"
    if ends:
        return rules.StateForbids(
            f"{run} deploys #{promotion.number}: only that run reports its end, or a person without runId.",
            details={"status": promotion.status, "runId": started_by or None},
        )
    message = f"{run} deploys #{promotion.number} already: start nothing, and wait until its end is reported."
    return EnvironmentBusy.of(promotion, at, message, runId=started_by or None)


def _anybody_may_end(promotion: Promotion, report: Report, at: datetime) -> bool:
    """Any operator may report an overdue deployment failed, with a reason (domain.md §4): the environment would stay
    locked."""
    due = promotion.deployment_due_at
    return report.status == FAILED and report.message.strip() != "" and due is not None and due <= at


def _roll_back(promotion: Promotion, report: Report, by: Actor, work: UnitOfWork, reading: StoredFacts) -> Outcome:
    later = Promotion.objects.filter(
        target_environment=promotion.target_environment,
        product=promotion.product,
        status__in=[Status.DEPLOYED, Status.FAILED, Status.DEPLOYING],
        started_at__gt=promotion.started_at,
    ).order_by("-started_at")
    newest = later.first()
    if newest is not None:
        refusal = rules.StateForbids(
            f"Only the newest deployment of an environment can be rolled back, and that is #{newest.number}.",
            details={"promotionId": str(newest.pk), "number": newest.number},
        )
        return _refuse(promotion, report, refusal, work)
    context = gather_context(promotion, work.at, reading=reading)
    broken = reason_against(rules.check_manifest, promotion, context.facts.release_manifest)
    if broken is not None:
        return _refuse(promotion, report, broken, work)
    check_deploys_apart(by, context)
    promotion.auto_promote_due = False
    environment = promotion.target_environment
    if environment.auto_promote_from_id is not None:
        # It stays on hold until a person requests again (domain.md §1, auto-promotion).
        because = f"#{promotion.number} was rolled back."
        note_as_read(environment)
        hold_auto_promotion(environment, hold=True, by=by, at=work.at, because=because)
    return _close(context, Status.ROLLED_BACK, report, by, work, packet_type="rollback")


def _close(
    context: EvaluationContext, target: Status, report: Report, by: Actor, work: UnitOfWork, *, packet_type: str
) -> Outcome:
    promotion = context.promotion
    if context.key is None:
        raise SigningUnavailable("No usable signing key: the report cannot be sealed now. Send it again later.")
    [started], urls, follows, [[release_id, also_by_another]], waiting = fetch_together(
        _record_of_start(promotion),
        _urls_told(promotion),
        Environment.objects.filter(auto_promote_from=promotion.target_environment_id).values_list("pk"),
        read_other_deployments(promotion),
        select_waiting_by_dependency(promotion.tenant_id),
    )
    if urls and not report.url:
        report = replace(report, url=urls[0])
    before = promotion.status
    step = transition(Status(before), target)
    promotion.status = target
    promotion.status_detail = report.message.strip()
    promotion.auto_promote_due = target is Status.DEPLOYED and bool(follows)
    promotion.version += 1
    _note_report(promotion, report, by, work)
    content = packet_content(
        promotion,
        context.facts,
        record_digest=digest_bytes(bytes(started.document)),
        input_digest=digest_bytes(bytes(started.input)),
        records=context.facts.records,
        votes=context.votes,
        decision={"recordId": str(started.pk), "sequence": started.sequence},
        execution=_execution(promotion, report, by, work.at),
    )
    _note_event(step.event, before, promotion, report, work)
    store_packet(promotion, packet_type, content, new_id(), context.key, work, decision_id=started.pk)
    work.writes.store(promotion)
    surroundings = DeploymentSurroundings(release_id, also_by_another, waiting)
    schedule_concerned_promotions(promotion, Status(before), surroundings, work.at, work.writes)
    work.write()
    return Outcome(promotion)


def _urls_told(promotion: Promotion) -> QuerySet[Deployment, Any]:
    """The newest address in the reports of this attempt."""
    told = promotion.deployments.filter(attempt=promotion.attempt).exclude(url="").order_by("-reported_at", "-id")
    return told.values_list("url", flat=True)[:1]


def _record_of_start(promotion: Promotion) -> QuerySet[DecisionRecord]:
    """The record that the start check used, which is not the newest where a person decided since."""
    until = {"evaluated_at__lte": promotion.started_at}
    return DecisionRecord.objects.filter(promotion=promotion, **until).order_by("-sequence")[:1]


def _execution(promotion: Promotion, report: Report, by: Actor, at: datetime) -> dict[str, Any]:
    return {
        "status": report.status,
        "attempt": promotion.attempt,
        "message": report.message,
        "url": report.url,
        "manifestReported": report.manifest_digest is not None,
        "reportedBy": {"id": str(by.user_id), "username": by.username, "displayName": by.display_name},
        "reportedAt": rfc3339(at),
        "startedAt": None if promotion.started_at is None else rfc3339(promotion.started_at),
    }


def _note_report(promotion: Promotion, report: Report, by: Actor, work: UnitOfWork) -> None:
    row = Deployment(
        tenant_id=promotion.tenant_id,
        promotion=promotion,
        attempt=promotion.attempt,
        status=report.status,
        message=report.message,
        url=report.url,
        run_id=report.run_id,
        manifest_reported=report.manifest_digest is not None,
        reported_by_id=by.user_id,
        reported_with_token_issuer_id=by.token_issuer_id,
        reported_by_username=by.username,
        reported_by_name=by.display_name,
        reported_at=work.at,
    )
    work.writes.insert(Deployment, row.__dict__)


def _note_event(event: OfPromotion, before: str, promotion: Promotion, report: Report, work: UnitOfWork) -> None:
    """Notes the event with the content of the report's row; the event itself has sender, token and time."""
    work.note(
        event,
        promotion,
        before={"status": before},
        after={"status": promotion.status, "message": report.message, "url": report.url},
        attempt=promotion.attempt,
        manifestReported=report.manifest_digest is not None,
        **_run_named(report),
    )


def _run_named(report: Report) -> dict[str, Any]:
    return {"runId": report.run_id} if report.run_id else {}


def _lacks_manifest(promotion: Promotion, report: Report) -> bool:
    """Whether the report lacks the manifest digest that the environment requires of `started` and `succeeded`."""
    return (
        promotion.target_environment.require_manifest_report
        and report.manifest_digest is None
        and (promotion.status, report.status)
        in {*((each, STARTED) for each in STARTING), (Status.DEPLOYING, SUCCEEDED)}
    )


def _without_manifest(promotion: Promotion, report: Report, work: UnitOfWork) -> Outcome:
    message = "This environment requires the manifestDigest in the report: send the digest of the deployed release."
    refusal = Invalid(message, fields=[FieldError("manifestDigest", message, "required")])
    return _refuse(promotion, report, refusal, work)


def _other_manifest(promotion: Promotion, report: Report, work: UnitOfWork) -> Outcome:
    refusal = OtherManifest(
        "The reported manifestDigest is not the approved one: deploy the approved release, or request the other one.",
        details={"approved": promotion.manifest_digest, "reported": report.manifest_digest},
    )
    return _refuse(promotion, report, refusal, work)


def _contradiction(promotion: Promotion, report: Report, work: UnitOfWork) -> Outcome:
    refusal = rules.StateForbids(
        f"Promotion #{promotion.number} {in_words(promotion.status)}: the report `{report.status}` contradicts that.",
        details={"status": promotion.status},
    )
    return _refuse(promotion, report, refusal, work)


def _refuse(promotion: Promotion, report: Report, refusal: ProductError, work: UnitOfWork) -> Outcome:
    """The report changes nothing but the timeline, which shows it."""
    work.note(
        "promotion.report_refused",
        promotion,
        outside=False,
        reported=report.status,
        status=promotion.status,
        **_run_named(report),
    )
    promotion.version += 1
    rows.store(promotion)
    work.write()
    return Outcome(promotion, refusal)
