import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.documents import InvalidDocument, promotion_policy
from stellapromote.signing.canonical_json import canonical_bytes
from tests.policies.cases import BEFORE, NOW, Case, verdict
from tests.policies.security.world import AMD64, ARM64, JOBS, KEY, OTHER_KEY, WEB, Evidence

PROVENANCE = "https://slsa.dev/provenance/v1"
TESTS = "https://in-toto.io/attestation/test-result/v0.1"
DAY = 24 * 60 * 60


def asking(**config: Any) -> Case:
    on_error = config.pop("onError", "pending")
    return Case(gates_=[{"name": "papers", "kind": "evidence", "config": config, "onError": on_error}])


def gate(evidence: Evidence, **config: Any) -> Any:
    return evidence.into(asking(**config)).gate("papers")


@pytest.mark.parametrize("given", ["absent", None])
def test_without_a_bundle_it_waits(given: Any) -> None:
    case = asking()
    if given is None:
        case.facts["evidence"] = None
    assert verdict(case.gate("papers")) == ("pending", ["EVIDENCE_MISSING"])


def test_on_error_fail_rejects_what_is_not_there() -> None:
    assert asking(onError="fail").gate("papers").status == "fail"


def test_a_bundle_without_artifacts_has_nothing_of_them() -> None:
    evidence = Evidence()
    evidence.artifacts = []
    assert verdict(gate(evidence)) == ("pending", ["EVIDENCE_MISSING"])


SIGNED: Any = {"trustedKeys": ["release-key"]}
VALID: Any = {"requireValidSchema": True}

SBOM: list[tuple[dict[str, Any] | None, dict[str, Any], list[str]]] = [
    # there is one
    ({}, {}, []),
    # there is none
    (None, {}, ["EVIDENCE_MISSING"]),
    # none is asked for
    (None, {"requireSbom": False, "requiredPredicateTypes": [PROVENANCE]}, ["EVIDENCE_MISSING"]),
    # in a format that will do
    ({"format": "spdx"}, {"formats": ["cyclonedx", "spdx"]}, []),
    # in another
    ({"format": "spdx"}, {"formats": ["cyclonedx"]}, ["EVIDENCE_FORMAT"]),
    # signed as asked
    ({"signer": KEY}, SIGNED, []),
    # by its id
    ({"signer": KEY}, {"trustedKeys": [KEY]}, []),
    # not signed
    ({}, SIGNED, ["EVIDENCE_UNTRUSTED"]),
    # signed with a key that the tenant trusts no more
    ({"signer": OTHER_KEY}, {"trustedKeys": [OTHER_KEY]}, ["EVIDENCE_UNTRUSTED"]),
    # signed with a key that the policy does not name
    ({"signer": KEY}, {"trustedKeys": ["other"]}, ["EVIDENCE_UNTRUSTED"]),
    # young enough
    ({"generatedAt": BEFORE}, {"maxAge": 4 * DAY}, []),
    # too old to the millisecond
    ({"generatedAt": BEFORE}, {"maxAge": 3 * DAY}, ["EVIDENCE_STALE"]),
    # by its upload when it does not say
    ({"uploadedAt": NOW}, {"maxAge": 1}, []),
    # not younger than its upload, whatever it says
    ({"generatedAt": "2027-01-01T00:00:00.000Z"}, {"maxAge": 3 * DAY}, ["EVIDENCE_STALE"]),
    # it breaks its schema, which nobody asked about
    ({"schemaValid": False}, {}, []),
    # and somebody did
    ({"schemaValid": False}, VALID, ["EVIDENCE_INVALID"]),
    # nothing is known against it
    ({}, VALID, []),
    # that it is in another format is told first, that it is not signed later
    ({"schemaValid": False, "format": "spdx"}, {"formats": ["cyclonedx"], **VALID}, ["EVIDENCE_FORMAT"]),
    ({"schemaValid": False}, {**SIGNED, **VALID}, ["EVIDENCE_INVALID"]),
]


@pytest.mark.parametrize(("document", "config", "codes"), SBOM)
def test_truth_table(document: dict[str, Any] | None, config: dict[str, Any], codes: list[str]) -> None:
    evidence = Evidence()
    if document is not None:
        evidence.sbom(**document)
    assert verdict(gate(evidence, **config)) == ("pending" if codes else "pass", codes)


def test_each_artifact_needs_its_own() -> None:
    evidence = Evidence(WEB, JOBS)
    evidence.sbom()
    result = gate(evidence)
    assert result.details["lacking"] == [
        {"artifact": JOBS, "what": "sbom", "code": "EVIDENCE_MISSING", "document": None}
    ]
    assert result.message == f"Artifact {JOBS[:19]}… has no SBOM: upload one, then take a new evidence bundle."


def test_one_document_must_be_everything_at_once() -> None:
    evidence = Evidence()
    evidence.sbom(signer=KEY, generatedAt=BEFORE)
    evidence.sbom(uploadedAt=NOW)
    assert list(gate(evidence, maxAge=DAY, **SIGNED).reason_codes) == ["EVIDENCE_STALE"]


ATTESTATIONS: list[tuple[dict[str, Any] | None, dict[str, Any], list[str]]] = [
    # signed by a key the tenant trusts; the policy names none
    ({}, {}, []),
    # signed by a key the policy names
    ({}, SIGNED, []),
    # not signed: it attests nothing, also when the policy names no key
    ({"signer": None}, {}, ["EVIDENCE_UNTRUSTED"]),
    # of another type
    ({"predicateType": TESTS}, {}, ["EVIDENCE_MISSING"]),
    # of another artifact
    ({"subjects": [JOBS]}, {}, ["EVIDENCE_MISSING"]),
    # too old
    ({}, {"maxAge": DAY}, ["EVIDENCE_STALE"]),
]


@pytest.mark.parametrize(("document", "config", "codes"), ATTESTATIONS)
def test_attestations(document: dict[str, Any], config: dict[str, Any], codes: list[str]) -> None:
    evidence, changes = Evidence(), dict(document)
    evidence.attestation(PROVENANCE, *changes.pop("subjects", [WEB]), **changes)
    found = gate(evidence, requireSbom=False, requiredPredicateTypes=[PROVENANCE], **config)
    assert verdict(found) == ("pending" if codes else "pass", codes)


def test_it_is_judged_again_when_the_first_of_the_documents_gets_too_old() -> None:
    evidence = Evidence(WEB, JOBS)
    evidence.sbom(generatedAt=BEFORE)
    evidence.sbom(artifactDigest=JOBS, uploadedAt=NOW)
    assert gate(evidence, maxAge=4 * DAY).next_change_at == "2026-11-24T08:00:00.000Z"


def test_of_two_documents_the_one_that_lasts_longer_counts() -> None:
    evidence = Evidence()
    evidence.sbom(generatedAt=BEFORE)
    newer = evidence.sbom(uploadedAt=NOW)
    found = gate(evidence, maxAge=4 * DAY)
    assert (found.details["used"], found.next_change_at) == ([newer["digest"]], "2026-11-27T08:00:00.000Z")


def test_an_invalid_sbom_beside_a_valid_one_does_no_harm() -> None:
    evidence = Evidence()
    evidence.sbom(schemaValid=False)
    valid = evidence.sbom()
    assert gate(evidence, **VALID).details["used"] == [valid["digest"]]


def test_the_message_says_that_it_breaks_its_schema() -> None:
    evidence = Evidence()
    evidence.sbom(schemaValid=False)
    assert gate(evidence, **VALID).message == (
        f"Artifact {WEB[:19]}… has no SBOM that is valid by the schema of its format: upload one, then take a new "
        "evidence bundle."
    )


BOTH = {WEB: [AMD64, ARM64]}
AMD, ARM = {"about": AMD64}, {"about": ARM64}

# (the index in the bundle, the SBOMs, settings, what lacks one: its platform or None for the artifact itself)
PARTS: list[tuple[dict[str, list[str]], list[dict[str, Any]], dict[str, Any], list[tuple[str | None, str]]]] = [
    # about the artifact itself
    (BOTH, [{}], {}, []),
    # about each platform
    (BOTH, [AMD, ARM], {}, []),
    # about one of two
    (BOTH, [AMD], {}, [(ARM64, "EVIDENCE_MISSING")]),
    # about each, and one is not signed
    (BOTH, [{**AMD, "signer": KEY}, ARM], SIGNED, [(ARM64, "EVIDENCE_UNTRUSTED")]),
    # about each, and one breaks its schema
    (BOTH, [AMD, {**ARM, "schemaValid": False}], VALID, [(ARM64, "EVIDENCE_INVALID")]),
    # about one of two, and one about the artifact that is not signed: both are ways to go on
    (BOTH, [{**AMD, "signer": KEY}, {}], SIGNED, [(None, "EVIDENCE_UNTRUSTED"), (ARM64, "EVIDENCE_MISSING")]),
    # about a manifest that the index does not list
    ({WEB: [AMD64]}, [ARM], {}, [(None, "EVIDENCE_MISSING")]),
    # an index of nothing is had by no SBOM
    ({WEB: []}, [AMD], {}, [(None, "EVIDENCE_MISSING")]),
    # without the index the uploader says what it is about
    ({}, [AMD], {}, []),
    # which no signature confirms
    ({}, [{**AMD, "signer": KEY}], {}, [(None, "EVIDENCE_MISSING")]),
    ({}, [AMD], SIGNED, [(None, "EVIDENCE_UNTRUSTED")]),
]


@pytest.mark.parametrize(("indexes", "sboms", "config", "lacking"), PARTS)
def test_an_index_has_the_sbom_that_each_of_its_platforms_has(
    indexes: dict[str, list[str]],
    sboms: list[dict[str, Any]],
    config: dict[str, Any],
    lacking: list[tuple[str | None, str]],
) -> None:
    evidence = Evidence()
    evidence.indexes = indexes
    for each in sboms:
        evidence.sbom(**each)
    found = gate(evidence, **config)
    assert verdict(found) == ("pending" if lacking else "pass", sorted({code for _, code in lacking}))
    assert [(each.get("about"), each["code"]) for each in found.details["lacking"]] == lacking


# (the attestations: about, subjects; what lacks one)
ATTESTED: list[tuple[list[tuple[dict[str, Any], list[str]]], list[str | None]]] = [
    ([(AMD, [AMD64]), (ARM, [ARM64])], []),
    ([(AMD, [AMD64, ARM64]), (ARM, [AMD64, ARM64])], []),
    # it is said to be about a platform that its statement does not name
    ([(AMD, [AMD64]), (ARM, [AMD64])], [ARM64]),
    ([(AMD, [AMD64])], [ARM64]),
    ([({}, [AMD64, ARM64])], [None]),
]


@pytest.mark.parametrize(("attestations", "lacking"), ATTESTED)
def test_an_attestation_of_a_platform_names_it(
    attestations: list[tuple[dict[str, Any], list[str]]], lacking: list[str | None]
) -> None:
    evidence = Evidence()
    evidence.indexes = BOTH
    for about, subjects in attestations:
        evidence.attestation(PROVENANCE, *subjects, **about)
    found = gate(evidence, requireSbom=False, requiredPredicateTypes=[PROVENANCE])
    assert [each.get("about") for each in found.details["lacking"]] == lacking


def test_the_message_names_the_platform() -> None:
    evidence = Evidence()
    evidence.indexes = BOTH
    evidence.sbom(**AMD)
    assert gate(evidence).message == (
        f"Platform manifest {ARM64[:19]}… of artifact {WEB[:19]}… has no SBOM: upload one, then take a new evidence "
        "bundle."
    )


REFUSED = [
    # it would ask for nothing
    ({"requireSbom": False}, "requiredPredicateTypes"),
    # formats of what is not asked for
    ({"requireSbom": False, "requiredPredicateTypes": ["x"], "formats": ["spdx"]}, "formats"),
    # the validity of what is not asked for
    ({"requireSbom": False, "requiredPredicateTypes": ["x"], **VALID}, "requireValidSchema"),
    # no format of an SBOM
    ({"formats": ["excel"]}, "formats[0]"),
]


@pytest.mark.parametrize(("config", "field"), REFUSED)
def test_refused_at_save(config: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy({"gates": [{"kind": "evidence", "config": config}]})
    assert [each.field for each in refusal.value.fields] == [f"gates[0].config.{field}"]


@st.composite
def papers(draw: st.DrawFn) -> tuple[Evidence, dict[str, Any]]:
    """Some documents of two artifacts, and what is asked of them."""
    evidence = Evidence(WEB, JOBS)
    for artifact in draw(st.lists(st.sampled_from([WEB, JOBS]), min_size=1, max_size=5)):
        changes: Any = {
            "artifactDigest": artifact,
            "signer": draw(st.sampled_from([KEY, KEY, OTHER_KEY, None])),
            "generatedAt": draw(st.sampled_from([None, BEFORE, NOW])),
            "uploadedAt": NOW,
            **draw(st.sampled_from([{}, {}, AMD, ARM])),
            **draw(st.sampled_from([{}, {}, {"schemaValid": False}])),
        }
        if draw(st.booleans()):
            evidence.sbom(format=draw(st.sampled_from(["cyclonedx", "spdx"])), **changes)
        else:
            evidence.attestation(PROVENANCE, *draw(st.sampled_from([[WEB], [JOBS], [JOBS, WEB]])), **changes)
    config = {
        "requireSbom": True,
        "formats": draw(st.sampled_from([[], ["cyclonedx"]])),
        "requiredPredicateTypes": draw(st.sampled_from([[], [PROVENANCE]])),
        "trustedKeys": draw(st.sampled_from([[], ["release-key"]])),
        "maxAge": draw(st.sampled_from([None, DAY])),
        "requireValidSchema": draw(st.booleans()),
    }
    evidence.indexes = draw(st.sampled_from([{}, {WEB: [AMD64, ARM64]}, {JOBS: [AMD64]}]))
    return evidence, config


@given(papers(), st.randoms(use_true_random=False))
def test_whatever_the_order_the_bytes_are_the_same(drawn: tuple[Evidence, Any], order: random.Random) -> None:
    evidence, config = drawn
    before = canonical_bytes(gate(evidence, **config).as_json())
    for part in (evidence.documents, evidence.artifacts):
        order.shuffle(part)  # type: ignore[arg-type]
    assert canonical_bytes(gate(evidence, **config).as_json()) == before


WORSE: dict[str, Callable[[Evidence, dict[str, Any]], Any]] = {
    "a document is gone": lambda evidence, _: evidence.documents.pop(),
    "nothing is signed": lambda evidence, _: [each.update(signer=None) for each in evidence.documents],
    "the key is revoked": lambda _, facts: facts.update(trustedKeys=[]),
    "all is older": lambda evidence, _: [
        each.update(generatedAt="2026-01-01T00:00:00.000Z") for each in evidence.documents
    ],
    "there is one more artifact": lambda evidence, _: evidence.artifacts.append("sha256:" + "3" * 64),
    "all break their schema": lambda evidence, _: [each.update(schemaValid=False) for each in evidence.documents],
    "an index has one more platform": lambda evidence, _: [
        each.append("sha256:" + "9" * 64) for each in evidence.indexes.values()
    ],
    "an older reader read them": lambda _, facts: facts.update(readBy=None),
}


@given(papers(), st.sampled_from(sorted(WORSE)))
def test_a_worse_fact_never_makes_it_pass(drawn: tuple[Evidence, Any], what: str) -> None:
    evidence, config = copy.deepcopy(drawn)
    # Without its signature a document about a manifest that no index lists is about the artifact, as its uploader says.
    stray = any("about" in each and each["artifactDigest"] not in evidence.indexes for each in evidence.documents)
    assume(not (stray and what == "nothing is signed"))
    before = gate(evidence, **config).status
    facts: dict[str, Any] = {}
    WORSE[what](evidence, facts)
    if before != "pass":
        assert evidence.into(asking(**config), **facts).gate("papers").status != "pass"
