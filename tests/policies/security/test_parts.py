"""An index has what each of its platforms has (docs/security-gate.md)."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.cases import BEFORE, NOW, verdict
from tests.policies.security.world import (
    AMD64,
    ARM64,
    KEY,
    MEI,
    MUSL,
    NIA,
    NO_CRITICAL,
    OTHER_KEY,
    WEB,
    Evidence,
    finding,
    guarded,
    not_affected,
)

MISSING, UNTRUSTED, STALE = (f"SECURITY_REPORT_{each}" for each in ("MISSING", "UNTRUSTED", "STALE"))
DAY = 24 * 60 * 60
BOTH = {WEB: [AMD64, ARM64]}
AMD, ARM = {"about": AMD64}, {"about": ARM64}
SIGNED: Any = {"signer": KEY, "uploadedBy": [NIA]}


def judged(evidence: Evidence, **config: Any) -> GateResult:
    return evidence.into(guarded(NO_CRITICAL, **config)).gate("cve")


# (the index in the bundle, the reports, what lacks one: its platform or None for the artifact itself)
REPORTS: list[tuple[dict[str, list[str]], list[dict[str, Any]], list[tuple[str | None, str]]]] = [
    # about the artifact itself
    (BOTH, [{}], []),
    # about each platform
    (BOTH, [AMD, ARM], []),
    # about one of two
    (BOTH, [AMD], [(ARM64, MISSING)]),
    # about the artifact and one of two
    (BOTH, [{}, AMD], []),
    # about each, and of one by nobody who is trusted
    (BOTH, [AMD, {**ARM, "uploadedBy": [NIA]}], [(ARM64, UNTRUSTED)]),
    # about each, and one is too old
    (BOTH, [AMD, {**ARM, "generatedAt": "2026-01-01T00:00:00.000Z"}], [(ARM64, STALE)]),
    # about each twice, one of which will do
    (BOTH, [AMD, {**ARM, "uploadedBy": [NIA]}, ARM], []),
    # about one of two, and about the artifact one that is not trusted: both are ways to go on
    (BOTH, [AMD, {"uploadedBy": [NIA]}], [(None, UNTRUSTED), (ARM64, MISSING)]),
    # about a manifest that the index does not list
    ({WEB: [AMD64]}, [ARM], [(None, MISSING)]),
    # the same beside the one that it lists
    ({WEB: [AMD64]}, [AMD, ARM], []),
    # an index of nothing is had by no report
    ({WEB: []}, [AMD], [(None, MISSING)]),
    # no report at all
    (BOTH, [], [(None, MISSING)]),
    # without the index the uploader says what the document is about
    ({}, [AMD], []),
    # so it must be an uploader who is trusted
    ({}, [{**AMD, "uploadedBy": [NIA]}], [(None, UNTRUSTED)]),
    # a key has signed it for the platform, and nothing says that there is no other
    ({}, [{**AMD, **SIGNED}], [(None, MISSING)]),
    ({}, [{**AMD, **SIGNED}, {**ARM, **SIGNED}], [(None, MISSING)]),
    # with the index it is one of its platforms
    ({WEB: [AMD64]}, [{**AMD, **SIGNED}], []),
    # signed by a key that is not trusted
    ({WEB: [AMD64]}, [{**AMD, "signer": OTHER_KEY, "uploadedBy": [NIA]}], [(AMD64, UNTRUSTED)]),
    # the document names the artifact itself as what it is about
    ({}, [{"about": WEB, **SIGNED}], []),
]


@pytest.mark.parametrize(("indexes", "reports", "lacking"), REPORTS)
def test_which_reports_show_that_an_artifact_was_scanned(
    indexes: dict[str, list[str]], reports: list[dict[str, Any]], lacking: list[tuple[str | None, str]]
) -> None:
    evidence = Evidence()
    evidence.indexes = indexes
    for each in reports:
        evidence.report(**each)
    gate = judged(evidence, maxReportAge=100 * DAY)
    assert verdict(gate) == ("pending" if lacking else "pass", sorted({code for _, code in lacking}))
    assert [(each.get("about"), each["code"]) for each in gate.details["lacking"]] == lacking
    assert gate.details["lackingCount"] == len(lacking)


def test_the_message_names_the_platform_that_lacks_one() -> None:
    evidence = Evidence()
    evidence.indexes = BOTH
    evidence.report(**AMD)
    assert judged(evidence).message == (
        f"Platform manifest {ARM64[:19]}… of artifact {WEB[:19]}… has no scanner report: upload one, then take a new "
        "evidence bundle."
    )


def test_a_report_of_a_platform_without_the_index_is_told() -> None:
    evidence = Evidence()
    evidence.report(**AMD, **SIGNED)
    assert judged(evidence).message == (
        f"Artifact {WEB[:19]}… has no scanner report (what is there is about single platforms, and no index in the "
        "bundle lists them): upload one, then take a new evidence bundle."
    )


def test_it_is_judged_again_when_the_report_of_the_first_platform_gets_too_old() -> None:
    evidence = Evidence()
    evidence.indexes = BOTH
    evidence.report(**AMD, generatedAt=BEFORE)
    evidence.report(**ARM, uploadedAt=NOW)
    assert judged(evidence, maxReportAge=4 * DAY).next_change_at == "2026-11-24T08:00:00.000Z"


@pytest.mark.parametrize("about", [{}, AMD, {"about": "sha256:" + "9" * 64}])
@pytest.mark.parametrize("indexes", [{}, BOTH])
def test_what_any_report_finds_counts_for_the_artifact(about: dict[str, str], indexes: dict[str, list[str]]) -> None:
    evidence = Evidence()
    evidence.indexes = indexes
    evidence.report()
    evidence.report(finding(), **about, uploadedBy=[NIA])
    assert verdict(judged(evidence)) == ("fail", ["TOO_MANY_CRITICAL"])


def test_the_documents_are_told_with_the_platform_that_they_are_about() -> None:
    evidence = Evidence()
    evidence.report(**AMD)
    assert [each["about"] for each in judged(evidence).details["documents"]] == [AMD64]


# (the statement, its document, which of the findings about the artifact, amd64, arm64 stays)
STATEMENTS: list[tuple[list[str], dict[str, Any], list[str]]] = [
    # about the artifact as a whole
    ([], {}, []),
    ([WEB], {}, []),
    # about the package
    ([MUSL], {}, []),
    # about one platform
    ([AMD64], {}, ["arm64", "web"]),
    ([f"pkg:oci/web@{AMD64.replace(':', '%3A')}"], {}, ["arm64", "web"]),
    ([AMD64, ARM64], {}, ["web"]),
    # in a document about one platform
    ([], AMD, ["arm64", "web"]),
    ([MUSL], AMD, ["arm64", "web"]),
    ([WEB], AMD, ["arm64", "web"]),
    # in a document about one platform a product that is another
    ([ARM64], AMD, ["amd64", "arm64", "web"]),
]


@pytest.mark.parametrize("indexes", [{}, BOTH])
@pytest.mark.parametrize(("products", "document", "left"), STATEMENTS)
def test_a_statement_about_a_platform_speaks_of_reports_about_it(
    products: list[str], document: dict[str, Any], left: list[str], indexes: dict[str, list[str]]
) -> None:
    evidence = Evidence()
    evidence.indexes = indexes
    names = {"CVE-2024-1": "web", "CVE-2024-2": "amd64", "CVE-2024-3": "arm64"}
    for (cve, _), about in zip(names.items(), ({}, AMD, ARM), strict=True):
        evidence.report(finding(cve), **about)
    evidence.vex(*(not_affected(cve, *products) for cve in names), **document)
    found = judged(evidence).details["findings"]
    assert sorted(names[each.partition("@")[0]] for each in found) == left


def test_a_finding_of_two_platforms_stays_until_it_is_lifted_in_both() -> None:
    evidence = Evidence()
    evidence.report(finding(), **AMD)
    evidence.report(finding(), **ARM)
    evidence.vex(not_affected("CVE-2019-14697", AMD64))
    assert judged(evidence).details["findingsCount"] == 1
    evidence.vex(not_affected("CVE-2019-14697", ARM64), uploadedBy=[MEI])
    assert judged(evidence).details["findingsCount"] == 0
