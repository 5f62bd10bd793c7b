"""The members of a tenant as rules see them: who could fill a place now (domain.md §5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from policies.eligibility import Grant, Standing, standing
from stellapromote.accounts.models import Membership, RoleGrant, Team, TeamGrant
from stellapromote.accounts.scopes import PROMOTION_APPROVE, ROLES

VOTING_ROLES: Final = frozenset(role for role, scopes in ROLES.items() if PROMOTION_APPROVE in scopes)


@dataclass(slots=True)
class Person:
    """A live member with their live grants."""

    id: UUID
    username: str
    display_name: str
    active: bool
    roles: list[Grant] = field(default_factory=list)
    teams: list[Grant] = field(default_factory=list)

    def standing(self, *, at: datetime, excluded: Mapping[str, Sequence[str]]) -> Standing:
        """Whether they could vote on what is requested at `at`. `excluded` maps a person's id to why."""
        return standing(
            person_id=str(self.id),
            kind="person",
            active=self.active,
            roles=self.roles,
            teams=self.teams,
            voting_roles=VOTING_ROLES,
            requested_at=at,
            excluded=excluded,
        )


def members(tenant_id: UUID) -> list[Person]:
    """Everybody who is a member now, by username. Cost: three statements, however many they are."""
    rows = Membership.objects.filter(tenant_id=tenant_id, ended_at=None, user__kind="person").order_by("user__username")
    found = {
        row["user_id"]: Person(row["user_id"], row["user__username"], row["user__display_name"], row["user__is_active"])
        for row in rows.values("user_id", "user__username", "user__display_name", "user__is_active")
    }
    roles = RoleGrant.objects.filter(tenant_id=tenant_id, ended_at=None)
    teams = TeamGrant.objects.filter(tenant_id=tenant_id, ended_at=None)
    how = ("granted_at", "granted_by_id", "granted_behind")
    for user_id, *grant in roles.values_list("user_id", "role", *how):
        if user_id in found:
            found[user_id].roles.append(_grant(*grant))
    for user_id, *grant in teams.values_list("user_id", "team__slug", *how):
        if user_id in found:
            found[user_id].teams.append(_grant(*grant))
    return list(found.values())


def voters(
    people: Iterable[Person], *, at: datetime, excluded: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Username → teams that count, of those who could vote on what is requested at `at`."""
    found = {}
    for person in people:
        verdict = person.standing(at=at, excluded=excluded or {})
        if verdict.exclusion is None:
            found[person.username] = verdict.teams
    return found


def team_slugs(tenant_id: UUID) -> frozenset[str]:
    """The teams that there are."""
    return frozenset(Team.objects.filter(tenant_id=tenant_id).values_list("slug", flat=True))


def _grant(name: str, granted_at: datetime, granted_by: UUID | None, behind: Iterable[UUID]) -> Grant:
    return Grant(name, granted_at, None if granted_by is None else str(granted_by), frozenset(map(str, behind)))
