"""A statement lifts exactly what it names, and only when it is trusted."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.cases import BEFORE, NOW
from tests.policies.security.world import (
    GRETA,
    JOBS,
    KEY,
    MEI,
    MUSL,
    MUSL_ITSELF,
    NIA,
    NO_CRITICAL,
    OPENSSL,
    OTHER_KEY,
    TOMAS,
    WEB,
    Evidence,
    finding,
    guarded,
    not_affected,
)

CVE = "CVE-2019-14697"


def gate_of(evidence: Evidence) -> GateResult:
    return evidence.into(guarded(NO_CRITICAL)).gate("cve")


def lifted(statement: Any, *, with_: Any = None, **document: Any) -> bool:
    """Whether a statement lifts the one finding (CVE-2019-14697 in musl, artifact WEB)."""
    evidence = Evidence()
    evidence.report(with_ or finding())
    evidence.vex(statement, **document)
    gate = gate_of(evidence)
    assert gate.details["liftedCount"] + gate.details["counts"]["total"] == 1
    return gate.status == "pass"


WHAT: list[tuple[Any, bool]] = [
    # the artifact as a whole
    (not_affected(CVE), True),
    (not_affected(CVE, WEB), True),
    (not_affected(CVE, f"pkg:oci/web@sha256%3A{'1' * 64}"), True),
    # the component in its version
    (not_affected(CVE, MUSL), True),
    (not_affected(CVE, "pkg:apk/alpine/musl@1.1.22-r2"), True),
    # in any version
    (not_affected(CVE, "pkg:apk/alpine/musl"), True),
    # one of several products
    (not_affected(CVE, OPENSSL, MUSL), True),
    # it is repaired
    (not_affected(CVE, MUSL, status="fixed"), True),
    # by another name of the vulnerability
    (not_affected("GHSA-1", MUSL, aliases=[CVE]), True),
    # another vulnerability
    (not_affected("CVE-2019-14698", MUSL), False),
    # another component
    (not_affected(CVE, OPENSSL), False),
    # another version
    (not_affected(CVE, "pkg:apk/alpine/musl@1.1.22-r3"), False),
    # the same version, whatever a scanner writes of the distribution
    (not_affected(CVE, "pkg:apk/alpine/musl@1.1.22-r2?distro=3.11.0"), True),
    # any version of this distribution
    (not_affected(CVE, "pkg:apk/alpine/musl?distro=3.10.2"), True),
    # any version, with what the finding does not say
    (not_affected(CVE, "pkg:apk/alpine/musl?arch=amd64"), True),
    # any version of another distribution
    (not_affected(CVE, "pkg:apk/alpine/musl?distro=3.11.0"), False),
    # a directory inside the package
    (not_affected(CVE, "pkg:apk/alpine/musl@1.1.22-r2#lib"), False),
    # another package of a name that begins alike
    (not_affected(CVE, "pkg:apk/alpine/musl-utils"), False),
    # another kind of package
    (not_affected(CVE, "pkg:deb/alpine/musl"), False),
    # another artifact
    (not_affected(CVE, JOBS), False),
    (not_affected(CVE, f"pkg:oci/jobs@sha256%3A{'2' * 64}"), False),
    # a product that is neither package nor digest names nothing here
    (not_affected(CVE, "our web shop"), False),
    # it does affect, or is looked into
    (not_affected(CVE, MUSL, status="affected"), False),
    (not_affected(CVE, MUSL, status="under_investigation"), False),
]


@pytest.mark.parametrize(("statement", "expected"), WHAT)
def test_a_statement_lifts_what_it_names(statement: Any, expected: bool) -> None:
    assert lifted(statement) is expected


EPOCHS: list[tuple[str, str, bool]] = [
    ("?epoch=1", "?arch=x86_64&epoch=1", True),
    # another version, whatever comes behind the epoch
    ("?epoch=2", "?arch=x86_64&epoch=1", False),
    # one of both leaves it out
    ("", "?epoch=1", True),
    ("?epoch=1", "?arch=x86_64", True),
    # no other qualifier is part of the version
    ("?arch=src&epoch=1", "?arch=x86_64&epoch=1", True),
]


@pytest.mark.parametrize(("said", "found", "expected"), EPOCHS)
def test_an_epoch_is_part_of_the_version(said: str, found: str, expected: bool) -> None:
    openssl = "pkg:rpm/redhat/openssl@3.0.7-1.el9"
    assert lifted(not_affected(CVE, openssl + said), with_=finding(CVE, openssl + found)) is expected


WHO: list[tuple[dict[str, Any], bool]] = [
    # somebody the policy names
    ({"uploadedBy": [MEI]}, True),
    # a trusted key, whoever brought it
    ({"uploadedBy": [GRETA], "signer": KEY}, True),
    # a key that is not trusted
    ({"uploadedBy": [NIA], "signer": OTHER_KEY}, False),
    # somebody it does not name
    ({"uploadedBy": [NIA]}, False),
    # named, but the release is theirs
    ({"uploadedBy": [GRETA]}, False),
    # named, but the request is theirs
    ({"uploadedBy": [TOMAS]}, False),
]


@pytest.mark.parametrize(("document", "expected"), WHO)
def test_only_a_trusted_statement_lifts(document: dict[str, Any], expected: bool) -> None:
    assert lifted(not_affected(CVE), **document) is expected


def test_a_statement_for_another_artifact_lifts_nothing_here() -> None:
    evidence = Evidence(WEB, JOBS)
    evidence.report(finding())
    evidence.report(finding(), artifactDigest=JOBS)
    evidence.vex(not_affected(CVE, MUSL), artifactDigest=JOBS)
    assert gate_of(evidence).details["counts"]["total"] == 1
    evidence.vex(not_affected(CVE, MUSL), artifactDigest=WEB)
    assert gate_of(evidence).details["counts"]["total"] == 0


def test_an_advisory_that_covers_two_cves_lifts_the_one_that_is_named() -> None:
    assert lifted(not_affected("CVE-2024-1", aliases=["GHSA-1"]), with_=finding("CVE-2024-1", aliases=["GHSA-1"]))
    assert not lifted(not_affected("CVE-2024-1", aliases=["GHSA-1"]), with_=finding("CVE-2024-2", aliases=["GHSA-1"]))


def test_a_component_without_package_url_is_lifted_with_the_artifact_only() -> None:
    bare = finding(purl=None, component="musl")
    assert lifted(not_affected(CVE), with_=bare)
    assert not lifted(not_affected(CVE, "pkg:apk/alpine/musl"), with_=bare)


def test_a_report_that_claims_an_alias_lends_its_lift_to_no_other_report() -> None:
    """Else one more finding, by anybody, would make another one go away."""
    evidence = Evidence()
    evidence.report(finding("CVE-2024-2"))
    evidence.report(finding("CVE-2024-2", aliases=[CVE]), uploadedBy=[NIA])
    evidence.vex(not_affected(CVE))
    assert gate_of(evidence).details["findings"] == [f"CVE-2024-2@{MUSL_ITSELF}"]


EARLIER, LATER = BEFORE, "2026-11-21T08:00:00.000Z"
AFFECTED: Any = {"status": "affected"}

TIMES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    # first it affected, then it did not
    ({**AFFECTED, "statedAt": EARLIER}, {"statedAt": LATER}, True),
    # the other way round
    ({**AFFECTED, "statedAt": LATER}, {"statedAt": EARLIER}, False),
    # at the same time: it affects
    ({**AFFECTED, "statedAt": LATER}, {"statedAt": LATER}, False),
    # looked into again
    ({"status": "under_investigation", "statedAt": LATER}, {"statedAt": EARLIER}, False),
]


@pytest.mark.parametrize(("one", "other", "expected"), TIMES)
def test_the_newest_statement_decides(one: dict[str, Any], other: dict[str, Any], expected: bool) -> None:
    evidence = Evidence()
    evidence.report(finding())
    evidence.vex(not_affected(CVE, **one), not_affected(CVE, **other), uploadedAt=NOW)
    assert (gate_of(evidence).status == "pass") is expected


def test_that_it_affects_counts_whoever_says_so() -> None:
    evidence = Evidence()
    evidence.report(finding())
    evidence.vex(not_affected(CVE, statedAt=EARLIER), uploadedAt=NOW)
    evidence.vex(not_affected(CVE, statedAt=LATER, **AFFECTED), uploadedAt=NOW, uploadedBy=[NIA])
    assert gate_of(evidence).status == "fail"


def test_a_statement_cannot_be_newer_than_its_upload() -> None:
    evidence = Evidence()
    evidence.report(finding())
    evidence.vex(not_affected(CVE, statedAt="2030-01-01T00:00:00.000Z"), uploadedAt=EARLIER)
    evidence.vex(not_affected(CVE, statedAt=LATER, **AFFECTED), uploadedAt=NOW)
    assert gate_of(evidence).status == "fail"
