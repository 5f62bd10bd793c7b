"""VEX of either format: a document of which nothing counts is refused, and nothing that is added lifts."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.document_facts import VexStatement
from promotions.formats.reading import DocumentRefused
from promotions.formats.statements import LIFTING
from tests.promotions.formats.samples import ARTIFACT, cyclonedx, cyclonedx_entry, openvex, read
from tests.promotions.formats.vex import (
    APP,
    FINE,
    FINE_ENTRY,
    IMAGE,
    NO_REASON,
    OTHER_IMAGE,
    OTHER_PRODUCT,
    PACKAGE,
    PART,
    SECOND,
    SOME_VERSIONS,
    UNREADABLE,
    UNTOLD,
    cyclonedx_left_out,
    image,
    left_out,
    left_out_of,
    refused,
    said,
    statements,
    with_entries,
)

NOTHING: dict[str, tuple[Any, list[str]]] = {
    "another product": (
        openvex({"@id": APP, "subcomponents": [{"@id": PACKAGE}]}),
        [
            f"{OTHER_PRODUCT} (1)",
            f"Its first product is {APP}.",
            f"Write the artifact's digest ({ARTIFACT}) as product",
        ],
    ),
    "no reason": (openvex({"@id": PACKAGE}, justification=None), [f"{NO_REASON} (1)", "Write why in justification"]),
    "unreadable": (openvex(timestamp="x"), [f"{UNREADABLE} (1, first at $.statements[0].timestamp: This must be"]),
    "no statement": ({**openvex(), "statements": []}, ["makes no statement"]),
    "a package URL among the identifiers": (
        openvex({"identifiers": {"purl": "pkg:oci/other"}}),
        ["Its first product is pkg:oci/other."],
    ),
    "CycloneDX about something else": (
        cyclonedx(vulnerabilities=[cyclonedx_entry(affects=[{"ref": "nowhere"}], analysis={"state": "resolved"})]),
        [f"{UNTOLD} (1)", "Its first product is nowhere."],
    ),
    "CycloneDX without a state": (
        cyclonedx(vulnerabilities=[cyclonedx_entry(analysis={"detail": "Hm."})]),
        ["analyses without a state (1)"],
    ),
}


@pytest.mark.parametrize(("document", "words"), NOTHING.values(), ids=NOTHING)
def test_a_document_of_which_nothing_counts_says_what_to_write(document: Any, words: list[str]) -> None:
    refusal = refused(document)
    assert refusal.code == "EVD_INVALID_DOCUMENT"
    assert [each for each in words if each not in refusal.message] == []


RANGES = ["pkg:npm/lodash?vers=vers:npm/%3E%3D4.17.21", "pkg:npm/lodash?checksum=sha256:" + "e" * 64]


@pytest.mark.parametrize("purl", RANGES)
def test_a_range_of_versions_in_a_package_url_lifts_nothing(purl: str) -> None:
    assert left_out({"@id": purl}) == {SOME_VERSIONS: 1}
    assert left_out({"@id": IMAGE, "subcomponents": [{"@id": purl}, {"@id": PACKAGE}]}) == {SOME_VERSIONS: 1}
    assert cyclonedx_left_out(said([{"ref": purl}])) == {SOME_VERSIONS: 1}
    root = {"bom-ref": "root", "type": "library", "name": "lodash", "purl": purl}
    assert cyclonedx_left_out({**said([]), "metadata": {"component": root}}) == {SOME_VERSIONS: 1}
    assert len(statements(openvex({"@id": purl}, status="affected"))[0]["products"]) == 1


def test_what_is_no_address_or_justification_is_left_out() -> None:
    bad = openvex({"@id": PACKAGE}, vulnerability={"@id": "https://[x/CVE-2024-1111"})
    assert left_out_of({**bad, "statements": [*bad["statements"], FINE]}) == {UNREADABLE: 1}
    for justification in ([], {}):
        analysis = {"state": "not_affected", "justification": justification}
        document = cyclonedx(vulnerabilities=[cyclonedx_entry(analysis=analysis), FINE_ENTRY])
        assert left_out_of(document) == {NO_REASON: 1}


LIFTS = st.sampled_from(
    [
        openvex({"@id": PACKAGE})["statements"][0],
        openvex({"@id": image(PART)})["statements"][0],
        openvex()["statements"][0],
        FINE,
    ]
)
NO_LIFTS = st.sampled_from(
    [
        {**FINE, "status": "affected"},
        {**FINE, "status": "under_investigation", "products": [IMAGE, image(PART)]},
        {**FINE, "status": "affected", "products": []},
        openvex({"@id": APP, "subcomponents": [{"@id": PACKAGE}]})["statements"][0],
        openvex({"@id": OTHER_IMAGE})["statements"][0],
        openvex({"@id": IMAGE}, justification=None)["statements"][0],
        openvex({"@id": image(PART), "subcomponents": [{"@id": PACKAGE}]})["statements"][0],
        openvex({"@id": IMAGE}, vulnerability={"@id": "https://example.test/42"})["statements"][0],
        openvex({"@id": "pkg:"})["statements"][0],
        {},
        {"status": "fixed"},
        {"status": "fine"},
        1,
    ]
)


def lifts(document: Any) -> set[tuple[str, str]]:
    """Each vulnerability with each product that it is lifted for; nothing for a refused document."""
    try:
        answer = read("vex", document, parts=(PART, SECOND))
    except DocumentRefused:
        return set()
    assert answer["about"] == ""
    found: list[VexStatement] = answer["parsed"]["statements"]
    return {
        (each["vulnerability"], product)
        for each in found
        if each["status"] in LIFTING
        for product in each["products"] or ["all"]
    }


def with_statements(those: list[Any]) -> Any:
    return {**openvex(), "statements": those}


CYCLONEDX_LIFTS = st.sampled_from(
    [FINE_ENTRY, cyclonedx_entry(affects=[{"ref": "root"}], analysis={"state": "false_positive"})]
)
CYCLONEDX_NO_LIFTS = st.sampled_from(
    [
        cyclonedx_entry(analysis={"state": "exploitable"}),
        cyclonedx_entry(analysis={"state": "not_affected"}),
        cyclonedx_entry(affects=[{"ref": "nowhere"}], analysis={"state": "resolved"}),
        cyclonedx_entry(affects=[{"ref": OTHER_IMAGE}], analysis={"state": "resolved"}),
        cyclonedx_entry(analysis={}),
        cyclonedx_entry(),
        {"analysis": {"state": "resolved"}},
        {"id": "CVE-2026-0009"},
        1,
    ]
)


@pytest.mark.parametrize(
    ("with_those", "good", "other"),
    [(with_statements, LIFTS, NO_LIFTS), (with_entries, CYCLONEDX_LIFTS, CYCLONEDX_NO_LIFTS)],
    ids=["openvex", "cyclonedx"],
)
@given(data=st.data())
def test_nothing_that_is_added_lifts_but_a_statement_that_lifts(
    with_those: Callable[[list[Any]], Any], good: Any, other: Any, data: st.DataObject
) -> None:
    before = data.draw(st.lists(good | other, max_size=4))
    added = data.draw(st.lists(other, min_size=1, max_size=3))
    place = data.draw(st.integers(0, len(before)))
    # what is refused alone lifts nothing alone: compared with the statements that lift by themselves
    alone = {lift for each in before for lift in lifts(with_those([each]))}
    assert lifts(with_those([*before[:place], *added, *before[place:]])) <= alone
