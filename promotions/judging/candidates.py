"""The people who could vote on a promotion, from the facts that one statement read: pure."""

from collections.abc import Mapping
from typing import Any, Final

from policies.eligibility import ACCOUNT_ACTED, Grant, discounted_granters, eligibility_of
from policies.facts import Candidate, exclusions
from policies.people import VOTING_ROLES
from policies.vouching import Confirmation, Source, Vouching
from promotions.judging.held_accounts import (
    FIRST,
    Act,
    Confirmed,
    Held,
    after_another,
    excluded_with,
    held_at,
)
from promotions.models import Promotion
from stellapromote.accounts.alike import alike
from stellapromote.accounts.scopes import PROMOTION_APPROVE, is_limited, role_of, roles_with
from stellapromote.clock import parse_rfc3339, rfc3339

APPROVING_ROLES: Final = roles_with(PROMOTION_APPROVE)
"""The names under which grants store the roles that vote."""


def candidates_in(
    row: dict[str, Any], requirements: dict[str, Any], promotion: Promotion, held: Held, confirmed: Confirmed
) -> tuple[list[Candidate], frozenset[str]]:
    """The people who hold a voting role now, with the roles and teams that count for this promotion (domain.md §5); and
    `may_act` of ``promotions.judging.facts.Facts``. ``row``: what the statement of the facts read."""
    excluded = excluded_with(held, exclusions(requirements), str(promotion.requested_by_id))
    barred = {**dict.fromkeys(excluded), **discounted_granters(requirements)}
    after = after_another(held, acts_in(row), confirmed)
    ever = held_at(FIRST, held, confirmed)
    authorities = {key: _parsed_source(source) for key, source in row["authorities"].items()}
    vouching = Vouching.of(barred, authorities)
    found: list[Candidate] = []
    may_act: set[str] = set()
    for person in row["people"]:
        others = alike(held, [person["id"]])
        verdict = eligibility_of(
            person_id=person["id"],
            kind=person["kind"],
            active=True,
            roles=_roles(person),
            teams=_teams(person),
            voting_roles=VOTING_ROLES,
            product=promotion.product,
            requested_at=promotion.requested_at,
            excluded=excluded,
            vouching=vouching,
            alike=others,
        )
        is_after = verdict.exclusion is None and person["id"] in after
        if verdict.exclusion is None and alike(ever, [person["id"]]):
            may_act.add(person["id"])
        found.append(
            {
                "id": person["id"],
                "username": person["username"],
                "roles": list(verdict.roles),
                "teams": list(verdict.teams),
                "grantedAt": None if verdict.granted_at is None else rfc3339(verdict.granted_at),
                "exclusion": ACCOUNT_ACTED if is_after else verdict.exclusion,
            }
        )
    return found, frozenset(may_act)


def acts_in(row: Mapping[str, Any]) -> list[Act]:
    """Live approvals and confirmations, and overrides. A reject counts beside any other act."""
    approvals = [each for each in row["votes"] if each["verdict"] == "approve"]
    acts = [Act(each["at"], each["id"], each["voterId"]) for each in (*approvals, *row["confirmations"])]
    return [*acts, *(Act(FIRST, each["id"], each["actorId"]) for each in row["overrides"])]


def roles_for(person: Mapping[str, Any], product: str) -> list[str]:
    """The roles that a person among the facts holds for the product, counting or not."""
    return sorted({grant.name for grant in _roles(person) if grant.is_for(product)})


def teams_of(person: Mapping[str, Any]) -> list[str]:
    """The teams of a person among the facts, counting or not."""
    return sorted(name for name, _, _ in person["teams"])


def holds_vote(person: Mapping[str, Any], product: str) -> bool:
    """Whether a person among the facts holds a role that votes for the product, counting or not."""
    return not VOTING_ROLES.isdisjoint(roles_for(person, product))


def _roles(person: Mapping[str, Any]) -> list[Grant]:
    return [
        Grant(role_of(name), parse_rfc3339(at), _parsed_source(source), products if is_limited(name) else None)
        for name, at, source, products in person["roles"]
    ]


def _teams(person: Mapping[str, Any]) -> list[Grant]:
    return [Grant(name, parse_rfc3339(at), _parsed_source(source)) for name, at, source in person["teams"]]


def _parsed_source(row: list[Any] | None) -> Source | None:
    if row is None:
        return None
    givers, at, under, confirmed_at, confirmed_by, confirmed_under = row
    confirmation = None
    if confirmed_at is not None:
        confirmation = Confirmation(confirmed_by, parse_rfc3339(confirmed_at), confirmed_under)
    return Source(frozenset(givers), parse_rfc3339(at), under, confirmation)
