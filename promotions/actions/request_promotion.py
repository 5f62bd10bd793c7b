from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection

from environments.actions.hold_auto_promotion import hold_auto_promotion
from environments.models import Environment
from promotions import rules
from promotions.attribution import Origin
from promotions.bundles import Taken, stored, take_for_release
from promotions.journal import Journal
from promotions.judging import conclude
from promotions.locks import lock_superseded, share_surroundings
from promotions.models import Promotion, PromotionCounter, Release
from promotions.ordering import Entry, check_can_enter
from promotions.requirements import Snapshot, take_snapshot
from promotions.scene import Scene, look
from promotions.states import ACTIVE
from stellapromote.accounts.actor import Actor
from stellapromote.clock import SYSTEM_CLOCK, Clock
from stellapromote.errors import Conflict, FieldError, Invalid, RuleViolation
from stellapromote.ids import new_id
from stellapromote.transactions import transactional


class ReleaseNotFinalized(RuleViolation):
    code = "PROM_RELEASE_NOT_FINALIZED"


class ReleaseDeprecated(RuleViolation):
    code = "PROM_RELEASE_DEPRECATED"


class EnvironmentArchived(RuleViolation):
    code = "ENV_ARCHIVED"


ALREADY_ACTIVE = "This release already has an active promotion into this environment: follow or cancel that one."


class AlreadyActive(Conflict):
    """One active promotion per release and target (domain.md §4)."""

    code = "RES_DUPLICATE"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. ``change`` is {ref, url, type, backout} or None."""

    release_id: UUID
    target_environment_id: UUID
    reason: str
    change: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a request would lead to; nothing of it is stored."""

    promotion: Promotion
    scene: Scene
    gates: list[dict[str, Any]] = field(default_factory=list)


def request_promotion(
    wish: Wish, *, by: Actor, triggered_by: Promotion | None = None, clock: Clock = SYSTEM_CLOCK
) -> Promotion:
    """Creates a promotion and judges it in the same transaction (domain.md §4).

    A broken precondition stores nothing: NamesNothing, SequenceViolation, ReleaseNotFinalized, ReleaseDeprecated,
    EnvironmentArchived, AlreadyActive, CommitAuthorsUnknown, ManifestMismatch. Failing gates store a rejected promotion
    with its record.
    ``triggered_by`` is the deployed promotion behind an automatic request; its requester asks then.
    """
    try:
        return _request(wish, by, triggered_by, clock)
    except IntegrityError as error:
        if "promotion_one_active_per_release_and_target" not in str(error):
            raise
        raise _already_active(by.tenant, wish) from error


@transactional
def preview_promotion(wish: Wish, *, by: Actor, clock: Clock = SYSTEM_CLOCK) -> Preview:
    """The same checks and the gates as a request would see them; stores nothing. Raises as ``request_promotion``."""
    promotion, scene, _ = _prepare(wish, by, None, clock, number=0)
    evaluation = scene.evaluate()
    promotion.approvals_required, promotion.approvals_given = evaluation.required, evaluation.given
    return Preview(promotion, scene, [gate.as_json() for gate in evaluation.gates])


@transactional
def _request(wish: Wish, by: Actor, triggered_by: Promotion | None, clock: Clock) -> Promotion:
    ends_hold = triggered_by is None and by.kind == "person" and _follows_another(wish, by)
    promotion, scene, target = _prepare(wish, by, triggered_by, clock, number=None, writes_environment=ends_hold)
    journal = Journal(by, scene.at)
    conclude(scene, journal, superseded=lock_superseded(promotion))
    promotion.save(force_insert=True)
    if ends_hold:
        because = f"#{promotion.number} was requested."
        hold_auto_promotion(target, hold=False, by=by, at=scene.at, because=because)
    journal.write()
    return promotion


def _follows_another(wish: Wish, by: Actor) -> bool:
    """Whether the target is one that may be on hold: asked before the locks, because the environment is locked to be
    written from the beginning. A shared lock that is raised later is a deadlock between two requests (domain.md §0).
    """
    targets = Environment.objects.filter(pk=wish.target_environment_id, tenant_id=by.tenant)
    return targets.exclude(auto_promote_from=None).exists()


def _prepare(
    wish: Wish,
    by: Actor,
    triggered_by: Promotion | None,
    clock: Clock,
    *,
    number: int | None,
    writes_environment: bool = False,
) -> tuple[Promotion, Scene, Environment]:
    """Checks preconditions under the locks and builds the promotion with its facts; ``number`` None draws the next."""
    if triggered_by is None:
        rules.check_can_request(by)
    share_surroundings(
        tenant_id=by.tenant,
        environment_id=wish.target_environment_id,
        release_id=wish.release_id,
        writes_environment=writes_environment,
        enters=True,
    )
    target = (
        Environment.objects.select_related("promotion_policy__current")
        .filter(tenant_id=by.tenant, pk=wish.target_environment_id)
        .first()
    )
    release = Release.objects.filter(tenant_id=by.tenant, pk=wish.release_id).first()
    if release is None:
        raise rules.NamesNothing("releaseId", "release")
    if target is None:
        raise rules.NamesNothing("targetEnvironmentId", "environment")
    _check_reason(wish.reason)
    check_release_and_target(release, target)
    entry = check_can_enter(release, target)
    check_not_deprecated(release, entry)
    if Promotion.objects.filter(release=release, target_environment=target, status__in=ACTIVE).exists():
        raise _already_active(by.tenant, wish)
    if number is None:
        number, at = _next_number(by.tenant, clock)
    else:
        at = clock.now()
    requester = _requester(by, triggered_by, at)
    snapshot = take_snapshot(release=release, target=target, requester=requester, triggered_by=triggered_by, at=at)
    promotion = _build(wish, release, target, entry, snapshot, by, triggered_by, number, at)
    unstored = _bind_evidence(promotion, at, preview=number == 0)
    scene = look(promotion, at, unstored=unstored)
    rules.check_manifest(promotion, scene.facts.release_manifest)
    promotion.subject = dict(scene.facts.subject)
    promotion.subject_digest = scene.facts.gate_input["subject"]["digest"]
    return promotion, scene, target


def _bind_evidence(promotion: Promotion, at: datetime, *, preview: bool) -> Taken | None:
    """Takes the newest documents of the components (domain.md §6); a preview stores nothing and gets them back."""
    taken = take_for_release(promotion.tenant_id, promotion.release_id)
    if taken is None:
        return None
    promotion.evidence_bundle_digest = taken.digest
    if preview:
        promotion.evidence_bundle_id = new_id()
        return taken
    promotion.evidence_bundle = stored(taken, tenant_id=promotion.tenant_id, at=at)
    return None


def _build(
    wish: Wish,
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
        reason=wish.reason.strip(),
        change=wish.change,
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
        raise EnvironmentArchived(f"{target.display_name} is archived: nothing may enter it.")
    if release.status == Release.Status.DRAFT:
        raise ReleaseNotFinalized(f"{release.name} is a draft: finalize it first, so that its digests are fixed.")
    if release.status == Release.Status.ARCHIVED:
        raise ReleaseDeprecated(f"{release.name} is archived: choose another release.")


def check_not_deprecated(release: Release, entry: Entry) -> None:
    """Deprecated releases are only gone back to (domain.md §3). Raises ReleaseDeprecated."""
    if release.status == Release.Status.DEPRECATED and not entry.is_rollback:
        raise ReleaseDeprecated(f"{release.name} is deprecated: {release.status_reason}. Choose another release.")


def _requester(by: Actor, triggered_by: Promotion | None, at: datetime) -> Origin:
    if triggered_by is not None:
        return Origin(triggered_by.requested_by_id, None, triggered_by.requested_at)
    return Origin(by.account, by.token_issuer_id, at)


def _next_number(tenant_id: UUID, clock: Clock) -> tuple[int, datetime]:
    """The next gap-free number and the instant of the request, which never runs backwards within the tenant."""
    counter = PromotionCounter.objects.select_for_update().get(tenant_id=tenant_id)
    at = clock.now()
    if counter.last_requested_at is not None:
        at = max(at, counter.last_requested_at)
    counter.last_number += 1
    counter.last_requested_at = at
    counter.save(update_fields=["last_number", "last_requested_at"])
    return counter.last_number, at


def _already_active(tenant_id: UUID, wish: Wish) -> AlreadyActive:
    """Names the promotion in the way; asked in whatever transaction state the caller is in."""
    details: dict[str, Any] = {}
    if not connection.needs_rollback:
        active = Promotion.objects.filter(
            tenant_id=tenant_id,
            release_id=wish.release_id,
            target_environment_id=wish.target_environment_id,
            status__in=ACTIVE,
        ).first()
        if active is not None:
            details = {"promotionId": str(active.pk), "number": active.number, "status": active.status}
    return AlreadyActive(ALREADY_ACTIVE, details=details or None)
