"""Creating, changing, finalizing, deprecating and archiving releases (domain.md §3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.http import Http404

from promotions.actions.image_repositories import bind_repositories
from promotions.actions.products import take_product
from promotions.documents.manifest import manifest_digest
from promotions.judging.audited_rows import audited_release
from promotions.judging.commit_authors import check_external
from promotions.models import Component, ProcessHeartbeat, Promotion, Release
from promotions.models.worker import NAMES_OF_PRODUCTS
from promotions.states import ACTIVE
from promotions.voting.etags import release_tag
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import RELEASE_WRITE
from stellapromote.api.etag import IfMatch
from stellapromote.audit.events import Audited
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Conflict, FieldError, Invalid, RuleViolation
from stellapromote.transactions import transactional


class NotDraft(RuleViolation):
    """Components and texts change only in draft."""

    code = "REL_NOT_DRAFT"


class Incomplete(RuleViolation):
    """A release without components, or with a component without digest, cannot be finalized."""

    code = "REL_INCOMPLETE"


class NameTaken(Conflict):
    """Release names are unique within a product."""

    code = "RES_DUPLICATE"
    about = "name"


class ReleaseInUse(Conflict):
    """Active promotions need the release."""

    code = "RES_IN_USE"


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    name: str
    image_repository: str
    digest: str = ""
    tag: str = ""
    semver: str = ""
    role: str = Component.Role.PRIMARY


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """The fields of a release that a caller sets. ``source_ref`` as in domain.md §3, or None."""

    name: str
    product: str = "main"
    display_name: str = ""
    description: str = ""
    source_ref: dict[str, Any] | None = None
    components: Sequence[ComponentSpec] = field(default_factory=tuple)


@transactional
def create_release(spec: ReleaseSpec, *, by: Actor, finalize: bool = False, clock: Clock = DATABASE_CLOCK) -> Release:
    """A new draft, finalized at once if asked. Raises Refused, ProductArchived, NameTaken, Invalid, Incomplete,
    OtherProduct, TooManyRepositories."""
    by.require_product(spec.product, RELEASE_WRITE)
    _check_names(spec.components)
    check_external(by.tenant, spec.source_ref)
    take_product(spec.product, by=by, clock=clock)
    at = clock.now()
    _check_name(spec.name, spec.product, by, at)
    release = Release(
        tenant_id=by.tenant,
        product=spec.product,
        name=spec.name,
        display_name=spec.display_name,
        description=spec.description,
        source_ref=spec.source_ref,
        created_by_id=by.account,
        created_by_name=by.display_name,
        created_with_token_issuer_id=by.token_issuer_id,
        created_at=at,
        changed_at=at,
    )
    _contributes(by, release)
    try:
        release.save(force_insert=True)
    except IntegrityError as error:
        if "release_name_unique_per_product" not in str(error):
            raise
        raise _name_taken(spec.name, spec.product) from error
    _store_components(release, spec.components)
    _note("release.created", release, by, at, after=_audit_values(release))
    if finalize:
        _finalize(release, by, at)
    return release


@transactional
def update_release(
    release_id: UUID,
    changes: dict[str, Any],
    *,
    by: Actor,
    if_match: IfMatch | None = None,
    clock: Clock = DATABASE_CLOCK,
) -> Release:
    """Merges ``changes`` (fields of ReleaseSpec) into a draft. Raises NotDraft, ProductArchived, NameTaken, Invalid,
    Http404."""
    by.require(RELEASE_WRITE)
    release = lock_release(release_id, by, if_match)
    if release.status != Release.Status.DRAFT:
        raise NotDraft(f"{release.name} is {release.status}: create a new release instead of changing it.")
    by.require_product(changes.get("product", release.product), RELEASE_WRITE)
    check_external(by.tenant, changes.get("source_ref"))
    if changes.get("product", release.product) != release.product:
        take_product(changes["product"], by=by, clock=clock)
    before = _audit_values(release)
    components = changes.get("components")
    for name, value in changes.items():
        if name != "components":
            setattr(release, name, value)
    at = clock.now()
    _check_name(release.name, release.product, by, at, own=release.pk)
    if components is not None:
        _check_names(components)
        release.components.all().delete()
        _store_components(release, components)
    _contributes(by, release)
    _touch(release, at)
    _note("release.updated", release, by, at, before=before, after=_audit_values(release))
    return release


@transactional
def finalize_release(
    release_id: UUID, *, by: Actor, if_match: IfMatch | None = None, clock: Clock = DATABASE_CLOCK
) -> Release:
    """Fixes the components and computes the manifestDigest; its product has the repositories of its images then.

    Raises ProductArchived, OtherProduct, TooManyRepositories, NotDraft, Incomplete, Http404.
    """
    by.require(RELEASE_WRITE)
    release = lock_release(release_id, by, if_match)
    take_product(release.product, by=by, clock=clock)
    _finalize(release, by, clock.now())
    return release


@transactional
def deprecate_release(
    release_id: UUID, *, by: Actor, reason: str, if_match: IfMatch | None = None, clock: Clock = DATABASE_CLOCK
) -> Release:
    """Allows only rollbacks from now on; open promotions are rejected when they are judged again (domain.md §3)."""
    by.require(RELEASE_WRITE)
    if not reason.strip():
        message = "Deprecating needs a reason: people whose promotion is rejected will read it."
        raise Invalid(message, fields=[FieldError("reason", message, "required")])
    release = lock_release(release_id, by, if_match)
    if release.status != Release.Status.FINALIZED:
        raise Conflict(f"{release.name} is {release.status}: only a finalized release can be deprecated.")
    return _set_status(release, Release.Status.DEPRECATED, "release.deprecated", by, clock, reason=reason.strip())


@transactional
def archive_release(
    release_id: UUID, *, by: Actor, if_match: IfMatch | None = None, clock: Clock = DATABASE_CLOCK
) -> Release:
    """Hides a release without active promotions. Raises ReleaseInUse while promotions of it are active."""
    by.require(RELEASE_WRITE)
    release = lock_release(release_id, by, if_match)
    if release.status == Release.Status.ARCHIVED:
        raise Conflict(f"{release.name} is archived already.")
    active = Promotion.objects.filter(release=release, status__in=ACTIVE).count()
    if active:
        raise ReleaseInUse(
            f"{active} promotions of {release.name} are active: wait for them or cancel them.",
            details={"activePromotions": active},
        )
    return _set_status(release, Release.Status.ARCHIVED, "release.archived", by, clock, reason="")


def lock_release(release_id: UUID, by: Actor, if_match: IfMatch | None) -> Release:
    """The release FOR UPDATE. Raises Http404, Refused where the right is limited to other products, and Conflict
    RES_PRECONDITION_FAILED."""
    release = Release.objects.select_for_update().filter(tenant_id=by.tenant, pk=release_id).first()
    if release is None:
        raise Http404("No such release.")
    by.require_product(release.product, RELEASE_WRITE)
    if if_match is not None:
        if_match.check(release_tag(release))
    return release


def _finalize(release: Release, by: Actor, at: Any) -> None:
    if release.status != Release.Status.DRAFT:
        raise NotDraft(f"{release.name} is {release.status}: it was finalized before.")
    components = list(release.components.order_by("name"))
    without = [component.name for component in components if not component.digest]
    if not components:
        raise Incomplete(f"{release.name} has no components: add at least one with its digest.")
    if without:
        raise Incomplete(
            f"These components have no digest: {', '.join(without)}. A tag decides nothing; give sha256 digests.",
            details={"components": without},
        )
    bind_repositories(release.product, components, by=by, at=at)
    _contributes(by, release)
    release.status = Release.Status.FINALIZED
    release.finalized_at = at
    release.manifest_digest = manifest_digest(
        {"name": c.name, "imageRepository": c.image_repository, "digest": c.digest, "role": c.role} for c in components
    )
    _touch(release, at)
    _note("release.finalized", release, by, at, after=_audit_values(release))


def _set_status(release: Release, status: str, action: Audited, by: Actor, clock: Clock, *, reason: str) -> Release:
    at = clock.now()
    before = {"status": release.status}
    release.status, release.status_reason = status, reason
    _touch(release, at)
    _note(action, release, by, at, before=before, after={"status": release.status, "reason": reason})
    return release


def _contributes(by: Actor, release: Release) -> None:
    release.contributors = sorted({*release.contributors, by.account, *filter(None, [by.token_issuer_id])})


def _touch(release: Release, at: Any) -> None:
    release.changed_at = at
    release.version += 1
    release.save()


def _check_names(components: Sequence[ComponentSpec]) -> None:
    names = [component.name for component in components]
    for index, name in enumerate(names):
        if name in names[:index]:
            message = f"Component names are unique within a release; {name} appears twice."
            raise Invalid(message, fields=[FieldError(f"components[{index}].name", message, "duplicate")])


def _store_components(release: Release, components: Sequence[ComponentSpec]) -> None:
    Component.objects.bulk_create(
        [
            Component(
                release=release,
                name=spec.name,
                image_repository=spec.image_repository,
                digest=spec.digest,
                tag=spec.tag,
                semver=spec.semver,
                role=spec.role,
            )
            for spec in components
        ]
    )


def _check_name(name: str, product: str, by: Actor, at: datetime, *, own: UUID | None = None) -> None:
    """The product has no other release of this name. Nor has another one, while a process of an earlier version lives:
    that would take the release of either for the other. Raises NameTaken. One statement, or two."""
    named = Release.objects.filter(tenant_id=by.tenant, name=name)
    others = named if own is None else named.exclude(pk=own)
    found = set(others.values_list("product", flat=True))
    if product in found or (found and not ProcessHeartbeat.objects.all_know(NAMES_OF_PRODUCTS, at)):
        raise _name_taken(name, product if product in found else min(found))


def _name_taken(name: str, product: str) -> NameTaken:
    message = f"There is a release named {name} already, of product {product}: choose another name."
    return NameTaken(message, details={"name": name, "product": product})


def _audit_values(release: Release) -> dict[str, Any]:
    return audited_release(release, release.components.all())


def _note(
    action: Audited,
    release: Release,
    by: Actor,
    at: Any,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        resource="release",
        resource_id=release.pk,
        before=before,
        after=after,
        release_id=release.pk,
    )
