"""Reports that real scanners wrote, judged as a person reading them would (../shared/data, which nobody here wrote)."""

from typing import Any

import orjson
import pytest

from policies.outcomes import GateResult
from promotions.formats.parse import parse
from promotions.formats.reading import DocumentRefused
from tests.policies.cases import Case, verdict
from tests.policies.security.world import MEI, NIA, WEB, Evidence, guarded
from tests.promotions.formats.samples import SHARED

ABSENT = "the real reports are not here: ../shared/data beside the checkout is absent"

MUSL = "pkg:apk/alpine/musl@1.1.20-r4"
MUSL_UTILS = "pkg:apk/alpine/musl-utils@1.1.20-r4"
MUSL_BY_TRIVY = f"{MUSL}?arch=x86_64&distro=3.9.4"
LIMITS: Any = {"release-aggregate-cve": {}}

LOG4J: Any = {
    "SchemaVersion": 2,
    "ArtifactName": "shop.jar",
    "Results": [
        {
            "Target": "Java",
            "Class": "lang-pkgs",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2021-44228",
                    "PkgName": "org.apache.logging.log4j:log4j-core",
                    "PkgIdentifier": {"PURL": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
                    "InstalledVersion": "2.14.1",
                    "FixedVersion": "2.15.0",
                    "Severity": "CRITICAL",
                    "CVSS": {"nvd": {"V3Score": 10}},
                }
            ],
        }
    ],
}
"""Ours: no report in ../shared/data has anything that the catalogue lists."""


def openvex(vulnerability: str, *products: str) -> dict[str, Any]:
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "security@example.org",
        "timestamp": "2026-11-01T08:00:00Z",
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": vulnerability},
                "products": [{"@id": product} for product in products],
                "status": "not_affected",
                "justification": "vulnerable_code_not_in_execute_path",
            }
        ],
    }


def real(path: str) -> bytes:
    if not SHARED.is_dir():
        pytest.skip(ABSENT)
    return (SHARED / path).read_bytes()


def read(kind: str, document: bytes) -> Any:
    header = orjson.dumps({"kind": kind, "artifactDigest": WEB})
    return orjson.loads(parse(header + b"\n" + document))["parsed"]


class Scanned(Evidence):
    """A bundle of documents as they were sent."""

    def takes(self, kind: str, document: bytes | dict[str, Any], **changes: Any) -> "Scanned":
        raw = document if isinstance(document, bytes) else orjson.dumps(document)
        self.document(kind, read(kind, raw), **changes)
        return self


def judged(scanned: Scanned, rules: dict[str, Any] = LIMITS, *, kev: bool = False, **facts: Any) -> GateResult:
    case: Case = guarded(rules, current="id-running" if "currentBundleDigest" in facts else None)
    if kev:
        entries = read("kev", real("kev/known_exploited_vulnerabilities.json"))["entries"]
        facts["kev"] = scanned.feed("stella.kev/v1", "entries", entries)
    return scanned.into(case, **facts).gate("cve")


def scan(path: str) -> Scanned:
    return Scanned().takes("vulnerabilities", real(path))


def test_alpine_3_10_has_four_medium_findings_and_passes() -> None:
    gate = judged(scan("trivy/alpine-310.json"))
    assert verdict(gate) == ("pass", [])
    assert gate.details["counts"] == {
        "critical": 0,
        "high": 0,
        "medium": 4,
        "low": 0,
        "none": 0,
        "unknown": 0,
        "total": 4,
        "suppressed": 0,
    }


def test_alpine_3_9_is_stopped_by_musl() -> None:
    gate = judged(scan("trivy/alpine-39.json"))
    assert verdict(gate) == ("fail", ["TOO_MANY_CRITICAL"])
    assert gate.details["findings"] == [f"CVE-2019-14697@{MUSL_UTILS}", f"CVE-2019-14697@{MUSL}"]
    assert gate.message == (
        "2 critical findings where none is allowed: CVE-2019-14697 in musl-utils 1.1.20-r4 (critical, CVSS 9.8) and 1 "
        "more; upgrade musl-utils to 1.1.20-r5, or state in a trusted VEX document why it does not apply; then "
        "request again."
    )


def test_the_ruby_image_is_stopped_by_two_of_its_packages() -> None:
    """Trivy calls CVE-2020-8165 high, after its own source; its CVSS score is 9.8."""
    gate = judged(scan("trivy/fluentd-gems.json"))
    assert verdict(gate) == ("fail", ["TOO_MANY_CRITICAL"])
    assert gate.details["findings"] == [
        "CVE-2019-18224@pkg:deb/debian/libidn2-0@2.0.5-1",
        "CVE-2020-8165@pkg:gem/activesupport@6.0.2.1",
    ]


def test_distroless_python_warns_of_what_has_no_fix() -> None:
    """Two of the four are medium by Trivy's word and low by their scores: the worse counts."""
    gate = judged(scan("trivy/distroless-python27.json"), {"release-aggregate-cve": {"maxMedium": 5}})
    assert verdict(gate) == ("warn", ["CVE_LIMIT_NEAR"])
    assert gate.message == (
        "4 findings of medium severity or worse of at most 5: CVE-2019-1551 in libssl1.1 1.1.0k-1~deb9u1 (medium, CVSS "
        "5.3) and 3 more; libssl1.1 has no fixed version yet."
    )


def test_cyclonedx_with_vulnerabilities_is_stopped_by_jackson() -> None:
    gate = judged(scan("cyclonedx/pom-with-vulnerabilities.cdx.json"))
    assert verdict(gate) == ("fail", ["TOO_MANY_CRITICAL"])
    assert gate.details["findings"] == ["CVE-2020-9548@pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.9.1"]
    assert gate.details["counts"]["high"] == 1


@pytest.mark.parametrize("product", [MUSL, MUSL_BY_TRIVY])
def test_a_statement_about_musl_lifts_musl_and_nothing_else(product: str) -> None:
    scanned = scan("trivy/alpine-39.json").takes("vex", openvex("CVE-2019-14697", product))
    gate = judged(scanned)
    assert [each["id"] for each in gate.details["lifted"]] == [f"CVE-2019-14697@{MUSL}"]
    assert gate.details["findings"] == [f"CVE-2019-14697@{MUSL_UTILS}"]
    assert gate.details["counts"]["total"] == 5


def test_a_statement_about_the_image_lifts_the_vulnerability_in_all_of_it() -> None:
    gate = judged(scan("trivy/alpine-39.json").takes("vex", openvex("CVE-2019-14697", WEB)))
    assert (gate.status, gate.details["liftedCount"], gate.details["counts"]["total"]) == ("pass", 2, 4)


def test_a_statement_of_somebody_who_is_not_trusted_lifts_nothing() -> None:
    scanned = scan("trivy/alpine-39.json").takes("vex", openvex("CVE-2019-14697", WEB), uploadedBy=[NIA])
    assert judged(scanned).details["findingsCount"] == 2


def test_the_statement_of_the_cyclonedx_specification_lifts_its_own_finding_without_ranges_that_are_affected() -> None:
    document = real("cyclonedx/valid-vulnerability-1.6.json")
    scanned = Scanned().takes("vulnerabilities", document)
    assert judged(scanned).details["findingsCount"] == 1
    with pytest.raises(DocumentRefused, match="some versions"):
        scanned.takes("vex", document)
    whole = orjson.loads(document)
    for each in whole["vulnerabilities"][0]["affects"]:
        del each["versions"]
    assert judged(scanned.takes("vex", orjson.dumps(whole))).status == "pass"


def test_nothing_of_the_real_images_is_known_to_be_exploited() -> None:
    for name in ("alpine-310", "alpine-39", "distroless-python27", "fluentd-gems"):
        assert verdict(judged(scan(f"trivy/{name}.json"), {"kev-blocker": {}}, kev=True)) == ("pass", [])


def test_log4shell_is_listed_and_blocks() -> None:
    gate = judged(Scanned().takes("vulnerabilities", LOG4J), {"kev-blocker": {"graceDays": 14}}, kev=True)
    assert verdict(gate) == ("fail", ["KEV_LISTED"])
    assert gate.message == (
        "CVE-2021-44228 in org.apache.logging.log4j:log4j-core 2.14.1 (critical, CVSS 10.0) is exploited: listed in "
        "CISA's KEV catalogue on 2021-12-10, due since 2021-12-24; upgrade org.apache.logging.log4j:log4j-core to "
        "2.15.0, or state in a trusted VEX document why it does not apply; then request again."
    )


@pytest.mark.parametrize(
    ("new", "running", "expected"),
    [
        # the newer base image brings nothing new
        ("alpine-310", "alpine-39", ("pass", [])),
        # going back to the older one brings musl's critical finding
        ("alpine-39", "alpine-310", ("fail", ["NEW_CVE"])),
    ],
)
def test_what_is_new_against_the_image_that_runs(new: str, running: str, expected: tuple[str, list[str]]) -> None:
    scanned = scan(f"trivy/{running}.json")
    current = scanned.bundle()
    scanned.documents = []
    scanned.takes("vulnerabilities", real(f"trivy/{new}.json"))
    rules: Any = {"cve-delta": {"newCveSeverityThreshold": "low"}}
    gate = judged(scanned, rules, currentBundleDigest=current)
    assert verdict(gate) == expected
    assert all(each.startswith("CVE-2019-14697@") for each in gate.details["findings"])


def test_a_real_report_that_nobody_trusted_brought_is_not_clean() -> None:
    scanned = Scanned().takes("vulnerabilities", real("trivy/alpine-310.json"), uploadedBy=[MEI, NIA])
    assert verdict(judged(scanned)) == ("pending", ["SECURITY_REPORT_UNTRUSTED"])
