from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import F, Q
from django.http import Http404

from environments.actions.hold_auto_promotion import hold_auto_promotion
from environments.models import Environment
from promotions import rows, rules
from promotions.actions.outcome import Outcome
from promotions.actions.start_check import EnvironmentBusy, check_deploys_apart, check_starts
from promotions.journal import Journal
from promotions.locks import lock_promotion, share_surroundings
from promotions.models import DecisionRecord, Deployment, Promotion
from promotions.packet_content import packet_content
from promotions.scene import Scene, instant, look
from promotions.sealing import SigningUnavailable, store_packet
from promotions.states import OPEN, Status, in_words, transition
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock, rfc3339
from stellapromote.errors import FieldError, Invalid, ProductError, RuleViolation
from stellapromote.ids import new_id
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
    """What was deployed is not what was approved."""

    code = "EVD_DIGEST_MISMATCH"


@dataclass(frozen=True, slots=True)
class Report:
    """What CI or an operator says about the deployment; ``message`` is the reason of a rollback."""

    status: str
    message: str = ""
    url: str = ""
    manifest_digest: str | None = None


def report_deployment(promotion_id: UUID, report: Report, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> Promotion:
    """Takes one report about a deployment (domain.md §4, reports); the same report again changes nothing.

    ``started`` runs the start check: a refused start commits the re-evaluation, then raises GATE_FROZEN, PROM_BLOCKED,
    PROM_APPROVAL_EXPIRED, PROM_SEQUENCE_VIOLATION or RES_ENVIRONMENT_BUSY. Contradicting reports, and a rollback of
    what is not the newest deployment, raise RES_STATE_CONFLICT, another manifest EVD_DIGEST_MISMATCH, changed
    components REL_MANIFEST_MISMATCH, and a missing manifest, where the environment requires it, Invalid; these are
    audited. SeparationOfDuties where a policy excludes the deployer.
    """
    rules.check_can_report(by)
    if report.status == ROLLED_BACK and not report.message.strip():
        message = "A rollback needs a reason in `message`."
        raise Invalid(message, fields=[FieldError("message", message, "required")])
    try:
        return _report(promotion_id, report, by, clock).result()
    except IntegrityError as error:
        if "promotion_one_deploying_per_lock" not in str(error):
            raise
        raise EnvironmentBusy(
            "Another deployment into this environment has just started: try again when it ends.",
            details={"mayPassAt": None},
        ) from error


@transactional
def _report(promotion_id: UUID, report: Report, by: Actor, clock: Clock) -> Outcome:
    ids = (
        Promotion.objects.filter(pk=promotion_id, tenant_id=by.tenant)
        .values_list("target_environment_id", "release_id")
        .first()
    )
    if ids is None:
        raise Http404("No such promotion.")
    share_surroundings(
        tenant_id=by.tenant,
        environment_id=ids[0],
        release_id=ids[1],
        writes_environment=report.status in (SUCCEEDED, ROLLED_BACK),
    )
    promotion, superseded = lock_promotion(promotion_id, by.tenant)
    journal = Journal(by, instant(clock, promotion))
    if report.manifest_digest not in (None, promotion.manifest_digest):
        return _other_manifest(promotion, report, journal)
    if promotion.status == _REACHED[report.status]:
        return Outcome(promotion)
    if _lacks_manifest(promotion, report):
        return _without_manifest(promotion, report, journal)
    if report.status == STARTED:
        return _start(promotion, superseded, report, by, journal)
    if (promotion.status, report.status) in {(Status.DEPLOYING, SUCCEEDED), (Status.DEPLOYING, FAILED)}:
        return _finish(promotion, report, by, journal)
    if report.status == ROLLED_BACK and promotion.status in {Status.DEPLOYED, Status.FAILED}:
        return _roll_back(promotion, report, by, journal)
    return _contradiction(promotion, report, journal)


def _start(promotion: Promotion, superseded: list[Promotion], report: Report, by: Actor, journal: Journal) -> Outcome:
    if promotion.status not in STARTING:
        return _contradiction(promotion, report, journal)
    if promotion.retry_closed:
        return _refuse(promotion, report, rules.no_further_attempt(promotion.number, promotion.status), journal)
    shown = promotion.version
    refusal = check_starts(promotion, superseded, by, journal)
    if refusal is not None:
        rows.store(promotion)
        journal.write()
        return Outcome(promotion, refusal, changed=promotion.version != shown)
    at, environment = journal.at, promotion.target_environment
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
    _store_report(promotion, report, by, at)
    journal.note(
        step.event, promotion, before={"status": before}, after={"status": promotion.status}, attempt=promotion.attempt
    )
    rows.store(promotion)
    journal.write()
    return Outcome(promotion)


def _finish(promotion: Promotion, report: Report, by: Actor, journal: Journal) -> Outcome:
    scene = look(promotion, journal.at)
    broken = rules.refusal(lambda: rules.check_manifest(promotion, scene.facts.release_manifest))
    if broken is not None:
        return _refuse(promotion, report, broken, journal)
    if not _anybody_may_end(promotion, report, journal.at):
        check_deploys_apart(by, scene)
    target = _REACHED[report.status]
    promotion.completed_at = journal.at
    promotion.auto_promote_due = target is Status.DEPLOYED and promotion.target_environment.auto_promotes_to.exists()
    return _close(scene, target, report, by, journal, packet_type="deployment")


def _anybody_may_end(promotion: Promotion, report: Report, at: datetime) -> bool:
    """A deployment whose end nobody reported in time is reported failed by any operator, with a reason (domain.md §4):
    the environment would stay locked."""
    due = promotion.deployment_due_at
    return report.status == FAILED and report.message.strip() != "" and due is not None and due <= at


def _roll_back(promotion: Promotion, report: Report, by: Actor, journal: Journal) -> Outcome:
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
        return _refuse(promotion, report, refusal, journal)
    scene = look(promotion, journal.at)
    broken = rules.refusal(lambda: rules.check_manifest(promotion, scene.facts.release_manifest))
    if broken is not None:
        return _refuse(promotion, report, broken, journal)
    check_deploys_apart(by, scene)
    promotion.auto_promote_due = False
    environment = promotion.target_environment
    if environment.auto_promote_from_id is not None:
        # It stays on hold until a person requests again (domain.md §1, auto-promotion).
        because = f"#{promotion.number} was rolled back."
        hold_auto_promotion(environment, hold=True, by=by, at=journal.at, because=because)
    return _close(scene, Status.ROLLED_BACK, report, by, journal, packet_type="rollback")


def _close(scene: Scene, target: Status, report: Report, by: Actor, journal: Journal, *, packet_type: str) -> Outcome:
    promotion = scene.promotion
    before = promotion.status
    step = transition(Status(before), target)
    promotion.status = target
    promotion.status_detail = report.message.strip()
    promotion.version += 1
    _store_report(promotion, report, by, journal.at)
    if scene.key is None:
        raise SigningUnavailable("No usable signing key: the report cannot be sealed now. Send it again later.")
    started = _record_of_start(promotion)
    content = packet_content(
        promotion,
        scene.facts,
        record_digest=digest_bytes(bytes(started.document)),
        input_digest=digest_bytes(bytes(started.input)),
        records=scene.facts.records,
        votes=scene.votes,
        decision={"recordId": str(started.pk), "sequence": started.sequence},
        execution=_execution(promotion, report, by, journal.at),
    )
    journal.note(
        step.event,
        promotion,
        before={"status": before},
        after={"status": promotion.status, "message": report.message},
        attempt=promotion.attempt,
    )
    store_packet(promotion, packet_type, content, new_id(), scene.key, journal, decision_id=started.pk)
    rows.store(promotion)
    _look_again(promotion, journal.at)
    journal.write()
    return Outcome(promotion)


def _record_of_start(promotion: Promotion) -> DecisionRecord:
    """The record that the start check used, which is not the newest where somebody decided since."""
    until = {"evaluated_at__lte": promotion.started_at}
    return DecisionRecord.objects.filter(promotion=promotion, **until).latest("sequence")


def _look_again(promotion: Promotion, at: datetime) -> None:
    """The worker judges again whatever the report may concern: what waits for the same target, whose subject has what
    runs there; what is to come from there with this release; and what waits by a dependency gate for anything.

    A request into or from there, which is not stored yet, waits for the environment, and then sees the report.
    """
    here = promotion.target_environment
    concerned = (
        Q(target_environment=here, product=promotion.product)
        | Q(source_environment=here, release=promotion.release_id)
        | Q(gates__contains=[{"type": "dependency"}])
    )
    waiting = Promotion.objects.filter(concerned, tenant_id=promotion.tenant_id, status__in=OPEN)
    ids = list(waiting.select_for_update().order_by("pk").values_list("pk", flat=True))
    Promotion.objects.filter(pk__in=ids).update(next_change_at=at, version=F("version") + 1)


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


def _store_report(promotion: Promotion, report: Report, by: Actor, at: datetime) -> None:
    Deployment.objects.create(
        tenant_id=promotion.tenant_id,
        promotion=promotion,
        attempt=promotion.attempt,
        status=report.status,
        message=report.message,
        url=report.url,
        manifest_reported=report.manifest_digest is not None,
        reported_by_id=by.user_id,
        reported_with_token_issuer_id=by.token_issuer_id,
        reported_by_username=by.username,
        reported_by_name=by.display_name,
        reported_at=at,
    )


def _lacks_manifest(promotion: Promotion, report: Report) -> bool:
    """Where the environment requires it, what starts and what then runs is said by digest, each time."""
    return (
        promotion.target_environment.require_manifest_report
        and report.manifest_digest is None
        and (promotion.status, report.status)
        in {*((each, STARTED) for each in STARTING), (Status.DEPLOYING, SUCCEEDED)}
    )


def _without_manifest(promotion: Promotion, report: Report, journal: Journal) -> Outcome:
    message = "This environment requires the manifestDigest of what is deployed with the report."
    refusal = Invalid(message, fields=[FieldError("manifestDigest", message, "required")])
    return _refuse(promotion, report, refusal, journal)


def _other_manifest(promotion: Promotion, report: Report, journal: Journal) -> Outcome:
    refusal = OtherManifest(
        "The reported manifestDigest is not the approved one: what runs there is not what was decided on.",
        details={"approved": promotion.manifest_digest, "reported": report.manifest_digest},
    )
    return _refuse(promotion, report, refusal, journal)


def _contradiction(promotion: Promotion, report: Report, journal: Journal) -> Outcome:
    refusal = rules.StateForbids(
        f"Promotion #{promotion.number} {in_words(promotion.status)}: the report `{report.status}` contradicts that.",
        details={"status": promotion.status},
    )
    return _refuse(promotion, report, refusal, journal)


def _refuse(promotion: Promotion, report: Report, refusal: ProductError, journal: Journal) -> Outcome:
    """The report changes nothing but the timeline, which shows it."""
    journal.note("promotion.report_refused", promotion, outside=False, reported=report.status, status=promotion.status)
    promotion.version += 1
    rows.store(promotion)
    journal.write()
    return Outcome(promotion, refusal)
