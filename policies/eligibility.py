"""Who may vote on one promotion, and with which teams: facts about a person in, one code or none out (domain.md §5)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from policies.facts import ExcludedPerson, GateInput, exclusions
from policies.vouching import Source, Vouching
from stellapromote.clock import parse_rfc3339

# Why somebody is excluded, weightiest first: the first that applies is the candidate's code.
REQUESTER: Final = "REQUESTER"
SERVICE_OWNER: Final = "SERVICE_OWNER"
TOKEN_ISSUER: Final = "TOKEN_ISSUER"  # noqa: S105  a code, not a credential
RELEASE_CREATOR: Final = "RELEASE_CREATOR"
COMMIT_AUTHOR: Final = "COMMIT_AUTHOR"
POLICY_EDITOR: Final = "POLICY_EDITOR"
DEPLOYER: Final = "DEPLOYER"
REASONS: Final = (
    REQUESTER,
    SERVICE_OWNER,
    TOKEN_ISSUER,
    RELEASE_CREATOR,
    COMMIT_AUTHOR,
    POLICY_EDITOR,
    DEPLOYER,
)

ALWAYS_EXCLUDED: Final = frozenset({REQUESTER, SERVICE_OWNER, TOKEN_ISSUER})
"""Of these reasons no setting decides."""

# Why somebody who is not excluded may still not vote.
SERVICE_ACCOUNT: Final = "SERVICE_ACCOUNT"
NOT_ACTIVE: Final = "NOT_ACTIVE"
NO_VOTING_ROLE: Final = "NO_VOTING_ROLE"
ROLE_GRANTED_AFTER_REQUEST: Final = "ROLE_GRANTED_AFTER_REQUEST"
ROLE_GRANTED_BY_SELF: Final = "ROLE_GRANTED_BY_SELF"
ROLE_GRANTED_BY_EXCLUDED: Final = "ROLE_GRANTED_BY_EXCLUDED"

SENTENCES: Final[dict[str, str]] = {
    REQUESTER: "requested this promotion",
    SERVICE_OWNER: "owns the service account that acted here",
    TOKEN_ISSUER: "issued the token that was used here",
    RELEASE_CREATOR: "created the release",
    COMMIT_AUTHOR: "wrote commits of the release",
    POLICY_EDITOR: "edited a policy or setting that guards this promotion",
    DEPLOYER: "deployed the release before",
    SERVICE_ACCOUNT: "is a service account, and those never vote",
    NOT_ACTIVE: "is not an active member",
    NO_VOTING_ROLE: "has no role that votes",
    ROLE_GRANTED_AFTER_REQUEST: "got the role after the request",
    ROLE_GRANTED_BY_SELF: "has the role from themselves",
    ROLE_GRANTED_BY_EXCLUDED: "has the role from somebody excluded here; another person can confirm it on Members",
}
"""What each code says after a person's name."""

_BY_DUTY: Final = {
    "excludeReleaseCreator": RELEASE_CREATOR,
    "excludeCommitAuthors": COMMIT_AUTHOR,
    "excludePolicyEditor": POLICY_EDITOR,
    "excludeDeployer": DEPLOYER,
}


class Grant(NamedTuple):
    """A live grant of one role or team. `source`: None for the command line and directories."""

    name: str
    granted_at: datetime
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person may do here. `exclusion` None: may vote; the roles and teams are those that count, sorted."""

    exclusion: str | None
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    granted_at: datetime | None


def standing(
    *,
    person_id: str,
    kind: Literal["person", "service"],
    active: bool,
    roles: Sequence[Grant],
    teams: Sequence[Grant],
    voting_roles: Collection[str],
    requested_at: datetime,
    excluded: Mapping[str, Sequence[str]],
    vouching: Vouching,
) -> Standing:
    """Whether the person may vote on a promotion requested at `requested_at`, and what counts.

    `excluded` maps the id of everybody excluded on this promotion to why; `vouching` says whose word counts here. A
    role or team granted after the request, by the word of the person themselves or only of people excluded does not
    count; service accounts never do. `granted_at` is when the voting role was granted, also where it does not count.
    """

    def blemish(grant: Grant) -> str | None:
        if grant.source is not None:
            if person_id in grant.source.givers:
                return ROLE_GRANTED_BY_SELF
            if not vouching.counts(grant.source):
                return ROLE_GRANTED_BY_EXCLUDED
            if not vouching.without(person_id).counts(grant.source):
                return ROLE_GRANTED_BY_SELF
        return ROLE_GRANTED_AFTER_REQUEST if grant.granted_at > requested_at else None

    judged = [(grant, blemish(grant)) for grant in roles]
    voting = sorted(
        ((grant, code) for grant, code in judged if grant.name in voting_roles),
        key=lambda each: (each[1] is not None, each[0].granted_at, each[0].name),
    )
    if kind != "person":
        code: str | None = SERVICE_ACCOUNT
    elif person_id in excluded:
        code = weightiest(excluded[person_id])
    elif not active:
        code = NOT_ACTIVE
    elif not voting:
        code = NO_VOTING_ROLE
    else:
        code = voting[0][1]
    return Standing(
        exclusion=code,
        roles=tuple(sorted({grant.name for grant, blemished in judged if blemished is None})),
        teams=tuple(sorted({grant.name for grant in teams if blemish(grant) is None})),
        granted_at=voting[0][0].granted_at if voting else None,
    )


def barred_by(requirements: Mapping[str, Any]) -> dict[str, datetime | None]:
    """Whose word counts for no grant here: everybody excluded; who only edited settings, from their edit on.

    `requirements`: the snapshot taken at request. One that says no instant of an edit bars its people at any time.
    """
    edited = requirements.get("settingsEditedAt", {})
    return {each: parse_rfc3339(edited[each]) if each in edited else None for each in exclusions(requirements)}


def weightiest(reasons: Iterable[str]) -> str:
    """The one reason that is told: the first in the order of REASONS, unknown ones last. REQUESTER if none is given."""
    order = {reason: index for index, reason in enumerate(REASONS)}
    return min(reasons, key=lambda reason: (order.get(reason, len(order)), reason), default=REQUESTER)


def duties_in_force(
    require_separation_of_duties: bool, approval_policies: Iterable[Mapping[str, Any]]
) -> frozenset[str]:
    """Which reasons exclude, besides those that always do: the union over the environment and its approval policies.

    requireSeparationOfDuties adds the release's creator whatever the policies say (domain.md §5).
    """
    found = {RELEASE_CREATOR} if require_separation_of_duties else set()
    for document in approval_policies:
        found.update(_BY_DUTY[duty] for duty, on in document["separationOfDuties"].items() if on)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Involvement:
    """One person's part in a promotion: why they may be excluded from deciding on it."""

    person_id: str
    username: str
    reason: str


def excluded_persons(parts: Iterable[Involvement], duties: Collection[str]) -> list[ExcludedPerson]:
    """Everybody excluded, with all the reasons of each, by id: what is stored at request (domain.md §5).

    Being the requester, or standing behind the machine that acted, always excludes; the other reasons do when they
    are among `duties`.
    """
    found: dict[str, tuple[str, set[str]]] = {}
    for part in parts:
        if part.reason in ALWAYS_EXCLUDED or part.reason in duties:
            found.setdefault(part.person_id, (part.username, set()))[1].add(part.reason)
    return [
        {"id": person_id, "username": found[person_id][0], "reasons": sorted(found[person_id][1])}
        for person_id in sorted(found)
    ]


def who_asked(requesting: Iterable[str], excluded: Iterable[ExcludedPerson]) -> list[str]:
    """Of the people and accounts behind a request those who made it, sorted: not people who only own the machine.

    One person can make another the owner of a machine, and would silence them by that; a reject of one's own machine's
    request does no harm.
    """
    reasons = {person["id"]: set(person["reasons"]) for person in excluded}
    only_owns = {each for each, why in reasons.items() if SERVICE_OWNER in why and not why & {REQUESTER, TOKEN_ISSUER}}
    return sorted(set(requesting) - only_owns)


def behind_the_request(facts: GateInput) -> frozenset[str]:
    """Ids of the requester and of the people and accounts behind the request: only their reject does not count.

    An input from before `requestingPersons` does not tell them from those behind the release, so holds both.
    """
    requesting = facts.get("requestingPersons")
    if requesting is None:
        excluded = facts["requirements"]["excludedPersons"]
        requesting = [person["id"] for person in excluded if not ALWAYS_EXCLUDED.isdisjoint(person["reasons"])]
    return frozenset({facts["promotion"]["requestedById"], *requesting})
