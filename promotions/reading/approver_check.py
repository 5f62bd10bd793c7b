"""The people who could approve a promotion into an environment, requested by a given person (contract.md, Policies and
gates)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404

from environments.models import Environment
from environments.ordering import order
from environments.paths import along
from environments.product_guards import guarding, products_named
from policies import eligibility, people, requirements
from policies.facts import exclusions
from policies.models import ApprovalPolicy
from policies.stored_documents import existing_documents
from policies.vouching import Vouching
from promotions.judging.attribution import Origin
from promotions.judging.editors import editors
from promotions.judging.products import KnownProduct
from promotions.judging.requirements import Involvements, excluded_by
from stellapromote.accounts.models import Product, ServiceAccount
from stellapromote.errors import FieldError, Invalid

MOST_REASONS: Final = 50


class ProductNeeded(Invalid):
    """A rule names the owners of a product, and the question names none that the tenant has."""


@dataclass(frozen=True, slots=True)
class ApproverCheck:
    """`sets`: at most ten of the smallest sets of people who together suffice, by username in each."""

    satisfiable: bool
    sets: tuple[tuple[people.Person, ...], ...]
    reasons: tuple[dict[str, str | None], ...]

    def as_json(self) -> dict[str, Any]:
        """The answer in wire names."""
        return {
            "satisfiable": self.satisfiable,
            "minimalApproverSets": [
                [{"id": str(one.id), "username": one.username, "displayName": one.display_name} for one in each]
                for each in self.sets
            ],
            "reasons": list(self.reasons),
        }


def check_approver(
    *, policy: ApprovalPolicy, environment: Environment, requester_id: UUID, at: datetime, product: str | None = None
) -> ApproverCheck:
    """Judges the policy together with everything else that the environment requires, for people as they are now.

    Exclusions that come from the release (its creator, its commit authors, who deployed it) are not known here and are
    only pointed out. ``product``: the slug of the product, where a rule is for its owners or a policy of the
    environment for some products alone; its path is asked too. Http404 when the
    requester is neither a member nor a service of the tenant; ProductNeeded.
    """
    tenant_id = policy.tenant_id
    members = people.members(tenant_id)
    entries = [
        (link.policy, link.products) for link in environment.approval_policy_links.select_related("policy__current")
    ]
    if product is None and products_named(entries):
        raise _product_needed("Approval policies of this environment are for some products alone: name the product.")
    guards = guarding(entries, environment.other_products, product)
    if guards is None:
        sentence = f"Releases of product {product} do not enter {environment.name}: no approval policy is for them."
        return ApproverCheck(False, (), (_reason("POL_NO_GUARD", sentence),))
    known = _known(tenant_id, product)
    if known is not None and known.path is not None and environment not in along(order(tenant_id), known.path):
        sentence = (
            f"Releases of product {product} do not enter {environment.name}: it is not on the path of the product."
        )
        return ApproverCheck(False, (), (_reason("PROM_NOT_ON_PATH", sentence),))
    named = {each.id: each for each in guards}
    named[policy.id] = policy
    digests = [each.current.digest for each in sorted(named.values(), key=lambda each: each.name) if each.current]
    texts = existing_documents(tenant_id, digests)
    rules = [texts[digest] for digest in digests]
    duties = eligibility.duties_in_force(environment.require_separation_of_duties, rules)
    owned = _owned(known, product) if any(requirements.asks_owners(each) for each in rules) else None
    guarding_policies = [each.id for each in named.values()]
    edits = editors(environment, guarding_policies, known, of_owners=owned is not None, since=at)
    excluded, vouching = _excluded(members, environment, requester_id, edits, duties, at)

    required = requirements.all_of(environment.required_approvals, rules, owned.owner_teams if owned else ())
    checked = requirements.check(
        required, people.voters(members, product=product, at=at, excluded=excluded, vouching=vouching)
    )
    by_name = {each.username: each for each in members}
    return ApproverCheck(
        satisfiable=checked.satisfiable,
        sets=tuple(tuple(by_name[name] for name in each) for each in checked.minimal_sets),
        reasons=(
            *(_reason("APPROVAL_UNSATISFIABLE", each.sentence) for each in checked.shortfalls),
            *_left_out(members, required, product, excluded, vouching, at),
            *_unknown_here(duties),
        )[:MOST_REASONS],
    )


def _excluded(
    members: Sequence[people.Person],
    environment: Environment,
    requester_id: UUID,
    edits: Iterable[Origin],
    duties: frozenset[str],
    at: datetime,
) -> tuple[Mapping[str, list[str]], Vouching]:
    """The people who could not vote on this person's request, by id, with the reasons, and the grants that count, as
    for a promotion."""
    tenant_id = environment.tenant_id
    if requester_id not in {each.id for each in members} and not _is_service(requester_id, tenant_id):
        raise Http404("No such requester.")
    parts = Involvements()
    parts.add_origin(eligibility.REQUESTER, Origin(requester_id, None, at))
    if eligibility.POLICY_EDITOR in duties:
        parts.add_editors(edits)
    excluded = excluded_by(duties, parts, tenant_id=tenant_id, since=at, until=at)
    edited = parts.settings_edited_at(excluded)
    snapshot = {"excludedPersons": excluded, "settingsEditedAt": edited}
    barred = eligibility.discounted_granters(snapshot)
    return exclusions(snapshot), people.vouching_in(tenant_id, barred)


def only_product(tenant_id: UUID) -> str | None:
    """The slug of the one product of the tenant that takes requests; None where there are several. One statement."""
    live = Product.objects.filter(tenant_id=tenant_id, archived_at=None).values_list("slug", flat=True)[:2]
    return live[0] if len(live) == 1 else None


def _owned(known: KnownProduct | None, slug: str | None) -> KnownProduct:
    if slug is None:
        raise _product_needed("A rule is for the owners of the product: name the product.")
    if known is None:
        message = f"There is no product {slug}, or it is archived: correct the name."
        raise ProductNeeded(message, fields=[FieldError("product", message, "invalid")])
    return known


def _known(tenant_id: UUID, slug: str | None) -> KnownProduct | None:
    product = Product.objects.filter(tenant_id=tenant_id, slug=slug, archived_at=None).first()
    if product is None:
        return None
    return KnownProduct(product.pk, product.slug, product.version, product.owner_teams, None, product.path)


def _product_needed(message: str) -> ProductNeeded:
    return ProductNeeded(message, fields=[FieldError("product", message, "required")])


def _is_service(user_id: UUID, tenant_id: UUID) -> bool:
    return ServiceAccount.objects.filter(tenant_id=tenant_id, user_id=user_id).exists()


def _left_out(
    members: Iterable[people.Person],
    required: Sequence[requirements.Requirement],
    product: str | None,
    excluded: Mapping[str, Sequence[str]],
    vouching: Vouching,
    at: datetime,
) -> Iterable[dict[str, str | None]]:
    """Members who vote, or whom a rule names, and who could not approve this one."""
    for each in members:
        verdict = each.eligibility(product=product, at=at, excluded=excluded, vouching=vouching)
        teams = [grant.name for grant in each.teams]
        meant = any(rule.admits(each.username, teams) for one in required for rule in one.rules if not rule.everyone)
        votes = any(grant.name in people.VOTING_ROLES for grant in each.roles)
        if verdict.exclusion is not None and (votes or meant):
            why = eligibility.SENTENCES[verdict.exclusion]
            yield _reason(verdict.exclusion, f"{each.display_name} ({each.username}) {why}.", each.username)


def _unknown_here(duties: frozenset[str]) -> Iterable[dict[str, str | None]]:
    """The facts that only a real promotion has."""
    for code, whom in (
        (eligibility.RELEASE_CREATOR, "The person who created the release"),
        (eligibility.COMMIT_AUTHOR, "Commit authors of the release"),
    ):
        if code in duties:
            yield _reason(code, f"{whom} cannot approve it either.")


def _reason(code: str, message: str, username: str | None = None) -> dict[str, str | None]:
    return {"code": code, "message": message, "username": username}
