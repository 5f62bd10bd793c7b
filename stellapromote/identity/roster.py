"""The members of a tenant with their rights, for pages: a constant number of queries."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.http import Http404
from django.shortcuts import get_object_or_404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import (
    ApiToken,
    Confirmable,
    HeldAccount,
    Membership,
    RoleGrant,
    ScopeGrant,
    ServiceAccount,
    ServiceOwner,
    SignInSettings,
    Team,
    TeamGrant,
    User,
)
from stellapromote.accounts.scopes import ROLE_SENTENCES, TENANT_ADMIN


@dataclass(slots=True)
class Member:
    membership: Membership
    roles: list[RoleGrant] = field(default_factory=list)
    teams: list[TeamGrant] = field(default_factory=list)
    scopes: list[ScopeGrant] = field(default_factory=list)
    held: list[HeldAccount] = field(default_factory=list)
    """Why the account may be in other hands; empty for one that is not, or was confirmed here."""
    holders: list[str] = field(default_factory=list)
    """The usernames of these people, as far as they are or were members here."""

    @property
    def mailbox(self) -> str:
        """The verified address of a held account that an invitation of this tenant made: part of what is confirmed."""
        is_ours = any(each.because == HeldAccount.Because.INVITATION for each in self.held)
        return self.user.email if is_ours else ""

    @property
    def user(self) -> User:
        return self.membership.user

    @property
    def grants(self) -> list[Confirmable]:
        """Roles, teams and rights by name."""
        return [*self.roles, *self.teams, *self.scopes]

    @property
    def role_names(self) -> list[str]:
        return [grant.name for grant in self.roles]

    @property
    def role_labels(self) -> list[str]:
        """The roles, each with the products for which alone it counts."""
        return [grant.label for grant in self.roles]

    @property
    def team_slugs(self) -> list[str]:
        return [grant.team.slug for grant in self.teams]


@dataclass(frozen=True, slots=True)
class RoleHolders:
    """One role in a sentence, and the people who hold it now."""

    role: str
    sentence: str
    people: list[User]


@dataclass(slots=True)
class OwnedService:
    service: ServiceAccount
    owners: list[ServiceOwner] = field(default_factory=list)


def members_of(tenant_id: UUID, user_id: UUID | None = None) -> list[Member]:
    """The live members by username with their live roles, teams and rights by name, or one of them. Four queries."""
    memberships = live_memberships(tenant_id).order_by("user__username")
    return with_grants(memberships if user_id is None else memberships.filter(user_id=user_id))


def member_of(tenant_id: UUID, user_id: UUID) -> Member:
    """One of them. Http404."""
    for member in members_of(tenant_id, user_id):
        return member
    raise Http404("No such member of this tenant.")


def live_memberships(tenant_id: UUID) -> QuerySet[Membership]:
    """Of the tenant, with the `username` of each, and whether its account may be in other hands (`is_held`)."""
    live = Membership.objects.filter(tenant_id=tenant_id, ended_at=None)
    held = HeldAccount.objects.filter(tenant_id=tenant_id, user_id=OuterRef("user_id"), confirmed_at=None)
    return live.select_related("user", "granted_by").annotate(username=F("user__username"), is_held=Exists(held))


def with_grants(memberships: Iterable[Any]) -> list[Member]:
    """The members, in this order, with their live roles, teams and rights by name. All of one tenant, from
    live_memberships; three queries, five where an account is held."""
    memberships = list(memberships)
    members = {membership.user_id: Member(membership) for membership in memberships}
    if not members:
        return []
    tenant_id = next(iter(members.values())).membership.tenant_id
    live: dict[str, Any] = {"tenant_id": tenant_id, "user_id__in": list(members), "ended_at": None}
    for role in RoleGrant.objects.filter(**live).select_related("granted_by", "confirmed_by").order_by("role"):
        members[role.user_id].roles.append(role)
    teams = TeamGrant.objects.filter(**live).select_related("team", "granted_by", "confirmed_by")
    for team in teams.order_by("team__slug"):
        members[team.user_id].teams.append(team)
    for scope in ScopeGrant.objects.filter(**live).select_related("granted_by", "confirmed_by").order_by("scope"):
        members[scope.user_id].scopes.append(scope)
    if any(membership.is_held for membership in memberships):
        _add_held(tenant_id, members)
    return list(members.values())


def _add_held(tenant_id: UUID, members: dict[UUID, Member]) -> None:
    rows = HeldAccount.objects.filter(tenant_id=tenant_id, user_id__in=list(members), confirmed_at=None)
    held = list(rows.order_by("held_at", "pk"))
    wanted = {holder for each in held for holder in each.holders}
    known = Membership.objects.filter(tenant_id=tenant_id, user_id__in=wanted)
    names = dict(known.values_list("user_id", "user__username"))
    for each in held:
        members[each.user_id].held.append(each)
    for member in members.values():
        holders = {holder for each in member.held for holder in each.holders}
        member.holders = sorted(names[each] for each in holders if each in names)


def role_holders(members: list[Member]) -> list[RoleHolders]:
    holders: dict[str, list[User]] = defaultdict(list)
    for member in members:
        for role in member.role_names:
            holders[role].append(member.user)
    return [RoleHolders(role, sentence, holders[role]) for role, sentence in ROLE_SENTENCES.items()]


def teams_of(tenant_id: UUID) -> QuerySet[Team]:
    """Of the tenant, each with the number of its `people`."""
    return Team.objects.filter(tenant_id=tenant_id).annotate(people=Count("grants", filter=Q(grants__ended_at=None)))


def team_of(tenant_id: UUID, slug: str) -> Team:
    """The team with this slug. Http404."""
    return get_object_or_404(Team, tenant_id=tenant_id, slug=slug)


def member_called(tenant_id: UUID, username: str) -> User:
    """The member with this username, of now. Http404."""
    return get_object_or_404(live_memberships(tenant_id), user__username=username).user


def grants_of_team(team: Team) -> QuerySet[TeamGrant]:
    """Who is in the team now, by username."""
    grants = TeamGrant.objects.filter(team=team, ended_at=None).order_by("user__username")
    return grants.select_related("user", "team", "granted_by", "confirmed_by")


def tokens_of(tenant_id: UUID, user_id: UUID) -> QuerySet[ApiToken]:
    """All tokens that act for the account in the tenant, newest first; never their secrets."""
    tokens = ApiToken.objects.filter(tenant_id=tenant_id, user_id=user_id).defer("secret_digest")
    return tokens.select_related("issuer", "revoked_by").order_by("-created_at", "-id")


def tokens_in_use_first(tenant_id: UUID, user_id: UUID, now: datetime) -> QuerySet[ApiToken]:
    """All tokens that act for the account in the tenant: those that are neither revoked nor expired, then the others,
    each newest first."""
    is_over = Case(When(revoked_at=None, expires_at__gt=now, then=Value(0)), default=Value(1))
    return tokens_of(tenant_id, user_id).order_by(is_over, "-created_at", "-id")


def sign_in_settings_of(tenant_id: UUID) -> SignInSettings:
    """The settings of the tenant; a row that is not stored where it has never changed them."""
    found = SignInSettings.objects.filter(tenant_id=tenant_id).first()
    return found or SignInSettings(tenant_id=tenant_id)


def services_seen_by(by: Actor) -> QuerySet[ServiceAccount]:
    """All services of the tenant for an administrator, for others those that they own."""
    services = ServiceAccount.objects.filter(tenant_id=by.tenant).select_related("user")
    if by.has(TENANT_ADMIN):
        return services
    return services.filter(owners__owner_id=by.account, owners__ended_at=None)


def with_owners(services: Iterable[ServiceAccount]) -> list[OwnedService]:
    """The services, in this order, with their owners of now by username. One query."""
    found = {service.pk: OwnedService(service) for service in services}
    grants = ServiceOwner.objects.filter(service__in=list(found), ended_at=None).select_related("owner")
    for grant in grants.order_by("owner__username"):
        found[grant.service_id].owners.append(grant)
    return list(found.values())


def owners_of(service: ServiceAccount) -> list[ServiceOwner]:
    """Its owners of now, by username. One query."""
    return with_owners([service])[0].owners
