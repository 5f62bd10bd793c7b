"""The snapshot taken at request: what must hold, who is excluded and why (domain.md §5). Later edits miss it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

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
from policies.models import ApprovalPolicy, ApprovalPolicyVersion
from policies.stored_documents import documents
from promotions.attribution import Origin
from promotions.commit_authors import commit_authors
from promotions.editors import editors
from promotions.models import Deployment, Promotion, Release
from stellapromote.accounts.models import ServiceOwner, User
from stellapromote.clock import rfc3339
from stellapromote.errors import RuleViolation
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes


class PolicyWithoutVersion(RuleViolation):
    """A policy that guards the environment has no version in force, so it is not known what it asks for."""

    code = "POL_INVALID"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Policy {name} guards this environment and has no published version: publish one, or take the policy "
            "away from the environment, then request again.",
            details={"policy": name},
        )


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


class Parts:
    """Collects who had a part in the promotion; eligibility decides which parts exclude."""

    def __init__(self, until: datetime) -> None:
        self._until = until
        self._found: set[tuple[UUID, str]] = set()
        self._edited: dict[UUID, datetime] = {}

    def add(self, reason: str, *user_ids: UUID | None) -> None:
        self._found.update((user_id, reason) for user_id in user_ids if user_id is not None)

    def add_origin(self, reason: str, origin: Origin) -> None:
        """The person, or the machine with everybody who owned it at any moment since, and the token's issuer."""
        self.add(reason, origin.user_id)
        self.add_owners([origin.user_id], since=origin.at)
        self.add(TOKEN_ISSUER, origin.token_issuer_id)

    def add_editors(self, edits: Iterable[Origin]) -> None:
        """Everybody behind edits of policies and settings, and when they first edited one. One statement."""
        for edit in edits:
            self._note_editor(edit.user_id, edit.at)
            self._note_editor(edit.token_issuer_id, edit.at)
        owners = ServiceOwner.objects.filter(service__user_id__in=list(self._edited), granted_at__lte=self._until)
        for machine_id, owner_id, ended_at in list(owners.values_list("service__user_id", "owner_id", "ended_at")):
            if ended_at is None or ended_at >= self._edited[machine_id]:
                self._note_editor(owner_id, self._edited[machine_id])

    def _note_editor(self, user_id: UUID | None, at: datetime) -> None:
        if user_id is not None:
            self.add(POLICY_EDITOR, user_id)
            self._edited[user_id] = min(at, self._edited.get(user_id, at))

    def add_owners(self, user_ids: Collection[UUID], *, since: datetime) -> None:
        """Everybody who owned one of the machines among these accounts at any moment since. One statement."""
        owners = ServiceOwner.objects.filter(
            Q(ended_at=None) | Q(ended_at__gte=since), service__user_id__in=user_ids, granted_at__lte=self._until
        )
        self.add(SERVICE_OWNER, *owners.values_list("owner_id", flat=True))

    def ids(self) -> list[UUID]:
        return sorted({user_id for user_id, _ in self._found})

    def excluded(self, duties: frozenset[str]) -> list[ExcludedPerson]:
        names = dict(User.objects.filter(pk__in=self.ids()).values_list("pk", "username"))
        parts = (Involvement(str(user_id), names[user_id], reason) for user_id, reason in self._found)
        return excluded_persons(parts, duties)

    def settings_edited_at(self, excluded: Iterable[ExcludedPerson]) -> dict[str, str]:
        """When those who are excluded for nothing else first edited a policy or setting, by id: grants that they made
        before count (domain.md §5)."""
        return {
            person["id"]: rfc3339(self._edited[UUID(person["id"])])
            for person in excluded
            if person["reasons"] == [POLICY_EDITOR]
        }


def take_snapshot(
    *, release: Release, target: Environment, requester: Origin, triggered_by: Promotion | None, at: datetime
) -> Snapshot:
    """Reads the rules that guard ``target``, under its lock, and computes who may not vote.

    ``target`` has its promotion policy selected. Raises CommitAuthorsUnknown, PolicyWithoutVersion.
    """
    promotion_version = target.promotion_policy.current
    if promotion_version is None:
        raise PolicyWithoutVersion(target.promotion_policy.name)
    approval_versions = _approval_versions(target)
    texts = documents(target.tenant_id, [promotion_version.digest, *(v.digest for v in approval_versions)])
    approval_policies = [texts[v.digest] for v in approval_versions]

    duties = duties_in_force(target.require_separation_of_duties, approval_policies)
    parts = Parts(until=at)
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
    external: list[str] = []
    if COMMIT_AUTHOR in duties:
        authors, external = commit_authors(release)
        parts.add(COMMIT_AUTHOR, *authors)
        parts.add_owners(authors, since=release.created_at)
    if POLICY_EDITOR in duties:
        parts.add_editors(editors(target, (v.policy_id for v in approval_versions), since=release.created_at))
    excluded = parts.excluded(duties)

    document: dict[str, Any] = {
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
    if external:
        document["externalAuthors"] = external
    if edited := parts.settings_edited_at(excluded):
        document["settingsEditedAt"] = edited
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


def _add_trigger(parts: Parts, triggered_by: Promotion) -> None:
    """An automatic request counts as made by whoever asked for, and whoever reported, the deployment before it."""
    parts.add(REQUESTER, *triggered_by.requesting_persons)
    reports = Deployment.objects.filter(promotion=triggered_by, attempt=triggered_by.attempt)
    for reporter_id, issuer_id, reported_at in reports.values_list(
        "reported_by_id", "reported_with_token_issuer_id", "reported_at"
    ):
        if reporter_id is not None:
            parts.add_origin(REQUESTER, Origin(reporter_id, issuer_id, reported_at))


def _approval_versions(target: Environment) -> list[ApprovalPolicyVersion]:
    """The versions in force of the approval policies that guard ``target``, by name; PolicyWithoutVersion."""
    found = []
    for policy in ApprovalPolicy.objects.filter(environments=target).select_related("current").order_by("name"):
        if policy.current is None:
            raise PolicyWithoutVersion(policy.name)
        policy.current.policy = policy
        found.append(policy.current)
    return found
