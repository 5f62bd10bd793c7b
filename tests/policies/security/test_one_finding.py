"""One vulnerability in one component is one finding, whatever qualifiers scanners write (docs/adr/0080)."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.security.world import Evidence, finding, guarded, not_affected

TRIVY = "pkg:deb/debian/openssl@1?arch=amd64&distro=debian-12.1"
GRYPE = "pkg:deb/debian/openssl@1?arch=amd64&distro=debian-12&upstream=openssl"
OSV = "pkg:deb/debian/openssl@1"
CVE = "CVE-2024-1"
ANY: Any = {"release-aggregate-cve": {"maxTotal": 0}}


def scanned(*purls: str | None, **changes: Any) -> Evidence:
    evidence = Evidence()
    for purl in purls:
        evidence.report(finding(CVE, purl, **changes))
    return evidence


def judged(evidence: Evidence) -> GateResult:
    return evidence.into(guarded(ANY)).gate("cve")


SAME: list[tuple[list[str | None], list[str]]] = [
    # three scanners
    ([TRIVY, GRYPE, OSV], [OSV]),
    # two architectures in one report of each
    ([TRIVY, TRIVY.replace("amd64", "arm64")], [OSV]),
    # another version
    ([TRIVY, "pkg:deb/debian/openssl@2?arch=amd64"], [OSV, "pkg:deb/debian/openssl@2"]),
    # another distribution's package
    ([TRIVY, "pkg:deb/ubuntu/openssl@1"], [OSV, "pkg:deb/ubuntu/openssl@1"]),
    # another directory of the package
    (
        ["pkg:golang/a/b@1?x=y#cmd", "pkg:golang/a/b@1#cmd", "pkg:golang/a/b@1"],
        ["pkg:golang/a/b@1", "pkg:golang/a/b@1#cmd"],
    ),
    # without a package URL, by name and version
    ([None, None], ["openssl"]),
]


@pytest.mark.parametrize(("purls", "places"), SAME)
def test_the_same_component_is_one(purls: list[str | None], places: list[str]) -> None:
    assert judged(scanned(*purls)).details["findings"] == [f"{CVE}@{place}" for place in places]


def test_within_one_report_too() -> None:
    evidence = Evidence()
    evidence.report(finding(CVE, TRIVY, cvss=3.0), finding(CVE, OSV, cvss=7.5))
    details = judged(evidence).details
    assert (details["counts"]["total"], details["counts"]["high"]) == (1, 1)


LIFTED: list[tuple[str, list[str]]] = [
    # one scanner's package URL lifts all three
    (TRIVY, []),
    (GRYPE, []),
    (OSV, []),
    ("pkg:deb/debian/openssl", []),
    # of any version, what both say must be the same: it is so for two of the three
    ("pkg:deb/debian/openssl?distro=debian-12", [OSV]),
    # another version
    ("pkg:deb/debian/openssl@2", [OSV]),
]


@pytest.mark.parametrize(("product", "left"), LIFTED)
def test_a_lift_must_hold_for_what_each_report_says(product: str, left: list[str]) -> None:
    evidence = scanned(TRIVY, GRYPE, OSV)
    evidence.vex(not_affected(CVE, product))
    gate = judged(evidence)
    assert gate.details["findings"] == [f"{CVE}@{each}" for each in left]
    assert gate.details["liftedCount"] == (0 if left else 1)
