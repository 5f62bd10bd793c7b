"""What a summary says of a document that is not as its own specification asks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.formats.schemas import NoSchema, first_problem
from stellapromote.isolation import run
from tests.promotions.formats.samples import (
    ARTIFACT,
    KEV,
    cyclonedx,
    cyclonedx_entry,
    grype,
    grype_match,
    openvex,
    osv,
    read,
    statement,
    trivy,
    trivy_entry,
    unsigned_envelope,
)
from tests.promotions.formats.schemas.edits import CYCLONEDX, OPENVEX, SPDX, STATEMENT

BAD = cyclonedx(components=[{"type": "plug-in", "name": "a"}, {"type": "library", "name": "b"}])


def said(kind: str, document: Any) -> tuple[bool | None, str | None, str | None]:
    summary = read(kind, document)["summary"]
    assert ("at" in summary, "problem" in summary) == (summary["schemaValid"] is False,) * 2
    return summary["schemaValid"], summary.get("at"), summary.get("problem")


@pytest.mark.parametrize(
    ("kind", "document", "valid", "at"),
    [
        ("sbom", cyclonedx(), True, None),
        ("sbom", SPDX, True, None),
        ("vex", OPENVEX, True, None),
        ("attestation", STATEMENT, True, None),
        ("vulnerabilities", cyclonedx(vulnerabilities=[cyclonedx_entry()]), True, None),
        # Taken, since gates do not look at what is wrong
        ("sbom", BAD, False, "$.components[0].type"),
        ("sbom", {**SPDX, "dataLicense": "MIT"}, False, "$.dataLicense"),
        # What GitHub wraps is judged like any other
        ("sbom", {"sbom": SPDX}, True, None),
        ("sbom", {"sbom": {**SPDX, "dataLicense": "MIT"}}, False, "$.sbom.dataLicense"),
        ("vex", {**OPENVEX, "version": "1"}, False, "$.version"),
        (
            "vulnerabilities",
            cyclonedx(vulnerabilities=[cyclonedx_entry(cwes=["79"])]),
            False,
            "$.vulnerabilities[0].cwes[0]",
        ),
        # What was read is judged, where it stood
        ("sbom", statement("https://cyclonedx.org/bom", cyclonedx()), True, None),
        ("sbom", statement("https://cyclonedx.org/bom", BAD), False, "$.predicate.components[0].type"),
        (
            "sbom",
            unsigned_envelope(statement("https://cyclonedx.org/bom", BAD)),
            False,
            "$.payload.predicate.components[0].type",
        ),
        ("vex", statement("https://openvex.dev/ns/v0.2.0", openvex()), False, "$.predicate.statements[0].products"),
        # No schema: scanners' own formats, and a version that is older than what is known here
        ("vulnerabilities", trivy(trivy_entry()), None, None),
        ("vulnerabilities", grype(grype_match()), None, None),
        ("vulnerabilities", osv(), None, None),
        ("vex", {**OPENVEX, "@context": "https://openvex.dev/ns"}, None, None),
    ],
)
def test_the_summary_says_whether_a_document_is_valid(
    kind: str, document: Any, valid: bool | None, at: str | None
) -> None:
    assert said(kind, document)[:2] == (valid, at)


def test_a_statement_names_the_products_of_the_vex_inside_it() -> None:
    vex = {
        **OPENVEX,
        "statements": [{name: each for name, each in OPENVEX["statements"][0].items() if name != "products"}],
    }
    assert said("vex", statement("https://openvex.dev/ns/v0.2.0", vex)) == (True, None, None)
    assert said("vex", vex) == (False, "$.statements[0]", "products is missing.")


def test_the_problem_is_one_short_sentence() -> None:
    assert said("sbom", BAD)[2] == (
        "This must be one of application, framework, library, container, platform, operating-system, device,"
        " device-driver, firmware, file, machine-learning-model, data, cryptographic-asset."
    )


def test_nothing_is_said_of_feeds() -> None:
    assert "schemaValid" not in read("kev", KEV)["summary"]


def test_the_place_of_a_long_name_is_cut() -> None:
    found = first_problem("cyclonedx", {**CYCLONEDX, "x" * 100_000: 1})
    assert found is not None
    assert (len(found.at), found.message) == (200, "The schema has no such member here.")


@pytest.mark.parametrize(
    ("component", "at"),
    [
        # Each would be an error of its own with all licences that there are in it
        ({"licenses": [{"license": {"id": "Our-Own"}}] * 100_000}, "$.components[0].licenses[0].license.id"),
        # The last of many, in a list that must not have one entry twice
        (
            {"components": [{"type": "file", "name": str(each)} for each in range(49_000)] + [{"name": "a"}]},
            "$.components[0].components[49000]",
        ),
    ],
)
def test_a_large_document_is_judged_within_the_limits_of_the_child(component: dict[str, Any], at: str) -> None:
    document = cyclonedx(components=[{"type": "application", "name": "app", **component}])
    header = json.dumps({"kind": "sbom", "artifactDigest": ARTIFACT}).encode()
    payload = header + b"\n" + json.dumps(document).encode()
    summary = json.loads(run("promotions.formats.parse:parse", payload, timeout=20))["summary"]
    assert (summary["schemaValid"], summary["at"]) == (False, at)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "type", "licenses", "license", "@id", "SPDXID", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("format_name", "document"),
    [("cyclonedx", CYCLONEDX), ("spdx", SPDX), ("openvex", OPENVEX), ("in-toto", STATEMENT)],
)
@given(data=st.data())
def test_whatever_stands_in_a_document_it_is_judged(
    format_name: str, document: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(document)))
    value = data.draw(JSON)
    inside = document[name]
    if isinstance(inside, list) and data.draw(st.booleans()):
        value = [*inside, value]
    try:
        found = first_problem(format_name, {**document, name: value})
    except NoSchema:
        return
    assert found is None or found.at.startswith("$")
