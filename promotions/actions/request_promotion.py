from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection
from django.db.models import Exists, OuterRef

from environments.actions.hold_auto_promotion import hold_auto_promotion
from environments.models import Environment
from environments.paths import along
from promotions.documents.bundles import BundleContent, compose_release_bundle, store_bundle
from promotions.judging.attribution import Origin
from promotions.judging.evaluation_context import EvaluationContext, gather_context
from promotions.judging.image_repositories import asking_claims, asking_images, check_images, claims_in, images_in
from promotions.judging.judge import conclude
from promotions.judging.locks import lock_superseded, sharing_for_entry
from promotions.judging.ordering import Entry, entry_along, steps_into
from promotions.judging.products import check_open, product_in
from promotions.judging.release_status import asking_status, statuses_in
from promotions.judging.requirements import Snapshot, policies_that_guard, take_snapshot
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Promotion, Release
from promotions.states import ACTIVE
from promotions.voting import rules
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import PROMOTION_REQUEST
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK, INSTANT, LastWrite, not_before
from stellapromote.errors import Conflict, FieldError, Invalid, RuleViolation
from stellapromote.fastpath.prepared import fetch_each
from stellapromote.fastpath.together import fetch_together
from stellapromote.ids import new_id
from stellapromote.transactions import transactional


class ReleaseNotFinalized(RuleViolation):
    code = "PROM_RELEASE_NOT_FINALIZED"


class ReleaseDeprecated(RuleViolation):
    code = "PROM_RELEASE_DEPRECATED"


class ReleaseStatusMismatch(RuleViolation):
    """The status of the release is not the one that the audit log tells of (docs/adr/0167)."""

    code = "REL_STATUS_MISMATCH"


class EnvironmentArchived(RuleViolation):
    code = "ENV_ARCHIVED"


# The next gap-free number, and the instant of the request, which never runs backwards within the tenant: the time is
# read once the row is locked.
_NEXT_NUMBER = f"""
UPDATE promotions_promotioncounter SET last_number = last_number + 1 WHERE tenant_id = %(tenant)s
RETURNING last_number, last_requested_at, {INSTANT}
"""  # noqa: S608 - only a constant is put in
_REQUESTED = "UPDATE promotions_promotioncounter SET last_requested_at = %s WHERE tenant_id = %s"

ALREADY_ACTIVE = "This release already has an active promotion into this environment: follow or cancel that one."


class AlreadyActive(Conflict):
    """One active promotion per release and target (domain.md §4)."""

    code = "RES_DUPLICATE"


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """A request for a promotion. ``change`` is {ref, url, type, backout} or None."""

    release_id: UUID
    target_environment_id: UUID
    reason: str
    change: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """The promotion, facts and gates that a request would have; they are not stored."""

    promotion: Promotion
    context: EvaluationContext
    gates: list[dict[str, Any]] = field(default_factory=list)


def request_promotion(
    request: PromotionRequest, *, by: Actor, triggered_by: Promotion | None = None, clock: Clock = DATABASE_CLOCK
) -> Promotion:
    """Creates a promotion and judges it in the same transaction (domain.md §4).

    A broken precondition stores nothing: NamesNothing, SequenceViolation, NotOnPath, ReleaseNotFinalized,
    ReleaseDeprecated, ReleaseStatusMismatch, EnvironmentArchived, UnknownProduct, ProductArchived, OtherProduct,
    AlreadyActive, CommitAuthorsUnknown, NoGuard, NoOwners, OwnersNotKnown, ManifestMismatch. Failing gates store a
    rejected promotion with its record. ``triggered_by`` is the deployed promotion behind an automatic
    request; the requester is the same.
    """
    try:
        return _request(request, by, triggered_by, clock)
    except IntegrityError as error:
        if "promotion_one_active_per_release_and_target" not in str(error):
            raise
        raise _already_active(by.tenant, request) from error


@transactional
def preview_promotion(request: PromotionRequest, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> Preview:
    """The same checks and the gates as a request would see them; stores nothing. Raises as ``request_promotion``."""
    promotion, context, _ = _prepare(request, by, None, clock, number=0)
    evaluation = context.evaluate()
    promotion.approvals_required, promotion.approvals_given = evaluation.required, evaluation.given
    return Preview(promotion, context, [gate.as_json() for gate in evaluation.gates])


@transactional
def _request(request: PromotionRequest, by: Actor, triggered_by: Promotion | None, clock: Clock) -> Promotion:
    # A hold is for all products, so who requests for some of them leaves it (docs/adr/0242).
    ends_hold = triggered_by is None and by.kind == "person" and by.has_everywhere(PROMOTION_REQUEST)
    promotion, context, target = _prepare(request, by, triggered_by, clock, number=None, ends_hold=ends_hold)
    work = UnitOfWork(by, context.at)
    conclude(context, work, superseded=lock_superseded(promotion))
    work.writes.create(promotion)
    work.writes.add(_REQUESTED, [context.at, by.tenant])
    if ends_hold and target.auto_promote_from_id is not None:
        because = f"#{promotion.number} was requested."
        hold_auto_promotion(target, hold=False, by=by, at=context.at, because=because)
    work.write()
    return promotion


def _prepare(
    request: PromotionRequest,
    by: Actor,
    triggered_by: Promotion | None,
    clock: Clock,
    *,
    number: int | None,
    ends_hold: bool = False,
) -> tuple[Promotion, EvaluationContext, Environment]:
    """Checks preconditions under the locks and builds the promotion with its facts; ``number`` None draws the next."""
    if triggered_by is None:
        rules.check_can_request(by)
    active = Promotion.objects.filter(
        release=request.release_id, target_environment=OuterRef("pk"), status__in=ACTIVE, tenant_id=by.tenant
    )
    releases = Release.objects.filter(tenant_id=by.tenant, pk=request.release_id)
    steps = steps_into(by.tenant, request.target_environment_id, request.release_id)
    calendar, _, _, product, images, found, told, into, links = fetch_together(
        *sharing_for_entry(
            tenant_id=by.tenant,
            environment_id=request.target_environment_id,
            release_id=request.release_id,
            ends_hold=ends_hold,
        ),
        asking_images(request.release_id, by.tenant),
        releases,
        asking_status(by.tenant, [request.release_id]),
        steps.select_related("promotion_policy__current").annotate(is_active=Exists(active)),
        policies_that_guard(request.target_environment_id),
    )
    if not found:
        raise rules.NamesNothing("releaseId", "release")
    if not into:
        raise rules.NamesNothing("targetEnvironmentId", "environment")
    release, target = found[0], into[0]
    if triggered_by is None:
        by.require_product(release.product, PROMOTION_REQUEST)
    _check_reason(request.reason)
    check_release_and_target(release, target)
    known = check_open(product_in(product), release.product)
    route = along(into, known.path)
    entry = entry_along(release, target, route)
    check_not_deprecated(release, entry)
    difference = statuses_in(told)[release.pk].difference
    if difference is not None:
        raise ReleaseStatusMismatch(f"{release.name} was changed beside the product: {difference}")
    if target.is_active:
        raise _already_active(by.tenant, request)
    writes = [
        LastWrite("calendar", by.tenant, calendar[0][0] if calendar else None),
        LastWrite("environment", target.pk, target.updated_at),
    ]
    its_images = images_in(images)
    claiming = asking_claims(by.tenant, [each.image_repository for each in its_images])
    if number is None:
        claims, [(number, last, now)] = fetch_each(
            claiming, (_NEXT_NUMBER, {"tenant": by.tenant, "fixed": clock.fixed})
        )
        at = not_before(now, [*writes, LastWrite("promotion counter", by.tenant, last)])
    else:
        [claims] = fetch_each(claiming)
        at = not_before(clock.now(), writes)
    check_images(its_images, release.product, claims_in(claims))
    requester = _requester(by, triggered_by, at)
    snapshot = take_snapshot(
        release=release,
        product=known,
        route=route,
        target=target,
        links=links,
        requester=requester,
        triggered_by=triggered_by,
        at=at,
    )
    promotion = _build(request, release, target, entry, snapshot, by, triggered_by, number, at)
    unstored = _bind_evidence(promotion, at, preview=number == 0)
    context = gather_context(promotion, at, unstored=unstored)
    rules.check_manifest(promotion, context.facts.release_manifest)
    promotion.subject = dict(context.facts.subject)
    promotion.subject_digest = context.facts.gate_input["subject"]["digest"]
    return promotion, context, target


def _bind_evidence(promotion: Promotion, at: datetime, *, preview: bool) -> BundleContent | None:
    """Takes the newest documents of the components (domain.md §6); a preview stores nothing and gets them back."""
    composed = compose_release_bundle(promotion.tenant_id, promotion.release_id)
    if composed is None:
        return None
    promotion.evidence_bundle_digest = composed.digest
    if preview:
        promotion.evidence_bundle_id = new_id()
        return composed
    promotion.evidence_bundle = store_bundle(composed, tenant_id=promotion.tenant_id, at=at)
    return None


def _build(
    request: PromotionRequest,
    release: Release,
    target: Environment,
    entry: Entry,
    snapshot: Snapshot,
    by: Actor,
    triggered_by: Promotion | None,
    number: int,
    at: datetime,
) -> Promotion:
    policy = snapshot.promotion_policy
    if triggered_by is None:
        requested_by_id, username, name = by.account, by.username, by.display_name
    else:
        requested_by_id = triggered_by.requested_by_id
        username, name = triggered_by.requested_by_username, triggered_by.requested_by_name
    return Promotion(
        id=new_id(),
        tenant_id=by.tenant,
        number=number,
        release=release,
        product=release.product,
        source_environment=entry.source,
        target_environment=target,
        is_rollback=entry.is_rollback,
        requested_by_id=requested_by_id,
        requested_by_username=username,
        requested_by_name=name,
        requested_with_token=by.token_id,
        requested_at=at,
        triggered_by=triggered_by,
        reason=request.reason.strip(),
        change=request.change,
        manifest_digest=release.manifest_digest or "",
        requirements=snapshot.canonical,
        requirements_digest=snapshot.digest,
        excluded_persons=snapshot.excluded_ids,
        requesting_persons=snapshot.requesting_ids,
        status="",
        last_evaluated_at=at,
        pending_expires_at=at + timedelta(seconds=policy["pendingTtl"]),
        approval_ttl_seconds=policy["approvalTtl"],
        supersedes_older=policy["supersedeOlder"],
        blind=any(each["blind"] for each in snapshot.approval_policies),
    )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        message = "A request needs a reason: say why this release should go there now."
        raise Invalid(message, fields=[FieldError("reason", message, "required")])


def check_release_and_target(release: Release, target: Environment) -> None:
    """The release is finalized and the target takes promotions. Raises the refusals of ``request_promotion``."""
    if target.archived_at is not None:
        raise EnvironmentArchived(f"{target.display_name} is archived: no release may enter it.")
    if release.status == Release.Status.DRAFT:
        raise ReleaseNotFinalized(f"{release.name} is a draft: finalize it first, so that its digests are fixed.")
    if release.status == Release.Status.ARCHIVED:
        raise ReleaseDeprecated(f"{release.name} is archived: choose another release.")


def check_not_deprecated(release: Release, entry: Entry) -> None:
    """A deprecated release enters an environment by a rollback only (domain.md §3). Raises ReleaseDeprecated."""
    if release.status == Release.Status.DEPRECATED and not entry.is_rollback:
        raise ReleaseDeprecated(f"{release.name} is deprecated: {release.status_reason}. Choose another release.")


def _requester(by: Actor, triggered_by: Promotion | None, at: datetime) -> Origin:
    if triggered_by is not None:
        return Origin(triggered_by.requested_by_id, None, triggered_by.requested_at)
    return Origin(by.account, by.token_issuer_id, at)


def _already_active(tenant_id: UUID, request: PromotionRequest) -> AlreadyActive:
    """The refusal with the active promotion; without it where the caller's transaction is broken."""
    details: dict[str, Any] = {}
    if not connection.needs_rollback:
        active = Promotion.objects.filter(
            tenant_id=tenant_id,
            release_id=request.release_id,
            target_environment_id=request.target_environment_id,
            status__in=ACTIVE,
        ).first()
        if active is not None:
            details = {"promotionId": str(active.pk), "number": active.number, "status": active.status}
    return AlreadyActive(ALREADY_ACTIVE, details=details or None)
