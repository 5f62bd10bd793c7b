"""The same facts have the same bytes, whatever the order in the file."""

import json
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.promotions.formats.samples import (
    cyclonedx,
    cyclonedx_entry,
    grype,
    grype_match,
    openvex,
    osv,
    read,
    shared,
    spdx,
    trivy,
    trivy_entry,
)

pytestmark = pytest.mark.slow


def shuffled(value: Any, random: Random) -> Any:
    """Every list and every object in another order."""
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: shuffled(value[name], random) for name in names}
    if isinstance(value, list):
        entries = [shuffled(each, random) for each in value]
        random.shuffle(entries)
        return entries
    return value


@cache
def _as_written(kind: str, text: str) -> dict[str, Any]:
    return read(kind, text.encode())


ENTRIES = [
    trivy_entry(),
    trivy_entry(CVSS={"nvd": {"V3Score": 9.1}, "redhat": {"V3Score": 3.1}}, FixedVersion="2, 1"),
    trivy_entry("CVE-2026-0002", PublishedDate="2026-01-01T00:00:00Z"),
    trivy_entry("CVE-2026-0002", PublishedDate="2026-02-01T00:00:00Z", CVSS={}),
]
IGNORED = [
    {"Type": "vulnerability", "Status": status, "Source": source, "Finding": trivy_entry(Severity=word, CVSS={})}
    for status, source, word in [
        ("ignored", ".trivyignore", "LOW"),
        ("fixed", "a.json", "UNKNOWN"),
        ("fixed", "b", "LOW"),
    ]
]
RULES = [{"vulnerability": "x"}, {"vex-status": "fixed"}]
RATED = {
    "affected": [
        {"database_specific": {"cvss": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
        {"ecosystem_specific": {"urgency": "low"}, "severity": [{"type": "Ubuntu", "score": "high"}]},
    ],
    "groups": [
        {"ids": ["GHSA-aaaa-bbbb-cccc", "GO-1"], "max_severity": "3.1"},
        {"ids": ["GHSA-aaaa-bbbb-cccc"], "experimental_analysis": {"GHSA-aaaa-bbbb-cccc": {"called": False}}},
        {"ids": ["GHSA-aaaa-bbbb-cccc"], "experimental_analysis": {"GHSA-aaaa-bbbb-cccc": {"called": True}}},
    ],
}
DOCUMENTS = [
    ("vulnerabilities", trivy(*ENTRIES)),
    ("vulnerabilities", trivy(Results=[{"Class": "os-pkgs", "ExperimentalModifiedFindings": IGNORED}])),
    ("vulnerabilities", grype(grype_match(related=("CVE-2026-1", "CVE-2026-0005", "CVE-2026-0006")), grype_match())),
    ("vulnerabilities", grype(ignoredMatches=[{**grype_match(), "appliedIgnoreRules": RULES}])),
    ("vulnerabilities", osv()),
    ("vulnerabilities", osv(**RATED)),
    ("vulnerabilities", cyclonedx(vulnerabilities=[cyclonedx_entry(affects=[{"ref": "a"}, {"ref": "b"}])])),
    ("vex", openvex({"@id": "pkg:npm/b@1"}, {"@id": "pkg:npm/a@1"})),
    ("vex", openvex({"@id": "https://example.test/x"}, {"@id": "pkg:npm/a@1", "subcomponents": []}, status="affected")),
    ("sbom", cyclonedx()),
    (
        "sbom",
        cyclonedx(
            metadata={"component": {"name": "app", "components": [{"name": "inner"}, {"name": "inner"}]}},
            services=[{"name": "payments", "services": [{"name": "ledger"}]}, {"name": "ledger"}],
        ),
    ),
    (
        "sbom",
        spdx(
            packages=[
                *spdx()["packages"],
                {"SPDXID": "SPDXRef-2", "name": "app", "primaryPackagePurpose": "CONTAINER"},
                {"SPDXID": "SPDXRef-3", "name": "b"},
            ],
            documentDescribes=["SPDXRef-2", "SPDXRef-3"],
        ),
    ),
    ("sbom", spdx()),
]


@pytest.mark.parametrize(("kind", "document"), DOCUMENTS)
@given(random=st.randoms(use_true_random=True))
def test_the_order_in_a_document_says_nothing(kind: str, document: Any, random: Random) -> None:
    assert read(kind, shuffled(document, random)) == _as_written(kind, json.dumps(document))


ODD = [
    ("sbom", cyclonedx(components=[{"name": "b", "purl": "x"}, {"version": "1"}, {"name": "a"}, {"version": "2"}])),
    ("vex", {**openvex(), "statements": [*openvex()["statements"], *openvex({"@id": "x"})["statements"]]}),
    (
        "vulnerabilities",
        trivy(*ENTRIES, trivy_entry(PkgName=None), trivy_entry(CVSS={"nvd": {"V3Score": 11}})),
    ),
    (
        "vulnerabilities",
        grype(grype_match(related=("CVE-2026-0005", "CVE-2026-0006")), {**grype_match(), "artifact": None}),
    ),
    ("vulnerabilities", osv(aliases=["CVE-2026-0002", 7, "CVE-2026-0003"])),
    (
        "vulnerabilities",
        cyclonedx(vulnerabilities=[cyclonedx_entry(affects=[{"ref": "a"}, {"ref": 7}, {"ref": "b"}]), {}]),
    ),
]


@pytest.mark.parametrize(("kind", "document"), ODD)
@given(random=st.randoms(use_true_random=True))
def test_what_is_left_out_is_the_same_in_any_order(kind: str, document: Any, random: Random) -> None:
    """Where the first of it stands is another place then, and is in no blob."""
    changed = read(kind, shuffled(document, random))["parsed"]
    assert changed == _as_written(kind, json.dumps(document))["parsed"]
    assert changed["leftOut"]


@pytest.mark.parametrize("name", ["alpine-39", "alpine-310", "fluentd-gems", "distroless-python27"])
def test_the_order_in_a_real_report_says_nothing(name: str) -> None:
    document = json.loads(shared(f"trivy/{name}.json"))
    assert read("vulnerabilities", shuffled(document, Random(7))) == read("vulnerabilities", document)  # noqa: S311
