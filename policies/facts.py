"""The gate input: the facts of one promotion at one instant, as the plain JSON document that is judged and stored.

There is no other form of it: the judged document is the stored one, so replay is json.loads and evaluate
(docs/adr/0010). The TypedDicts below are its contract; GATE_INPUT_SCHEMA is made from them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict, TypeVar, cast

from policies.document_facts import EvidenceFact, OverrideFact, PolicyAnswer
from stellapromote.errors import FieldError
from stellapromote.json_schema import Limits, of_type, read
from stellapromote.patterns import DIGEST
from stellapromote.signing.canonical_json import digest

T = TypeVar("T")

SCHEMA: Final = "stella.gate-input/v1"
CANDIDATES_SCHEMA: Final = "stella.candidates/v1"
REQUIREMENTS_SCHEMA: Final = "stella.requirements/v1"
"""Of the object that requirementsDigest covers: Requirements with this schema."""

MOST_INLINE_CANDIDATES: Final = 500
"""More than these are kept as a blob beside the input (domain.md §5)."""

Id = Annotated[str, Limits(minLength=1, maxLength=64)]
Name = Annotated[str, Limits(maxLength=255)]
Text = Annotated[str, Limits(maxLength=4000)]
Instant = Annotated[str, Limits(maxLength=24, format="instant")]
Digest = Annotated[str, Limits(maxLength=71, pattern=DIGEST)]
Count = Annotated[int, Limits(minimum=0, maximum=1_000_000_000)]


class Change(TypedDict):
    ref: Text | None
    url: Text | None
    type: Name | None
    backout: Text | None


class PromotionFact(TypedDict):
    id: Id
    number: Count
    product: Name
    isRollback: bool
    requestedAt: Instant
    requestedById: Id
    change: Change | None


class ReleaseFact(TypedDict):
    id: Id
    name: Name
    status: Literal["draft", "finalized", "deprecated", "archived"]
    manifestDigest: Digest | None


class SourceFact(TypedDict):
    """The environment the release comes from. `deployed` false: it was rolled back there since."""

    id: Id
    name: Name
    deployed: bool


class TargetFact(TypedDict):
    id: Id
    name: Name
    isProduction: bool
    archived: bool
    currentReleaseId: Id | None


class SubjectFact(TypedDict):
    """`digest` as computed now; `manifestDigest` as it was at the request."""

    digest: Digest
    manifestDigest: Digest


class PolicyReference(TypedDict):
    name: Name
    version: Count
    digest: Digest


class ExcludedPerson(TypedDict):
    id: Id
    username: Name
    reasons: list[Name]


class ProductFact(TypedDict):
    """The product of the promotion, with its owner teams at the request."""

    id: Id
    slug: Name
    version: Count
    ownerTeams: list[Name]


class PathStep(TypedDict):
    """One environment on the path of the product, in the order of the request."""

    id: Id
    name: Name


class Requirements(TypedDict):
    """The snapshot taken at the request (domain.md §5). `externalAuthors`: commit authors that exclude no person,
    because the release states that they have no account here; only where commit authors are excluded.
    `settingsEditedAt`: the first edit, by id, of people who are excluded for nothing but editing a policy or
    setting. `product`: only where a rule of an approval policy names its owners. `path`: only where the product has
    one of its own."""

    requiredApprovals: Count
    requireSeparationOfDuties: bool
    approvalPolicies: list[PolicyReference]
    promotionPolicy: PolicyReference
    excludedPersons: list[ExcludedPerson]
    externalAuthors: NotRequired[list[Name]]
    settingsEditedAt: NotRequired[dict[Id, Instant]]
    product: NotRequired[ProductFact]
    path: NotRequired[list[PathStep]]


class Signing(TypedDict):
    available: bool


class Freeze(TypedDict):
    """One freeze window that applies to the target and has neither ended nor been cleared; it may lie in the future."""

    id: Id
    name: Name
    scope: Literal["environment", "tenant"]
    start: Instant
    end: Instant
    reason: Text
    createdByName: Name


class Span(TypedDict):
    start: Instant
    end: Instant


class Vote(TypedDict):
    """A live vote. `teams` are the voter's teams that counted for this promotion when the vote was given."""

    id: Id
    voterId: Id
    username: Name
    displayName: Name
    verdict: Literal["approve", "reject"]
    teams: list[Name]
    reason: Text | None
    subjectDigest: Digest
    at: Instant


class Confirmation(TypedDict):
    """A live confirmation of the manual gate of that name. `teams` as in a vote."""

    id: Id
    gate: Name
    voterId: Id
    username: Name
    teams: list[Name]
    subjectDigest: Digest
    at: Instant


class Candidate(TypedDict):
    """A person who might vote, with the roles and teams that count. `exclusion`: the code against it, or None."""

    id: Id
    username: Name
    roles: list[Name]
    teams: list[Name]
    grantedAt: Instant | None
    exclusion: Name | None


class CandidatesReference(TypedDict):
    """In place of more than 500 candidates: the digest of `{"schema": "stella.candidates/v1", "candidates": […]}`."""

    digest: Digest
    count: Count


class ReleaseObserved(TypedDict):
    """`deployed`: a promotion of it into that environment is deployed and was not rolled back."""

    deployed: bool


class EnvironmentObserved(TypedDict):
    """`nextOpen` and `nextClose` as in every answer about a freeze; `idle`: no deployment runs there."""

    frozen: bool
    nextOpen: Instant | None
    nextClose: Instant | None
    idle: bool


class ReleaseDependency(TypedDict):
    """The configured target as it stands in the gate's config, and what was seen; None: there is no such thing."""

    type: Literal["release"]
    product: NotRequired[Name]
    release: Name
    environment: Name
    state: Literal["deployed"]
    observed: ReleaseObserved | None


class EnvironmentDependency(TypedDict):
    """The configured target as it stands in the gate's config, and what was seen; None: there is no such thing."""

    type: Literal["environment"]
    environment: Name
    state: Literal["not-frozen", "idle"]
    observed: EnvironmentObserved | None


class HttpObserved(TypedDict):
    """A health answer. `problem`: None, or the code of why there was none; then nothing else is known.

    `matched`: whether the body holds what was expected of it; None when nothing was.
    """

    collectedAt: Instant
    problem: Name | None
    status: Count | None
    durationMs: Count | None
    bodyDigest: Digest | None
    matched: bool | None


class HttpExpectation(TypedDict):
    status: Count
    maxDurationMs: NotRequired[Count]
    bodyContains: NotRequired[Text]


class HttpDependency(TypedDict):
    """The configured target as it stands in the gate's config, and what was seen; None: nothing lately."""

    type: Literal["http"]
    url: Text
    expect: HttpExpectation
    timeout: Count
    maxAge: Count
    observed: HttpObserved | None


Dependency = ReleaseDependency | EnvironmentDependency | HttpDependency


class GateInput(TypedDict):
    """Everything the gates may know. `kinds` is the kindVersion used for each gate kind, also at replay.

    `evidence` None or absent: no bundle was taken. `policyAnswers`: of each policy gate, by its name. `overrides`: all
    of the promotion, those that are over too, because their authors never vote on it. `failingSince`: when a gate that
    may be overridden began to fail, by its name. `requestingPersons`: the requester, and the people and accounts behind
    the request, none of whom may reject.
    """

    schema: Literal["stella.gate-input/v1"]
    instant: Instant
    kinds: dict[str, Count]
    promotion: PromotionFact
    release: ReleaseFact
    source: SourceFact | None
    target: TargetFact
    subject: SubjectFact
    requirements: Requirements
    requirementsDigest: Digest
    signing: Signing
    freezes: list[Freeze]
    schedules: dict[str, list[Span]]
    votes: list[Vote]
    confirmations: list[Confirmation]
    candidates: list[Candidate] | CandidatesReference
    dependencies: dict[str, list[Dependency]]
    supersededBy: Id | None
    evidence: NotRequired[EvidenceFact | None]
    policyAnswers: NotRequired[dict[str, PolicyAnswer]]
    overrides: NotRequired[list[OverrideFact]]
    failingSince: NotRequired[dict[str, Instant]]
    requestingPersons: NotRequired[list[Id]]
    evidenceMismatch: NotRequired[bool]


class InvalidGateInput(ValueError):
    """The document is no gate input; `fields` says where."""

    def __init__(self, fields: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{each.field}: {each.message}" for each in fields))
        self.fields = list(fields)


def check_gate_input(value: object) -> GateInput:
    """The value, if it has exactly the shape of a gate input; else InvalidGateInput. For input from outside."""
    normal, errors = read(value, GATE_INPUT_SCHEMA)
    if errors:
        raise InvalidGateInput(errors)
    return cast("GateInput", normal)


def _candidates_sorted(candidates: Iterable[Candidate]) -> list[Candidate]:
    return [
        {**each, "roles": sorted(each["roles"]), "teams": sorted(each["teams"])}
        for each in sorted(candidates, key=lambda each: (each["username"], each["id"]))
    ]


def candidates_fact(
    candidates: Sequence[Candidate],
) -> tuple[list[Candidate] | CandidatesReference, dict[str, dict[str, Any]]]:
    """The candidates as they stand in a gate input, and the blob that goes beside it, by digest, when they are many."""
    in_order = _candidates_sorted(candidates)
    if len(in_order) <= MOST_INLINE_CANDIDATES:
        return in_order, {}
    blob: dict[str, Any] = {"schema": CANDIDATES_SCHEMA, "candidates": in_order}
    key = digest(blob)
    return {"digest": key, "count": len(in_order)}, {key: blob}


def exclusions(requirements: Mapping[str, Any]) -> dict[str, list[str]]:
    """The reasons why people never decide on the promotion, by their ids. ``requirements``: the snapshot, as everywhere
    here."""
    return {person["id"]: person["reasons"] for person in requirements["excludedPersons"]}


def owners_of(requirements: Mapping[str, Any]) -> tuple[str, ...]:
    """The teams that @owners stands for; empty where no rule names it."""
    return tuple(requirements["product"]["ownerTeams"]) if "product" in requirements else ()


def policies_named(requirements: Mapping[str, Any]) -> list[PolicyReference]:
    """The promotion policy of the snapshot, then its approval policies."""
    return [requirements["promotionPolicy"], *requirements["approvalPolicies"]]


def policy_of(requirements: Mapping[str, Any], documents: Mapping[str, T]) -> T:
    """The promotion policy that the snapshot names. KeyError where it is not among the documents."""
    return documents[requirements["promotionPolicy"]["digest"]]


def approval_policies_of(requirements: Mapping[str, Any], documents: Mapping[str, T]) -> list[T]:
    """The approval policies that the snapshot names. KeyError where one is not among the documents."""
    return [documents[each["digest"]] for each in requirements["approvalPolicies"]]


GATE_INPUT_SCHEMA: Final = of_type(GateInput)
"""The gate input as JSON Schema (the subset of stellapromote.json_schema)."""
