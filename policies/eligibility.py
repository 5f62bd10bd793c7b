"""The right of one person to vote on one promotion, and the teams that count: facts in, one code or none out
(domain.md §5)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from policies.facts import ExcludedPerson, GateInput, exclusions
from policies.vouching import Source, Vouching
from stellapromote.clock import parse_rfc3339

# Reasons of an exclusion by weight: the first that applies is the candidate's code.
REQUESTER: Final = "REQUESTER"
SERVICE_OWNER: Final = "SERVICE_OWNER"
TOKEN_ISSUER: Final = "TOKEN_ISSUER"  # noqa: S105  a code, not a credential
RELEASE_CREATOR: Final = "RELEASE_CREATOR"
COMMIT_AUTHOR: Final = "COMMIT_AUTHOR"
POLICY_EDITOR: Final = "POLICY_EDITOR"
DEPLOYER: Final = "DEPLOYER"
ACCOUNT_RESET_BY: Final = "ACCOUNT_RESET_BY"
ACCOUNT_ACTED: Final = "ACCOUNT_ACTED"
REASONS: Final = (
    REQUESTER,
    SERVICE_OWNER,
    TOKEN_ISSUER,
    RELEASE_CREATOR,
    COMMIT_AUTHOR,
    POLICY_EDITOR,
    DEPLOYER,
    ACCOUNT_RESET_BY,
    ACCOUNT_ACTED,
)

ALWAYS_EXCLUDED: Final = frozenset({REQUESTER, SERVICE_OWNER, TOKEN_ISSUER})
"""Reasons that hold under every setting."""

# Reasons against the vote of a person who is not excluded.
SERVICE_ACCOUNT: Final = "SERVICE_ACCOUNT"
NOT_ACTIVE: Final = "NOT_ACTIVE"
NO_VOTING_ROLE: Final = "NO_VOTING_ROLE"
OTHER_PRODUCT: Final = "OTHER_PRODUCT"
ROLE_GRANTED_AFTER_REQUEST: Final = "ROLE_GRANTED_AFTER_REQUEST"
ROLE_GRANTED_BY_SELF: Final = "ROLE_GRANTED_BY_SELF"
ROLE_GRANTED_BY_HOLDER: Final = "ROLE_GRANTED_BY_HOLDER"
ROLE_GRANTED_BY_EXCLUDED: Final = "ROLE_GRANTED_BY_EXCLUDED"

SENTENCES: Final[dict[str, str]] = {
    REQUESTER: "requested this promotion",
    SERVICE_OWNER: "owns the service account that acted here",
    TOKEN_ISSUER: "issued the token that was used here",
    RELEASE_CREATOR: "created the release",
    COMMIT_AUTHOR: "wrote commits of the release",
    POLICY_EDITOR: "edited a policy or setting that guards this promotion",
    DEPLOYER: "deployed the release before",
    ACCOUNT_RESET_BY: (
        "may be the same person as somebody excluded here, by a one-time link; another person can confirm the account "
        "on Members"
    ),
    ACCOUNT_ACTED: (
        "may be the same person as somebody who decided here, by a one-time link; another person can confirm the "
        "account on Members"
    ),
    SERVICE_ACCOUNT: "is a service account, and those never vote",
    NOT_ACTIVE: "is not an active member",
    NO_VOTING_ROLE: "has no role that votes",
    OTHER_PRODUCT: "has the role for other products",
    ROLE_GRANTED_AFTER_REQUEST: "got the role after the request",
    ROLE_GRANTED_BY_SELF: "has the role from themselves",
    ROLE_GRANTED_BY_HOLDER: (
        "has the role from somebody who may be the same person, by a one-time link; another person can confirm the "
        "account on Members"
    ),
    ROLE_GRANTED_BY_EXCLUDED: "has the role from somebody excluded here; another person can confirm it on Members",
}
"""Each code in words, to stand after a person's name."""

_BY_DUTY: Final = {
    "excludeReleaseCreator": RELEASE_CREATOR,
    "excludeCommitAuthors": COMMIT_AUTHOR,
    "excludePolicyEditor": POLICY_EDITOR,
    "excludeDeployer": DEPLOYER,
}


class Grant(NamedTuple):
    """A live grant of one role or team. `source`: None for the command line and directories. `products`: those for
    which it counts; None: all of them."""

    name: str
    granted_at: datetime
    source: Source | None = None
    products: Collection[str] | None = None

    def is_for(self, product: str | None) -> bool:
        """Whether it counts for the product."""
        return self.products is None or product in self.products


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The right of a person to vote here. `exclusion`: the code against it; None: may vote. `roles` and `teams`: those
    that count, sorted."""

    exclusion: str | None
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    granted_at: datetime | None


def eligibility_of(
    *,
    person_id: str,
    kind: Literal["person", "service"],
    active: bool,
    roles: Sequence[Grant],
    teams: Sequence[Grant],
    voting_roles: Collection[str],
    product: str | None,
    requested_at: datetime,
    excluded: Mapping[str, Sequence[str]],
    vouching: Vouching,
    alike: Collection[str] = (),
) -> Eligibility:
    """The right of the person to vote on a promotion of `product` requested at `requested_at`, with the roles and teams
    that count. `product` None: one that no grant names.

    `excluded`: the reasons by the id of each person excluded on this promotion. `vouching`: the people whose grants
    count here. `alike`: other accounts that may be of the same person (docs/adr/0234). A role or team does not count if
    it is for other products, or was granted after the request, by the person themselves, by one of those accounts, or
    only by excluded people.
    Service accounts never vote. `granted_at`: the grant of the voting role, also of one that does not count.
    """

    def fault(grant: Grant) -> str | None:
        if not grant.is_for(product):
            return OTHER_PRODUCT
        if grant.source is not None:
            if person_id in grant.source.givers:
                return ROLE_GRANTED_BY_SELF
            if not vouching.counts(grant.source):
                return ROLE_GRANTED_BY_EXCLUDED
            if not vouching.without(person_id).counts(grant.source):
                return ROLE_GRANTED_BY_SELF
            if alike and not vouching.without(person_id, *alike).counts(grant.source):
                return ROLE_GRANTED_BY_HOLDER
        return ROLE_GRANTED_AFTER_REQUEST if grant.granted_at > requested_at else None

    judged = [(grant, fault(grant)) for grant in roles]
    best, void = min(
        (each for each in judged if each[0].name in voting_roles),
        key=lambda each: (each[1] is not None, each[1] == OTHER_PRODUCT, each[0].granted_at, each[0].name),
        default=(None, NO_VOTING_ROLE),
    )
    if kind != "person":
        code: str | None = SERVICE_ACCOUNT
    elif person_id in excluded:
        code = main_reason(excluded[person_id])
    elif not active:
        code = NOT_ACTIVE
    else:
        code = void
    return Eligibility(
        exclusion=code,
        roles=tuple(sorted({grant.name for grant, void in judged if void is None})),
        teams=tuple(sorted({grant.name for grant in teams if fault(grant) is None})),
        granted_at=None if best is None else best.granted_at,
    )


def discounted_granters(requirements: Mapping[str, Any]) -> dict[str, datetime | None]:
    """The people whose grants do not count here, by id: every excluded person, and the instant from which it holds.

    It holds from the edit on for a person who only edited settings; None: at any time. `requirements`: the snapshot
    taken at request; one without the instant of an edit has None for its editors.
    """
    edited = requirements.get("settingsEditedAt", {})
    return {each: parse_rfc3339(edited[each]) if each in edited else None for each in exclusions(requirements)}


def main_reason(reasons: Iterable[str]) -> str:
    """The reason to show: the first in the order of REASONS, unknown ones last. REQUESTER without any."""
    order = {reason: index for index, reason in enumerate(REASONS)}
    return min(reasons, key=lambda reason: (order.get(reason, len(order)), reason), default=REQUESTER)


def duties_in_force(
    require_separation_of_duties: bool, approval_policies: Iterable[Mapping[str, Any]]
) -> frozenset[str]:
    """The reasons that exclude, beside those that always do: the union over the environment and its approval policies.

    requireSeparationOfDuties adds the release's creator also where no policy does (domain.md §5).
    """
    found = {RELEASE_CREATOR} if require_separation_of_duties else set()
    for document in approval_policies:
        found.update(_BY_DUTY[duty] for duty, on in document["separationOfDuties"].items() if on)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Involvement:
    """One person's part in a promotion, for which they may be excluded from deciding on it."""

    person_id: str
    username: str
    reason: str


def excluded_persons(parts: Iterable[Involvement], duties: Collection[str]) -> list[ExcludedPerson]:
    """Every excluded person with all reasons, in the order of ids, as stored at request (domain.md §5).

    The requester and the people behind the machine that acted are always excluded; other reasons exclude if they are
    among `duties`.
    """
    found: dict[str, tuple[str, set[str]]] = {}
    for part in parts:
        if part.reason in ALWAYS_EXCLUDED or part.reason in duties:
            found.setdefault(part.person_id, (part.username, set()))[1].add(part.reason)
    return [
        {"id": person_id, "username": found[person_id][0], "reasons": sorted(found[person_id][1])}
        for person_id in sorted(found)
    ]


def requesters_of(requesting: Iterable[str], excluded: Iterable[ExcludedPerson]) -> list[str]:
    """The people and accounts that made a request, sorted: `requesting` without people who only own the machine.

    A person can make another the owner of a machine, and must not take their reject from them by that.
    """
    reasons = {person["id"]: set(person["reasons"]) for person in excluded}
    only_owns = {each for each, why in reasons.items() if SERVICE_OWNER in why and not why & {REQUESTER, TOKEN_ISSUER}}
    return sorted(set(requesting) - only_owns)


def people_behind_request(facts: GateInput) -> frozenset[str]:
    """Ids of the requester and of the people and accounts behind the request: their reject does not count.

    An older input without `requestingPersons` does not separate them from the people behind the release: here it has
    both.
    """
    requesting = facts.get("requestingPersons")
    if requesting is None:
        excluded = facts["requirements"]["excludedPersons"]
        requesting = [person["id"] for person in excluded if not ALWAYS_EXCLUDED.isdisjoint(person["reasons"])]
    return frozenset({facts["promotion"]["requestedById"], *requesting})
