"""The snapshot taken at request: the requirements, and the excluded people with reasons (domain.md §5). Later edits do
not change it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Q, QuerySet

from environments.models import Environment, EnvironmentApprovalPolicy
from environments.product_guards import guarding
from policies.eligibility import (
    ACCOUNT_RESET_BY,
    COMMIT_AUTHOR,
    POLICY_EDITOR,
    RELEASE_CREATOR,
    REQUESTER,
    SERVICE_OWNER,
    TOKEN_ISSUER,
    Involvement,
    duties_in_force,
    excluded_persons,
    requesters_of,
)
from policies.facts import REQUIREMENTS_SCHEMA, ExcludedPerson
from policies.models import ApprovalPolicy, ApprovalPolicyVersion
from policies.requirements import asks_owners
from policies.stored_documents import existing_documents
from promotions.judging.attribution import Origin
from promotions.judging.commit_authors import commit_authors
from promotions.judging.editors import editors
from promotions.judging.held_accounts import held_of
from promotions.judging.products import KnownProduct
from promotions.models import Deployment, ProcessHeartbeat, Promotion, Release
from promotions.models.worker import OWNERS_OF_PRODUCTS
from stellapromote.accounts.alike import alike
from stellapromote.accounts.models import HeldAccount, Membership, ServiceOwner, User
from stellapromote.clock import rfc3339
from stellapromote.errors import ProductError, RuleViolation
from stellapromote.fastpath.together import fetch_together
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes


class PolicyWithoutVersion(RuleViolation):
    """A policy that guards the environment has no version in force, so its requirements are unknown."""

    code = "POL_INVALID"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Policy {name} guards this environment and has no published version: publish one, or take the policy "
            "away from the environment, then request again.",
            details={"policy": name},
        )


class NoGuard(RuleViolation):
    """No approval policy of the environment names the product, and it refuses such products (domain.md §1b)."""

    code = "POL_NO_GUARD"

    def __init__(self, product: str, environment: str) -> None:
        super().__init__(
            f"Releases of product {product} do not enter {environment}: none of its approval policies is for them. Ask "
            "an administrator to name one there, then request again.",
            details={"product": product, "environment": environment},
        )


class NoOwners(RuleViolation):
    """A policy asks for the owners of a product that has none, so nobody could ever approve."""

    code = "POL_UNSATISFIABLE"

    def __init__(self, product: str, policies: list[str]) -> None:
        super().__init__(
            f"Product {product} has no owner teams, and approval policy {policies[0]} asks for its owners: ask an "
            "administrator to choose its owner teams, then request again.",
            details={"product": product, "policies": policies},
        )


class OwnersNotKnown(ProductError):
    """A process lives that would refuse a promotion for good because it does not know @owners."""

    families = ("SYS_",)
    code = "SYS_UNAVAILABLE"
    retry_after = 60

    def __init__(self) -> None:
        super().__init__(
            "A process of an earlier version runs, which cannot judge rules for owners of products: request again when "
            "the upgrade is done."
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


class Involvements:
    """The people with a part in the promotion, and the part of each; eligibility decides which parts exclude."""

    def __init__(self) -> None:
        self._found: set[tuple[UUID, str]] = set()
        self._edited: dict[UUID, datetime] = {}
        self._accounts: list[tuple[UUID, datetime]] = []

    def add(self, reason: str, *user_ids: UUID | None) -> None:
        self._found.update((user_id, reason) for user_id in user_ids if user_id is not None)

    def add_origin(self, reason: str, origin: Origin) -> None:
        """Adds the person, or the machine with all who owned it at any moment since, and the token's issuer."""
        self.add(reason, origin.user_id)
        self.add_owners([origin.user_id], since=origin.at)
        self.add(TOKEN_ISSUER, origin.token_issuer_id)

    def add_editors(self, edits: Iterable[Origin]) -> None:
        """Adds the people behind edits of policies and settings, each with the first edit."""
        for edit in edits:
            self._note_editor(edit.user_id, edit.at)
            self._note_editor(edit.token_issuer_id, edit.at)

    def _note_editor(self, user_id: UUID | None, at: datetime) -> None:
        if user_id is not None:
            self.add(POLICY_EDITOR, user_id)
            self._edited[user_id] = min(at, self._edited.get(user_id, at))

    def add_owners(self, user_ids: Iterable[UUID | None], *, since: datetime) -> None:
        """Adds the people who owned one of the machines among these accounts at any moment since."""
        self._accounts += [(user_id, since) for user_id in user_ids if user_id is not None]

    def ids(self) -> list[UUID]:
        return sorted({user_id for user_id, _ in self._found})

    def accounts(self) -> set[UUID]:
        """The accounts that may be machines, whose owners have a part too."""
        return {user_id for user_id, _ in self._accounts} | self._edited.keys()

    def add_owner(self, machine_id: UUID, owner_id: UUID, ended_at: datetime | None) -> None:
        """One who owned a machine, until ``ended_at`` or still."""
        if any(each == machine_id and (ended_at is None or ended_at >= since) for each, since in self._accounts):
            self.add(SERVICE_OWNER, owner_id)
        edited_at = self._edited.get(machine_id)
        if edited_at is not None and (ended_at is None or ended_at >= edited_at):
            self._note_editor(owner_id, edited_at)

    def listed(self, names: Mapping[UUID, str]) -> list[Involvement]:
        return [Involvement(str(user_id), names[user_id], reason) for user_id, reason in self._found]

    def settings_edited_at(self, excluded: Iterable[ExcludedPerson]) -> dict[str, str]:
        """When those who are excluded for nothing else first edited a policy or setting, by id: grants that they made
        before count (domain.md §5)."""
        return {
            person["id"]: rfc3339(self._edited[UUID(person["id"])])
            for person in excluded
            if person["reasons"] == [POLICY_EDITOR]
        }


def excluded_by(
    duties: frozenset[str], *collected: Involvements, tenant_id: UUID, since: datetime, until: datetime
) -> list[ExcludedPerson]:
    """The people excluded by these involvements, with those who owned a machine among them by ``until``, and the
    accounts of the tenant that may be of the same person as one of them, or might have been ``since`` then: what an
    account did before it was confirmed is its holders' too. Three statements that are sent together, and one more
    where there are such accounts."""
    accounts = set().union(*(involvements.accounts() for involvements in collected))
    known = set().union(*(involvements.ids() for involvements in collected))
    owners = ServiceOwner.objects.filter(service__user_id__in=accounts, granted_at__lte=until)
    found, named, held = fetch_together(
        owners.values_list("service__user_id", "owner_id", "ended_at", "owner__username"),
        User.objects.filter(pk__in=known).values_list("pk", "username"),
        HeldAccount.objects.filter(Q(confirmed_at=None) | Q(confirmed_at__gte=since), tenant_id=tenant_id).values_list(
            "user_id", "holders"
        ),
    )
    names: dict[UUID, str] = dict(named)
    for machine_id, owner_id, ended_at, username in found:
        names[owner_id] = username
        for involvements in collected:
            involvements.add_owner(machine_id, owner_id, ended_at)
    excluded = excluded_persons([each for involvements in collected for each in involvements.listed(names)], duties)
    return _with_accounts_alike(excluded, held, tenant_id) if held else excluded


def _with_accounts_alike(
    excluded: list[ExcludedPerson], held: Iterable[tuple[UUID, list[UUID]]], tenant_id: UUID
) -> list[ExcludedPerson]:
    """With the people who are or were members here; holders who never were stay unnamed."""
    rows = held_of((str(account), map(str, holders)) for account, holders in held)
    others = alike(rows, {person["id"] for person in excluded})
    known = Membership.objects.filter(tenant_id=tenant_id, user_id__in=others)
    found = {person["id"]: person for person in excluded}
    for user_id, username in known.values_list("user_id", "user__username"):
        found[str(user_id)] = {"id": str(user_id), "username": username, "reasons": [ACCOUNT_RESET_BY]}
    return [found[each] for each in sorted(found)]


def policies_that_guard(environment_id: UUID) -> QuerySet[EnvironmentApprovalPolicy]:
    """The approval policies of the environment by name, each with its version in force and its products."""
    links = EnvironmentApprovalPolicy.objects.filter(environment=environment_id)
    return links.select_related("policy__current").order_by("policy__name")


def take_snapshot(
    *,
    release: Release,
    product: KnownProduct,
    target: Environment,
    route: Iterable[Environment],
    links: Iterable[EnvironmentApprovalPolicy],
    requester: Origin,
    triggered_by: Promotion | None,
    at: datetime,
) -> Snapshot:
    """Reads the people with a part in the guards of ``target``, under its lock, and computes the people who may not
    vote.

    ``target`` has its promotion policy selected, ``links`` name the approval policies that guard it, ``product`` is
    that of the release, locked, and ``route`` are the environments on its path, in their order. Raises
    CommitAuthorsUnknown, PolicyWithoutVersion, NoGuard, NoOwners, OwnersNotKnown.
    """
    promotion_version = target.promotion_policy.current
    if promotion_version is None:
        raise PolicyWithoutVersion(target.promotion_policy.name)
    policies = guarding(((each.policy, each.products) for each in links), target.other_products, product.slug)
    if policies is None:
        raise NoGuard(product.slug, target.name)
    approval_versions = _approval_versions(policies)
    texts = existing_documents(target.tenant_id, [promotion_version.digest, *(v.digest for v in approval_versions)])
    approval_policies = [texts[v.digest] for v in approval_versions]
    asking = [each["name"] for each in approval_policies if asks_owners(each)]
    if asking and not product.owner_teams:
        raise NoOwners(product.slug, asking)
    if asking and not ProcessHeartbeat.objects.all_know(OWNERS_OF_PRODUCTS, at):
        raise OwnersNotKnown

    duties = duties_in_force(target.require_separation_of_duties, approval_policies)
    requesting, others = Involvements(), Involvements()
    requesting.add_origin(REQUESTER, requester)
    if triggered_by is not None:
        _add_trigger(requesting, triggered_by)
    # Owners and token issuers always exclude, so a part that no rule asks about must not be collected at all.
    if RELEASE_CREATOR in duties:
        creator = Origin(release.created_by_id, release.created_with_token_issuer_id, release.created_at)
        others.add_origin(RELEASE_CREATOR, creator)
        for contributor in release.contributors:
            others.add_origin(RELEASE_CREATOR, Origin(contributor, None, release.created_at))
    external: list[str] = []
    if COMMIT_AUTHOR in duties:
        authors, external = commit_authors(release)
        others.add(COMMIT_AUTHOR, *authors)
        others.add_owners(authors, since=release.created_at)
    if POLICY_EDITOR in duties:
        named = [v.policy_id for v in approval_versions]
        others.add_editors(editors(target, named, product, of_owners=bool(asking), since=release.created_at))
    excluded = excluded_by(duties, requesting, others, tenant_id=target.tenant_id, since=release.created_at, until=at)

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
    if edited := others.settings_edited_at(excluded):
        document["settingsEditedAt"] = edited
    if asking:
        document["product"] = {
            "id": str(product.id),
            "slug": product.slug,
            "version": product.version,
            "ownerTeams": product.owner_teams,
        }
    if product.path is not None:
        document["path"] = [{"id": str(each.pk), "name": each.name} for each in route]
    canonical = canonical_bytes(document)
    return Snapshot(
        document=document,
        canonical=canonical,
        digest=digest_bytes(canonical),
        promotion_policy=texts[promotion_version.digest],
        approval_policies=approval_policies,
        excluded_ids=[UUID(person["id"]) for person in excluded],
        requesting_ids=requesting.ids(),
    )


def _add_trigger(involvements: Involvements, triggered_by: Promotion) -> None:
    """Adds the people behind an automatic request: the requesters of the deployment before it, and its reporters.

    A person who only owned the requesting machine is its owner here too, and may reject (docs/adr/0154).
    """
    excluded = orjson.loads(bytes(triggered_by.requirements))["excludedPersons"]
    asked = {UUID(each) for each in requesters_of(map(str, triggered_by.requesting_persons), excluded)}
    involvements.add(REQUESTER, *asked)
    involvements.add(SERVICE_OWNER, *({*triggered_by.requesting_persons} - asked))
    reports = Deployment.objects.filter(promotion=triggered_by, attempt=triggered_by.attempt)
    for reporter_id, issuer_id, reported_at in reports.values_list(
        "reported_by_id", "reported_with_token_issuer_id", "reported_at"
    ):
        if reporter_id is not None:
            involvements.add_origin(REQUESTER, Origin(reporter_id, issuer_id, reported_at))


def _approval_versions(policies: Iterable[ApprovalPolicy]) -> list[ApprovalPolicyVersion]:
    """The versions in force of the policies; PolicyWithoutVersion."""
    found = []
    for policy in policies:
        if policy.current is None:
            raise PolicyWithoutVersion(policy.name)
        policy.current.policy = policy
        found.append(policy.current)
    return found
