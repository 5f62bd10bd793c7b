"""The one true reason why no open place can use a person's vote or confirmation (domain.md §5).

Asked only after a refusal, so it reads the person's grants then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from policies.eligibility import (
    ACCOUNT_ACTED,
    NO_VOTING_ROLE,
    NOT_ACTIVE,
    OTHER_PRODUCT,
    ROLE_GRANTED_AFTER_REQUEST,
    ROLE_GRANTED_BY_EXCLUDED,
    ROLE_GRANTED_BY_HOLDER,
    ROLE_GRANTED_BY_SELF,
    SENTENCES,
    Grant,
    eligibility_of,
)
from policies.matching import match
from policies.people import Person, member, vouching_in
from policies.requirements import Requirement, Rule
from policies.vouching import Barred, Vouching
from promotions.models import Override, Promotion
from promotions.voting.blindness import can_see_votes
from promotions.voting.held_accounts import exclusions_now, other_acted_first
from promotions.voting.rules import NotEligible, role_for_other_products
from stellapromote.accounts.actor import Actor

Approval = tuple[str, Sequence[str]]
"""Username and teams of a live approval."""

OVERRODE_HERE: Final = "OVERRODE_HERE"
QUORUM_FILLED: Final = "QUORUM_FILLED"
NOT_IN_A_MISSING_TEAM: Final = "NOT_IN_A_MISSING_TEAM"
NOT_NAMED: Final = "NOT_NAMED"
NO_OPEN_PLACE: Final = "NO_OPEN_PLACE"

_HIDDEN: Final = "Your vote fits none of the open places. Blind voting hides which places are open."
_LATER: Final = "it counts for promotions that are requested from then on."
_ROLE: Final = {
    NOT_ACTIVE: "You are no active member any more: ask an administrator of your tenant.",
    NO_VOTING_ROLE: "Your role that votes has ended: ask an administrator of your tenant.",
    ROLE_GRANTED_AFTER_REQUEST: f"Your role that votes was granted after this promotion was requested: {_LATER}",
    ROLE_GRANTED_BY_SELF: "You granted yourself the role that votes: it does not count.",
    ROLE_GRANTED_BY_HOLDER: (
        "You have the role that votes from somebody who made or reset this account: ask another person to confirm the "
        "account on Members."
    ),
    ROLE_GRANTED_BY_EXCLUDED: (
        "You have the role that votes from somebody excluded here: ask another person to confirm it on Members."
    ),
}
_TEAM: Final = {
    ROLE_GRANTED_AFTER_REQUEST: f"You joined the team {{team}} after this promotion was requested: {_LATER}",
    ROLE_GRANTED_BY_SELF: "You put yourself into the team {team}: it does not count.",
    ROLE_GRANTED_BY_HOLDER: (
        "Somebody who made or reset this account put you into the team {team}: ask another person to confirm the "
        "account on Members."
    ),
    ROLE_GRANTED_BY_EXCLUDED: (
        "A person who is excluded here put you into the team {team}: ask another person to confirm that on Members."
    ),
}


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a promotion, and the approvals that fill them."""

    promotion: Promotion
    exclusions: Mapping[str, list[str]]
    barred: Barred
    requirements: Sequence[Requirement]
    approvals: Sequence[Approval]

    def why_no_vote(self, by: Actor) -> NotEligible:
        """The reason why no open place can use an approval of ``by``. Nine statements."""
        person = self._person(by)
        if isinstance(person, NotEligible):
            return person
        missing = self._missing()
        if not missing:
            given = len(self.approvals)
            told = f"{given} approval{'' if given == 1 else 's'}" if given else "no approval is needed"
            return _refusal(QUORUM_FILLED, f"Every place of this promotion is filled: {told}. You may still reject.")
        if not can_see_votes(by, self.promotion, voted=False):
            return _refusal(NO_OPEN_PLACE, _HIDDEN)
        teams = sorted({team for rule in missing for team in rule.teams})
        late = self._late_team(by, person, teams)
        if late is not None:
            return late
        users = sorted({user for rule in missing for user in rule.users})
        return _refusal(
            NOT_IN_A_MISSING_TEAM,
            f"The open places are for {_named(teams, users)}, and you do not fill one.",
            missing={"teams": teams, "users": users},
        )

    def why_no_confirmation(self, by: Actor, rule: Rule) -> NotEligible:
        """The reason why ``by`` may not confirm a gate whose confirmers are ``rule``. Nine statements."""
        person = self._person(by)
        if isinstance(person, NotEligible):
            return person
        late = self._late_team(by, person, rule.teams)
        return late or _refusal(NOT_NAMED, "The policy names other people or teams to confirm this gate.")

    def _person(self, by: Actor) -> Person | NotEligible:
        """The person with what they were granted, or why none of it counts here."""
        if Override.objects.filter(promotion=self.promotion, actor_id=by.account).exists():
            return _refusal(OVERRODE_HERE, "You overrode a gate of this promotion, so somebody else must decide on it.")
        person = member(self.promotion.tenant_id, by.account)
        if person is None:
            return _refusal(NOT_ACTIVE, _ROLE[NOT_ACTIVE])
        excluded = exclusions_now(self.promotion, self.exclusions)
        code = person.eligibility(
            product=self.promotion.product,
            at=self.promotion.requested_at,
            excluded=excluded,
            vouching=self._vouching(excluded),
        ).exclusion
        if code is None:
            return self._after_another(by, person)
        if code == OTHER_PRODUCT:
            return _refusal(code, role_for_other_products(self.promotion.product))
        return _refusal(code, _ROLE.get(code) or f"Your vote does not count: {by.display_name} {SENTENCES[code]}.")

    def _after_another(self, by: Actor, person: Person) -> Person | NotEligible:
        """Another account, which may be of the same person, that decided here first; blind voting does not tell it."""
        if not other_acted_first(self.promotion, by.account):
            return person
        if can_see_votes(by, self.promotion, voted=False):
            return _refusal(ACCOUNT_ACTED, f"Your vote does not count: {by.display_name} {SENTENCES[ACCOUNT_ACTED]}.")
        return _refusal(NO_OPEN_PLACE, _HIDDEN)

    def _vouching(self, excluded: Mapping[str, list[str]]) -> Vouching:
        return vouching_in(self.promotion.tenant_id, {**dict.fromkeys(excluded), **self.barred})

    def _missing(self) -> list[Rule]:
        """The rules with a place that one more person could fill, be it after others have moved."""
        return [rule for requirement in self.requirements for rule in _open(requirement, self.approvals)]

    def _late_team(self, by: Actor, person: Person, teams: Collection[str]) -> NotEligible | None:
        return team_that_does_not_count(
            person.teams,
            teams,
            person_id=str(by.account),
            requested_at=self.promotion.requested_at,
            excluded=self.exclusions,
            vouching=self._vouching(self.exclusions),
            alike=person.alike,
        )


def team_that_does_not_count(
    grants: Iterable[Grant],
    teams: Collection[str],
    *,
    person_id: str,
    requested_at: datetime,
    excluded: Mapping[str, Sequence[str]],
    vouching: Vouching,
    alike: Collection[str] = (),
) -> NotEligible | None:
    """The reason why the first of ``teams`` that the person is in does not count here; None where each does, or there
    is none."""
    for grant in grants:
        if grant.name not in teams:
            continue
        # A grant of a team counts by the same rule as one of a role.
        code = eligibility_of(
            person_id=person_id,
            kind="person",
            active=True,
            roles=[grant],
            teams=(),
            voting_roles=[grant.name],
            product=None,
            requested_at=requested_at,
            excluded=excluded,
            vouching=vouching,
            alike=alike,
        ).exclusion
        if code is not None:
            told = _TEAM.get(code, "Your place in the team {team} does not count here.")
            return _refusal(code.replace("ROLE_", "TEAM_"), told.format(team=grant.name))
    return None


def _open(requirement: Requirement, approvals: Iterable[Approval]) -> list[Rule]:
    filled = match(requirement.places, [requirement.abilities(username, teams) for username, teams in approvals])
    return [requirement.rules[index] for index in sorted(filled.open_rules())]


def _named(teams: Sequence[str], users: Sequence[str]) -> str:
    parts = []
    if teams:
        parts.append(f"the team {teams[0]}" if len(teams) == 1 else f"one of the teams {', '.join(teams)}")
    return " or ".join([*parts, *users])


def _refusal(code: str, message: str, **details: Any) -> NotEligible:
    return NotEligible(message, details={"reasons": [code], **details})
