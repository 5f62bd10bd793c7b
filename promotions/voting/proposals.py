"""The rules for confirming or withdrawing a proposal: `check_x` raises the refusal (domain.md §5, loosening takes two
people)."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import orjson

from environments.models import Environment
from environments.product_guards import guarding, products_named
from policies import people
from policies.models import Proposal
from policies.requirements import Requirement, all_of
from policies.second_person import is_vouched_for
from promotions.voting.rules import MachinesDoNotVote, SeparationOfDuties, StateForbids
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.held_accounts import accounts_alike
from stellapromote.accounts.models import Product, User
from stellapromote.accounts.scopes import POLICY_PUBLISH, PROMOTION_APPROVE, TENANT_ADMIN
from stellapromote.accounts.second_factor import check_second_factor
from stellapromote.errors import Refused

ADMINISTERING = (TENANT_ADMIN, POLICY_PUBLISH)


class NotVouchedFor(Refused):
    """The author alone could have made this account, so it is no second person."""

    code = "PERM_NOT_VOUCHED_FOR"


def check_open(proposal: Proposal) -> None:
    """Raises StateForbids."""
    if proposal.state != Proposal.State.OPEN:
        raise StateForbids(f"This proposal is {proposal.state} and changes no more.")


def check_can_confirm(by: Actor, proposal: Proposal, at: datetime) -> None:
    """The second person is vouched for, has no part in the proposal, and administers or could approve where it loosens.

    The platform owner's command may always. Raises StateForbids, MachinesDoNotVote, SeparationOfDuties, Refused,
    NotVouchedFor, SecondFactorRequired.
    """
    check_open(proposal)
    if by.auth_method == "command":
        return
    if by.kind != "person":
        raise MachinesDoNotVote("Service accounts cannot confirm a proposal: ask a person who did not propose it.")
    by.require_in_person()
    authors = {proposal.proposed_by_id, *proposal.behind}
    authors |= accounts_alike(by.tenant, authors)
    if not accounts_behind(by).isdisjoint(authors):
        raise SeparationOfDuties(
            f"{_part_of(by, proposal)}, so somebody else must confirm it.", details={"reasons": ["PROPOSED_BY"]}
        )
    if by.has(TENANT_ADMIN) or by.has(POLICY_PUBLISH):
        vouched = is_vouched_for(by, *ADMINISTERING, against=authors)
    else:
        by.require_everywhere(*ADMINISTERING, PROMOTION_APPROVE)
        owners = _owners_in_force(proposal)
        for environment in _guarded(proposal):
            _check_could_approve(by, environment, owners, authors, at)
        vouched = is_vouched_for(by, PROMOTION_APPROVE, against=authors)
    if not vouched:
        raise NotVouchedFor(
            "You have your role from the author of this, or nobody confirmed your account yet. Ask another person to "
            "confirm the grant or the account on Members, then confirm this."
        )
    check_second_factor(by, at)


def _part_of(by: Actor, proposal: Proposal) -> str:
    """The part that this person has in the proposal, in a sentence. One statement, where they did not propose it."""
    if proposal.proposed_by_id == by.user_id:
        return "You proposed this"
    if User.objects.filter(pk=proposal.proposed_by_id, kind=User.Kind.SERVICE).exists():
        return "You stand behind the machine that proposed this, or alone made a person who does"
    # Those who wrote the draft of the published text, and those who alone made one of the authors (docs/adr/0184).
    return f"You wrote a part of this, or {proposal.proposed_by_username} has a role that rests on you alone"


def check_can_withdraw(by: Actor, proposal: Proposal) -> None:
    """Its author takes it back; an administrator turns it down. Raises StateForbids, Refused."""
    check_open(proposal)
    if proposal.proposed_by_id not in accounts_behind(by):
        by.require(*ADMINISTERING)


def _guarded(proposal: Proposal) -> Iterable[Environment]:
    environments = Environment.objects.of(proposal.tenant_id).filter(name__in=proposal.guards)
    return environments.prefetch_related("approval_policy_links__policy__current")


def _owners_in_force(proposal: Proposal) -> list[str]:
    """The owner teams of the product that the proposal edits: of any other edit nobody confirms as an owner."""
    if proposal.resource != "product":
        return []
    product = Product.objects.filter(tenant_id=proposal.tenant_id, slug=proposal.name).first()
    return [] if product is None else product.owner_teams


def _check_could_approve(
    by: Actor, environment: Environment, owners: Iterable[str], authors: Iterable[UUID], at: datetime
) -> None:
    """Whether a place that the environment asks to be filled could be theirs, for each product that its policies name
    and for the others: somebody whom one product asks loosens nothing for another. ``owners``: the teams of @owners."""
    vouching = people.vouching_in(by.tenant, dict.fromkeys(map(str, authors)))
    teams = people.voters(people.members(by.tenant), product=None, at=at, vouching=vouching).get(by.username)
    could = [
        any(requirement.abilities(by.username, teams or ()) for requirement in asked)
        for asked in _asked_of_products(environment, owners)
    ]
    if teams is None or not could or not all(could):
        raise Refused(
            f"You could not approve a promotion into {environment.name}, so you do not confirm what loosens it: ask an "
            "administrator, or somebody whom its approval policies name.",
            code="PERM_DENIED",
        )


def _asked_of_products(environment: Environment, owners: Iterable[str]) -> Iterable[tuple[Requirement, ...]]:
    """What each product that its policies name needs, and the others, without those that need nothing or are
    refused."""
    entries = [(policy.current, products) for policy, products in environment.entries if policy.current]
    texts = {version: orjson.loads(version.canonical) for version, _ in entries}
    for product in (*products_named(entries), None):
        held = guarding(entries, environment.other_products, product)
        asked = all_of(environment.required_approvals, [texts[version] for version in held or ()], owners)
        if held is not None and asked:
            yield asked
