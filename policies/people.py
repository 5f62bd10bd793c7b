"""The members of a tenant as rules see them: who could fill a place now (domain.md §5)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from policies.eligibility import Eligibility, Grant, eligibility_of
from policies.vouching import Barred, Confirmation, Source, Vouching
from stellapromote.accounts.alike import alike
from stellapromote.accounts.held_accounts import held_in
from stellapromote.accounts.models import (
    Confirmable,
    GrantedVia,
    Membership,
    Product,
    RoleGrant,
    ScopeGrant,
    Team,
    TeamGrant,
)
from stellapromote.accounts.scopes import PROMOTION_APPROVE, role_of, roles_with
from stellapromote.accounts.vouching import GRANTING_ROLES

VOTING_ROLES: Final = frozenset(map(role_of, roles_with(PROMOTION_APPROVE)))

LimitedVotes = frozenset[tuple[UUID, str]]
"""Roles that vote and are limited to products: the person's id, and the role, of which a person has one grant."""


@dataclass(slots=True)
class Person:
    """A live member with their live grants. ``alike``: other accounts that may be theirs (docs/adr/0234)."""

    id: UUID
    username: str
    display_name: str
    active: bool
    roles: list[Grant] = field(default_factory=list)
    teams: list[Grant] = field(default_factory=list)
    alike: frozenset[str] = frozenset()

    def eligibility(
        self, *, product: str | None, at: datetime, excluded: Mapping[str, Sequence[str]], vouching: Vouching
    ) -> Eligibility:
        """Whether they could vote on what is requested at `at` of the product; with None, of one that no grant names.
        `excluded` maps a person's id to why; `vouching` says whose word counts there."""
        return eligibility_of(
            person_id=str(self.id),
            kind="person",
            active=self.active,
            roles=self.roles,
            teams=self.teams,
            voting_roles=VOTING_ROLES,
            product=product,
            requested_at=at,
            excluded=excluded,
            vouching=vouching,
            alike=self.alike,
        )


def member(tenant_id: UUID, user_id: UUID) -> Person | None:
    """One person, None for who is no member now. Cost: as of all."""
    return next(iter(_members(tenant_id, Q(tenant_id=tenant_id, user_id=user_id))), None)


def members(tenant_id: UUID) -> list[Person]:
    """The members of now, by username. Cost: four statements for all of them."""
    return _members(tenant_id, Q(tenant_id=tenant_id))


def _members(tenant_id: UUID, wanted: Q) -> list[Person]:
    rows = Membership.objects.filter(wanted, ended_at=None, user__kind="person").order_by("user__username")
    found = {
        row["user_id"]: Person(row["user_id"], row["user__username"], row["user__display_name"], row["user__is_active"])
        for row in rows.values("user_id", "user__username", "user__display_name", "user__is_active")
    }
    roles = RoleGrant.objects.filter(wanted, ended_at=None)
    teams = TeamGrant.objects.filter(wanted, ended_at=None)
    for role in roles:
        if role.user_id in found:
            found[role.user_id].roles.append(Grant(role.name, role.granted_at, source_of(role), role.limit))
    for team in teams.select_related("team"):
        if team.user_id in found:
            found[team.user_id].teams.append(Grant(team.team.slug, team.granted_at, source_of(team)))
    if held := held_in(tenant_id):
        for person in found.values():
            person.alike = frozenset(map(str, alike(held, [person.id])))
    return list(found.values())


def vouching_in(tenant_id: UUID, barred: Barred) -> Vouching:
    """The grants that count in the tenant where those by the people in `barred` do not. One statement."""
    known = Q(role__in=GRANTING_ROLES)
    for grants in (RoleGrant.objects, TeamGrant.objects, ScopeGrant.objects):
        known |= Q(pk__in=grants.filter(tenant_id=tenant_id, confirmed_under__isnull=False).values("confirmed_under"))
    authorities = RoleGrant.objects.filter(known, tenant_id=tenant_id)
    return Vouching.of(barred, {str(each.pk): source_of(each) for each in authorities})


def source_of(grant: Confirmable) -> Source | None:
    """Where a grant comes from; None for the command line and directories."""
    if grant.granted_via != GrantedVia.PAGE:
        return None
    confirmation = None
    if grant.confirmed_at is not None:
        confirmation = Confirmation(_text(grant.confirmed_by_id), grant.confirmed_at, _text(grant.confirmed_under_id))
    givers = frozenset(map(str, (grant.granted_by_id, *grant.granted_behind)))
    return Source(givers, grant.granted_at, _text(grant.granted_under_id), confirmation)


def voters(
    people: Iterable[Person],
    *,
    product: str | None,
    at: datetime,
    vouching: Vouching,
    excluded: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Username → teams that count, of the people who could vote on a request of the product made at `at`; with None, of
    a product that no grant names."""
    found = {}
    for person in people:
        verdict = person.eligibility(product=product, at=at, excluded=excluded or {}, vouching=vouching)
        if verdict.exclusion is None:
            found[person.username] = verdict.teams
    return found


def products_of_votes(people: Iterable[Person]) -> Mapping[str, LimitedVotes]:
    """The products to which a voting role of these people is limited, each with these roles."""
    found: dict[str, set[tuple[UUID, str]]] = {}
    for person in people:
        for grant in person.roles:
            if grant.name in VOTING_ROLES:
                for product in grant.products or ():
                    found.setdefault(product, set()).add((person.id, grant.name))
    return {product: frozenset(votes) for product, votes in found.items()}


def open_products(tenant_id: UUID, slugs: Collection[str]) -> list[str]:
    """Those of these products that take requests. One statement, where there are any."""
    if not slugs:
        return []
    found = Product.objects.filter(tenant_id=tenant_id, slug__in=slugs, archived_at=None)
    return list(found.order_by("slug").values_list("slug", flat=True))


def lock_teams(tenant_id: UUID, slugs: Iterable[str]) -> frozenset[str]:
    """Those of these teams that there are. None of them is deleted before this transaction ends."""
    teams = Team.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, slug__in=set(slugs))
    return frozenset(teams.order_by("slug").values_list("slug", flat=True))


def _text(key: UUID | None) -> str | None:
    return None if key is None else str(key)
