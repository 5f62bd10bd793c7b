"""The snapshot taken at request: what must hold, who is excluded and why (domain.md §5). Later edits miss it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Lower

from environments.models import Environment
from policies.eligibility import (
    COMMIT_AUTHOR,
    POLICY_EDITOR,
    RELEASE_CREATOR,
    REQUESTER,
    SERVICE_OWNER,
    TOKEN_ISSUER,
    Involvement,
    duties_in_force,
    excluded_persons,
)
from policies.facts import REQUIREMENTS_SCHEMA, ExcludedPerson
from policies.models import ApprovalPolicyVersion, PromotionPolicyVersion
from policies.stored_documents import documents
from promotions.models import Deployment, Promotion, Release
from stellapromote.accounts.models import Membership, ServiceOwner, User
from stellapromote.errors import RuleViolation
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes


class CommitAuthorsUnknown(RuleViolation):
    """A policy excludes commit authors and the release does not name them: nothing passes on a guess."""

    code = "PROM_BLOCKED"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who did something and by whose token: a machine's deeds count as its owners' and the issuer's (domain.md §5)."""

    user_id: UUID
    token_issuer_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``document`` is what requirementsDigest covers; beside it the documents of the policies it names."""

    document: dict[str, Any]
    canonical: bytes
    digest: str
    promotion_policy: dict[str, Any]
    approval_policies: list[dict[str, Any]]
    excluded_ids: list[UUID]
    requesting_ids: list[UUID]


class _Parts:
    """Collects who had a part in the promotion; eligibility decides which parts exclude."""

    def __init__(self, until: datetime) -> None:
        self._until = until
        self._found: set[tuple[UUID, str]] = set()

    def add(self, reason: str, *user_ids: UUID | None) -> None:
        self._found.update((user_id, reason) for user_id in user_ids if user_id is not None)

    def add_origin(self, reason: str, origin: Origin) -> None:
        """The person, or the machine with everybody who owned it at any moment since, and the token's issuer."""
        self.add(reason, origin.user_id)
        owners = ServiceOwner.objects.filter(
            Q(ended_at=None) | Q(ended_at__gte=origin.at),
            service__user_id=origin.user_id,
            granted_at__lte=self._until,
        ).values_list("owner_id", flat=True)
        self.add(SERVICE_OWNER, *owners)
        self.add(TOKEN_ISSUER, origin.token_issuer_id)

    def ids(self) -> list[UUID]:
        return sorted({user_id for user_id, _ in self._found})

    def excluded(self, duties: frozenset[str]) -> list[ExcludedPerson]:
        names = dict(User.objects.filter(pk__in=self.ids()).values_list("pk", "username"))
        parts = (Involvement(str(user_id), names[user_id], reason) for user_id, reason in self._found)
        return excluded_persons(parts, duties)


def take_snapshot(
    *, release: Release, target: Environment, requester: Origin, triggered_by: Promotion | None, at: datetime
) -> Snapshot:
    """Reads the rules that guard ``target``, under its lock, and computes who may not vote.

    ``target`` has its promotion policy selected. Raises CommitAuthorsUnknown.
    """
    promotion_version = target.promotion_policy.current
    if promotion_version is None:
        raise RuleViolation("The environment's promotion policy has no published version.", code="POL_INVALID")
    approval_versions = list(
        ApprovalPolicyVersion.objects.filter(policy__environments=target, pk=F("policy__current_id"))
        .select_related("policy")
        .order_by("policy__name")
    )
    texts = documents(target.tenant_id, [promotion_version.digest, *(v.digest for v in approval_versions)])
    approval_policies = [texts[v.digest] for v in approval_versions]

    duties = duties_in_force(target.require_separation_of_duties, approval_policies)
    parts = _Parts(until=at)
    parts.add_origin(REQUESTER, requester)
    if triggered_by is not None:
        _add_trigger(parts, triggered_by)
    requesting_ids = parts.ids()
    # Owners and token issuers always exclude, so a part that no rule asks about must not be collected at all.
    if RELEASE_CREATOR in duties:
        creator = Origin(release.created_by_id, release.created_with_token_issuer_id, release.created_at)
        parts.add_origin(RELEASE_CREATOR, creator)
        for contributor in release.contributors:
            parts.add_origin(RELEASE_CREATOR, Origin(contributor, None, release.created_at))
    if COMMIT_AUTHOR in duties:
        parts.add(COMMIT_AUTHOR, *_commit_authors(release))
    if POLICY_EDITOR in duties:
        for editor in _policy_editors(promotion_version, approval_versions):
            parts.add_origin(POLICY_EDITOR, editor)
    excluded = parts.excluded(duties)

    document = {
        "schema": REQUIREMENTS_SCHEMA,
        "requiredApprovals": target.required_approvals,
        "requireSeparationOfDuties": target.require_separation_of_duties,
        "approvalPolicies": [
            {"name": v.policy.name, "version": v.version, "digest": v.digest} for v in approval_versions
        ],
        "promotionPolicy": {
            "name": target.promotion_policy.name,
            "version": promotion_version.version,
            "digest": promotion_version.digest,
        },
        "excludedPersons": excluded,
    }
    canonical = canonical_bytes(document)
    return Snapshot(
        document=document,
        canonical=canonical,
        digest=digest_bytes(canonical),
        promotion_policy=texts[promotion_version.digest],
        approval_policies=approval_policies,
        excluded_ids=[UUID(person["id"]) for person in excluded],
        requesting_ids=requesting_ids,
    )


def _add_trigger(parts: _Parts, triggered_by: Promotion) -> None:
    """An automatic request counts as made by whoever asked for, and whoever reported, the deployment before it."""
    parts.add(REQUESTER, *triggered_by.requesting_persons)
    reports = Deployment.objects.filter(promotion=triggered_by, attempt=triggered_by.attempt)
    for reporter_id, issuer_id, reported_at in reports.values_list(
        "reported_by_id", "reported_with_token_issuer_id", "reported_at"
    ):
        if reporter_id is not None:
            parts.add_origin(REQUESTER, Origin(reporter_id, issuer_id, reported_at))


def _policy_editors(
    promotion_version: PromotionPolicyVersion, approval_versions: Iterable[ApprovalPolicyVersion]
) -> Iterator[Origin]:
    """Who wrote the versions in force; the seeded policy was written by nobody."""
    edits = [
        (
            promotion_version.published_by_id,
            promotion_version.published_with_token_issuer_id,
            promotion_version.published_at,
        ),
        (promotion_version.drafted_by_id, None, promotion_version.published_at),
        *((v.created_by_id, v.created_with_token_issuer_id, v.created_at) for v in approval_versions),
    ]
    return (Origin(editor_id, issuer_id, at) for editor_id, issuer_id, at in edits if editor_id is not None)


def _commit_authors(release: Release) -> list[UUID]:
    """Members whose username or e-mail is among the release's authors."""
    authors = [str(author).strip().lower() for author in (release.source_ref or {}).get("authors") or []]
    if not authors:
        raise CommitAuthorsUnknown(
            "An approval policy of this environment excludes commit authors, but the release names none in "
            "sourceRef.authors: create the release with its authors and request again."
        )
    emails = [author.rpartition("<")[2].rstrip(">") for author in authors]
    members = Membership.objects.filter(tenant_id=release.tenant_id).annotate(
        username=Lower("user__username"), email=Lower("user__email")
    )
    return list(
        members.filter(Q(username__in=authors) | Q(email__in=[e for e in emails if e])).values_list(
            "user_id", flat=True
        )
    )
