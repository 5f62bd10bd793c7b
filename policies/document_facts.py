"""The facts about the artifacts of a release: the forms of parsed documents, bundles and feeds (domain.md §6).

A parsed document is an immutable blob named by its digest; a bundle is a blob that names the documents of a release's
components; the gate input names the bundle. Every list here is sorted, so that the same facts have the same bytes.
"""

from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict

from stellapromote.json_schema import Limits
from stellapromote.patterns import DIGEST

FINDINGS_SCHEMA: Final = "stella.findings/v1"
COMPONENTS_SCHEMA: Final = "stella.components/v1"
VEX_SCHEMA: Final = "stella.vex/v1"
ATTESTATION_SCHEMA: Final = "stella.attestation/v1"
INDEX_SCHEMA: Final = "stella.index/v1"
BUNDLE_SCHEMA: Final = "stella.evidence-bundle/v1"
KEV_SCHEMA: Final = "stella.kev/v1"
EPSS_SCHEMA: Final = "stella.epss/v1"

DocumentKind = Literal["sbom", "vulnerabilities", "vex", "attestation"]
Severity = Literal["critical", "high", "medium", "low", "none", "unknown"]
VexStatus = Literal["not_affected", "affected", "fixed", "under_investigation"]

_Id = Annotated[str, Limits(minLength=1, maxLength=64)]
_Instant = Annotated[str, Limits(maxLength=24, format="instant")]
_Digest = Annotated[str, Limits(maxLength=71, pattern=DIGEST)]
_Line = Annotated[str, Limits(maxLength=512)]
_Reader = Annotated[int, Limits(minimum=1, maximum=1_000_000)]


class LeftOut(TypedDict):
    """The parts that a reader left out of a document: `number` of `reason`, as in 2 `components without a name`."""

    reason: str
    number: int


class Finding(TypedDict):
    """One vulnerability in one component. `cvss` is a base score from 0.0 to 10.0, the highest that the report gives;
    `reachable` None: not analysed.

    `id` is the CVE where there is one, else the id the report uses; `aliases` are its other names, sorted. `severity`
    is the worst of every word that the report uses and of the band of `cvss` (9.0, 7.0, 4.0, 0.1). `scannerSeverity` is
    the scanner's own conclusion where it has one and `severity` is worse. `severityWithoutScore` is the worst severity
    of entries about the same finding that have no score, where others have one. `unscored`: another entry of the report
    about the same finding knows no severity. `suppressed`: the rule by which the scanner leaves the finding out; absent
    without one.
    """

    id: str
    aliases: list[str]
    purl: str | None
    component: str
    version: str | None
    severity: Severity
    cvss: float | None
    reachable: bool | None
    publishedAt: str | None
    fixedVersion: str | None
    scannerSeverity: NotRequired[Severity]
    severityWithoutScore: NotRequired[Severity]
    unscored: NotRequired[Literal[True]]
    suppressed: NotRequired[str]


class Findings(TypedDict):
    """A parsed vulnerability report; sorted by (id, purl, component, version). `hasScores`: any finding has a CVSS.

    `leftOut`, here and below: what could not be read, sorted by reason; absent where everything was.
    """

    schema: Literal["stella.findings/v1"]
    hasScores: bool
    findings: list[Finding]
    leftOut: NotRequired[list[LeftOut]]


class SbomComponent(TypedDict):
    name: str
    version: str | None
    purl: str | None


class Components(TypedDict):
    """A parsed SBOM; sorted by (name, version, purl)."""

    schema: Literal["stella.components/v1"]
    components: list[SbomComponent]
    leftOut: NotRequired[list[LeftOut]]


class VexStatement(TypedDict):
    """`products`: package URLs and `sha256:…` digests that it speaks of; empty: the whole artifact it is bound to."""

    vulnerability: str
    aliases: list[str]
    products: list[str]
    status: VexStatus
    justification: str | None
    statedAt: str | None


class Vex(TypedDict):
    schema: Literal["stella.vex/v1"]
    statements: list[VexStatement]
    leftOut: NotRequired[list[LeftOut]]


class Attestation(TypedDict):
    """An in-toto statement; `subjects` are the `sha256:…` digests it speaks of."""

    schema: Literal["stella.attestation/v1"]
    predicateType: str
    subjects: list[str]


class IndexManifest(TypedDict):
    """`platform` as in `linux/arm64/v8`; None where the index does not say."""

    digest: str
    platform: str | None


class Index(TypedDict):
    """The manifests of an image's index; sorted by (digest, platform). One may stand for several platforms."""

    schema: Literal["stella.index/v1"]
    manifests: list[IndexManifest]
    leftOut: NotRequired[list[LeftOut]]


class Person(TypedDict):
    id: str
    username: str


class DocumentFact(TypedDict):
    """One document in a bundle.

    `digest` is of the uploaded bytes, `parsed` of the blob made from them. `producer` is the maker of the document
    (tool name, or the signer's key id): a report replaces another only from the same producer. `uploadedBy` are the
    people whom the upload counts for: the person, or the owners and the token's issuer of a service account.
    `uploadedAt` is the first upload of its signed payload: sent again, it is no younger. `signer` is the key id of the
    trusted key whose signature over the document was verified at upload, else None. `about`: the document is about this
    manifest, one platform of the artifact, which is an index; absent: about the artifact. `schemaValid` is False where
    the document breaks the schema of its format.
    """

    artifactDigest: str
    kind: DocumentKind
    format: str
    digest: str
    parsed: str
    producer: str
    uploadedBy: list[Person]
    uploadedAt: str
    generatedAt: str | None
    signer: str | None
    predicateType: str | None
    about: NotRequired[str]
    schemaValid: NotRequired[Literal[False]]


class IndexFact(TypedDict):
    """`artifact` is the digest of an image index: its bytes, which name these manifests of platforms, were uploaded."""

    artifact: str
    manifests: list[str]


class Bundle(TypedDict):
    """The newest documents of each artifact when the bundle was taken; sorted by (artifactDigest, kind, digest).

    `indexes`: those of the artifacts that are known to be image indexes, sorted; absent when there is none.
    """

    schema: Literal["stella.evidence-bundle/v1"]
    artifacts: list[str]
    documents: list[DocumentFact]
    indexes: NotRequired[list[IndexFact]]


class KevEntry(TypedDict):
    cve: str
    dateAdded: str


class Kev(TypedDict):
    """The entries of the catalogue that concern findings of the two bundles; dates are `YYYY-MM-DD`."""

    schema: Literal["stella.kev/v1"]
    entries: list[KevEntry]


class EpssScore(TypedDict):
    """`epss` from 0.0 to 1.0."""

    cve: str
    epss: float


class Epss(TypedDict):
    """The scores of the CVEs that are findings of the two bundles."""

    schema: Literal["stella.epss/v1"]
    scores: list[EpssScore]


class FeedFact(TypedDict):
    """The tenant's newest feed of a kind: digest of the uploaded document, its own date, and the blob of what of it
    concerns this promotion (Kev or Epss)."""

    digest: _Digest
    publishedAt: _Instant
    extract: _Digest


class TrustedKey(TypedDict):
    """A key that the tenant trusts now (live, not snapshotted): a revoked key trusts nothing."""

    keyId: _Digest
    name: _Line


class EvidenceFact(TypedDict):
    """`currentBundleDigest`: the bundle under which the release now in the target was promoted; None: there is no
    release there, or it had no bundle. `kev` and `epss` None: the tenant has no such feed.

    `readBy`: the version of the readers by which everything here was read; None or absent: something was read by an
    older one only, and must not be believed (domain.md §6).
    """

    bundleId: _Id
    bundleDigest: _Digest
    currentBundleDigest: _Digest | None
    kev: FeedFact | None
    epss: FeedFact | None
    trustedKeys: list[TrustedKey]
    readBy: NotRequired[_Reader | None]


class PolicyAnswer(TypedDict):
    """The answer of a policy gate's engine when the facts were gathered.

    `error` is None or the code of why there is no answer (GATE_ERROR, GATE_TIMEOUT); `result` is the engine's answer as
    JSON. `engine` is `cel`, `rego` or `opa`; `revision` that of OPA's bundle. `inputDigest` is the digest of the
    policy's input; an embedded engine evaluates it again at replay and must answer the same. An answer with an error
    has as result `{problem}`, in words. `collectedAt`: when a worker got it, for servers.
    """

    engine: Literal["cel", "rego", "opa"]
    inputDigest: _Digest
    revision: _Line | None
    error: Annotated[str, Limits(maxLength=64)] | None
    result: Any
    collectedAt: NotRequired[_Instant]


class OverrideFact(TypedDict):
    """A live override of one gate (domain.md §6, Overrides): it lifts only what its author saw.

    `reasonCodes` and `findings` are those of the gate result its author saw; `subjectDigest` the subject then.
    """

    id: _Id
    gate: Annotated[str, Limits(maxLength=63)]
    actorId: _Id
    username: _Line
    displayName: _Line
    subjectDigest: _Digest
    reasonCodes: list[Annotated[str, Limits(maxLength=63)]]
    findings: list[_Line]
    reason: Annotated[str, Limits(maxLength=4000)]
    ticket: _Line
    recordedAt: _Instant
    expiresAt: _Instant
