"""VEX: what a statement names here, what is left out and why, and what refuses the document."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.document_facts import VexStatement
from promotions.formats.reading import DocumentRefused
from promotions.formats.statements import LIFTING
from tests.promotions.formats.samples import ARTIFACT, OTHER, cyclonedx, cyclonedx_entry, openvex, read, shared

PACKAGE = "pkg:deb/debian/openssl@3.0"
APP = "pkg:golang/example.test/app"
PART = "sha256:" + "c" * 64
SECOND = "sha256:" + "d" * 64


def image(digest: str) -> str:
    return f"pkg:oci/app@{digest.replace(':', '%3A')}"


HEX = ARTIFACT.removeprefix("sha256:")
IMAGE, OTHER_IMAGE = image(ARTIFACT), image(OTHER)

OTHER_PRODUCT = "statements about another product than this artifact"
UNTOLD = "statements about something without a package URL or digest"
ONE_PLATFORM = "statements about packages in one platform of this image"
TWO_NAMES = "statements about a product whose names contradict each other"
SOME_VERSIONS = "statements about some versions of a package"
NO_REASON = "statements that say not_affected and not why"
UNREADABLE = "an entry that cannot be read"


def statements(document: Any, **context: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read("vex", document, **context)["parsed"]["statements"]
    return found


def products(*given: Any, **fields: Any) -> list[list[str]]:
    return [each["products"] for each in statements(openvex(*given, **fields))]


def refused(document: Any, **context: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read("vex", document, **context)
    return caught.value


FINE = {"vulnerability": {"name": "CVE-2026-0009"}, "products": [{"@id": PACKAGE}], "status": "fixed"}
FINE_ENTRY = cyclonedx_entry(id="CVE-2026-0009", analysis={"state": "resolved"})


def left_out(*given: Any, parts: tuple[str, ...] = (), **fields: Any) -> dict[str, int]:
    """Reasons and numbers of an OpenVEX statement, beside one that counts."""
    document = openvex(*given, **fields)
    return _left_out({**document, "statements": [*document["statements"], FINE]}, parts)


def _left_out(document: Any, parts: tuple[str, ...] = ()) -> dict[str, int]:
    answer = read("vex", document, parts=parts)
    assert [each["vulnerability"] for each in answer["parsed"]["statements"]] == ["CVE-2026-0009"]
    facts: dict[str, int] = {each["reason"]: each["number"] for each in answer["parsed"].get("leftOut", [])}
    assert answer["summary"]["leftOut"] == sum(facts.values())
    return facts


def test_an_openvex_statement_about_a_package_names_it() -> None:
    assert statements(openvex({"@id": PACKAGE})) == [
        {
            "vulnerability": "CVE-2026-0001",
            "aliases": [],
            "products": [PACKAGE],
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
            "statedAt": "2026-11-01T08:00:00.000Z",
        }
    ]


NAMES: list[tuple[list[Any], list[str]]] = [
    # this image by its digest
    ([{"@id": IMAGE}], [ARTIFACT]),
    ([{"hashes": {"sha-256": ARTIFACT.removeprefix("sha256:")}}], [ARTIFACT]),
    # a package in this image is the package
    ([{"@id": IMAGE, "subcomponents": [{"@id": PACKAGE}]}], [PACKAGE]),
    # of several products only what is of this image counts
    ([{"@id": OTHER_IMAGE}, {"@id": PACKAGE}], [PACKAGE]),
    ([{"@id": PACKAGE, "identifiers": {"purl": APP}}, {"@id": PACKAGE}], [PACKAGE]),
    # names that are of the same thing
    ([{"@id": IMAGE, "hashes": {"sha-256": HEX}, "identifiers": {"purl": f"{IMAGE}?arch=amd64"}}], [ARTIFACT]),
    ([{"@id": PACKAGE, "hashes": {"sha-256": "e" * 64}, "identifiers": {"purl": PACKAGE}}], [PACKAGE]),
    # without products: the artifact
    ([], []),
    # before 0.2 a product is text
    ([PACKAGE], [PACKAGE]),
]


@pytest.mark.parametrize(("given", "expected"), NAMES)
def test_a_statement_names_what_its_products_are_here(given: list[Any], expected: list[str]) -> None:
    assert products(*given) == [expected]


def test_subcomponents_before_0_2_are_those_of_every_product() -> None:
    assert products(IMAGE, subcomponents=[PACKAGE]) == [[PACKAGE]]
    assert left_out(APP, subcomponents=[PACKAGE]) == {OTHER_PRODUCT: 1}


LIFTS_NOTHING: list[tuple[Any, str]] = [
    ({"@id": OTHER_IMAGE}, OTHER_PRODUCT),
    # an image without its digest may be any
    ({"@id": "pkg:oci/debian", "subcomponents": [{"@id": PACKAGE}]}, OTHER_PRODUCT),
    ({"@id": OTHER_IMAGE, "subcomponents": [{"@id": PACKAGE}]}, OTHER_PRODUCT),
    # as govulncheck and VEX Hub write: the application and what is in it
    ({"@id": APP, "subcomponents": [{"@id": PACKAGE}]}, OTHER_PRODUCT),
    ({"@id": "https://example.test/app"}, UNTOLD),
    ({"@id": IMAGE, "subcomponents": [{"@id": "https://example.test/x"}]}, UNTOLD),
    # two packages, this image and a package, this image and another one
    ({"@id": PACKAGE, "identifiers": {"purl": "pkg:deb/debian/curl@8"}}, TWO_NAMES),
    ({"@id": PACKAGE, "hashes": {"sha-256": HEX}}, TWO_NAMES),
    ({"@id": IMAGE, "identifiers": {"purl": PACKAGE}}, TWO_NAMES),
    ({"@id": "pkg:oci/app", "identifiers": {"purl": PACKAGE}}, TWO_NAMES),
    ({"@id": OTHER_IMAGE, "hashes": {"sha-256": HEX}}, TWO_NAMES),
    ({"hashes": {"sha-256": HEX}, "identifiers": {"hashes": {"sha-256": "e" * 64}}}, TWO_NAMES),
    ({"@id": IMAGE, "subcomponents": [{"@id": PACKAGE, "identifiers": {"purl": "pkg:npm/x"}}]}, TWO_NAMES),
    ({"@id": IMAGE, "identifiers": {"purl": PACKAGE}, "subcomponents": [{"@id": APP}]}, TWO_NAMES),
]


@pytest.mark.parametrize("status", ["not_affected", "fixed"])
@pytest.mark.parametrize(("given", "reason"), LIFTS_NOTHING)
def test_what_would_lift_and_is_of_something_else_is_left_out(given: Any, reason: str, status: str) -> None:
    assert left_out(given, status=status) == {reason: 1}


BAD_NEWS: list[tuple[Any, list[str]]] = [
    # whatever the product is, its subcomponents are looked at
    ({"@id": APP, "subcomponents": [{"@id": PACKAGE}]}, [PACKAGE]),
    ({"@id": OTHER_IMAGE, "subcomponents": [{"@id": PACKAGE}]}, [PACKAGE]),
    ({"@id": "https://example.test/app", "subcomponents": [{"@id": PACKAGE}]}, [PACKAGE]),
    # a subcomponent that cannot be told: then the product itself, too
    ({"@id": IMAGE, "subcomponents": [{"@id": PACKAGE}, {"@id": "https://example.test/x"}]}, [PACKAGE, ARTIFACT]),
    ({"@id": APP, "subcomponents": [{"@id": "https://example.test/x"}]}, [APP]),
    ({"@id": IMAGE}, [ARTIFACT]),
    # what cannot be told may be the artifact
    ({"@id": "zzz"}, [ARTIFACT]),
    ({"@id": "pkg:oci/app"}, [ARTIFACT]),
    ({"@id": "zzz", "subcomponents": [{"@id": "https://example.test/x"}]}, [ARTIFACT]),
    ({"@id": "zzz", "subcomponents": [{"@id": PACKAGE}, {"@id": "https://example.test/x"}]}, [PACKAGE, ARTIFACT]),
    # of names that contradict each other all count
    ({"@id": PACKAGE, "identifiers": {"purl": APP}}, [PACKAGE, APP]),
    ({"@id": PACKAGE, "hashes": {"sha-256": HEX}}, [PACKAGE, ARTIFACT]),
]


@pytest.mark.parametrize("status", ["affected", "under_investigation"])
@pytest.mark.parametrize(("given", "expected"), BAD_NEWS)
def test_bad_news_counts_for_the_subcomponents_of_any_product(given: Any, expected: list[str], status: str) -> None:
    assert products(given, status=status) == [expected]


def test_bad_news_about_another_image_is_left_out() -> None:
    assert left_out({"@id": OTHER_IMAGE}, status="affected") == {OTHER_PRODUCT: 1}


WHY: list[tuple[dict[str, Any], bool]] = [
    ({"justification": "component_not_present"}, True),
    ({"justification": None, "impact_statement": "The code was removed.\nSee our patch."}, True),
    ({"justification": None}, False),
    ({"justification": None, "impact_statement": " "}, False),
    # no word that OpenVEX knows
    ({"justification": "we_looked"}, False),
    # only not_affected needs a reason
    ({"justification": None, "status": "fixed"}, True),
    ({"justification": None, "status": "affected"}, True),
]


@pytest.mark.parametrize(("fields", "counts"), WHY)
def test_not_affected_says_why_or_lifts_nothing(fields: dict[str, Any], counts: bool) -> None:
    if counts:
        assert products({"@id": PACKAGE}, **fields) == [[PACKAGE]]
    else:
        assert left_out({"@id": PACKAGE}, **fields) == {NO_REASON: 1}


IDS: list[tuple[str, str | None]] = [
    ("CVE-2026-0001", "CVE-2026-0001"),
    ("GHSA-aaaa-bbbb-cccc", "GHSA-aaaa-bbbb-cccc"),
    ("https://nvd.nist.gov/vuln/detail/CVE-2026-0001", "CVE-2026-0001"),
    ("https://nvd.nist.gov/vuln/detail/cve-2026-0001/", "CVE-2026-0001"),
    ("https://github.com/advisories/GHSA-aaaa-bbbb-cccc", "GHSA-aaaa-bbbb-cccc"),
    ("https://pkg.go.dev/vuln/GO-2026-0617", "GO-2026-0617"),
    # it may be another than the path says
    ("https://example.test/CVE-2026-0001?and=CVE-2026-0002", None),
    ("https://example.test/CVE-2026-0001#CVE-2026-0002", None),
    ("https://example.test/cgi-bin/cvename.cgi?name=CVE-2026-0001", None),
    ("https://example.test/advisories/42", None),
    ("https://example.test/not-CVE-2026-0001", None),
    ("urn:cve:CVE-2026-0001", None),
]


@pytest.mark.parametrize(("given", "name"), IDS)
def test_a_vulnerability_that_has_only_an_id_is_named_by_it(given: str, name: str | None) -> None:
    if name is None:
        assert left_out({"@id": PACKAGE}, vulnerability={"@id": given}) == {UNREADABLE: 1}
        document = openvex({"@id": PACKAGE}, vulnerability={"@id": given}, status="affected")
        assert refused(document).place == "$.statements[0].vulnerability.@id"
    else:
        assert statements(openvex({"@id": PACKAGE}, vulnerability={"@id": given}))[0]["vulnerability"] == name


def test_the_name_is_believed_before_the_id() -> None:
    given = {"@id": "https://nvd.nist.gov/vuln/detail/CVE-2026-0002", "name": "CVE-2026-0001"}
    assert statements(openvex({"@id": PACKAGE}, vulnerability=given))[0]["vulnerability"] == "CVE-2026-0001"


SEVERAL: list[tuple[str, list[str], str, list[tuple[str, list[str]]]]] = [
    # a lift by the name of a CVE is of that one alone
    ("CVE-2026-0001", ["CVE-2026-0002", "GHSA-1"], "resolved", [("CVE-2026-0001", ["GHSA-1"])]),
    ("cve-2026-0001", ["CVE-2026-0002"], "resolved", [("CVE-2026-0001", [])]),
    # whatever the number of its digits
    ("CVE-2026-222", ["CVE-2026-2222"], "resolved", [("CVE-2026-222", [])]),
    # what is said of an advisory is said of each CVE in it
    ("GHSA-1", ["CVE-2026-1", "CVE-2026-222"], "resolved", [("CVE-2026-1", ["GHSA-1"]), ("CVE-2026-222", ["GHSA-1"])]),
    # bad news is about all that it names
    ("CVE-2026-0001", ["CVE-2026-0002"], "exploitable", [("CVE-2026-0001", []), ("CVE-2026-0002", [])]),
]


@pytest.mark.parametrize(("name", "others", "state", "expected"), SEVERAL)
def test_a_lift_by_the_name_of_a_cve_is_of_that_one_alone(
    name: str, others: list[str], state: str, expected: list[tuple[str, list[str]]]
) -> None:
    status = {"resolved": "fixed", "exploitable": "affected"}[state]
    vulnerability = {"name": name, "aliases": others}
    references = [{"id": each, "source": {"name": "x"}} for each in others]
    entry = cyclonedx_entry(id=name, references=references, analysis={"state": state})
    documents = [openvex({"@id": PACKAGE}, vulnerability=vulnerability, status=status), with_entries([entry])]
    for document in documents:
        assert [(each["vulnerability"], each["aliases"]) for each in statements(document)] == expected


def test_an_unknown_status_is_refused_at_its_place() -> None:
    assert refused(openvex(status="fine")).place == "$.statements[0].status"


UNREADABLE_FIELDS: dict[str, dict[str, Any]] = {
    "a vulnerability without a name": {"vulnerability": {}},
    "a time that is none": {"timestamp": "yesterday"},
    "a product that is no package URL": {"products": ["pkg:"]},
    "a product that is no object": {"products": [1]},
    "products that are no list": {"products": "all"},
    "an alias that is no text": {"vulnerability": {"name": "CVE-2026-0001", "aliases": [1]}},
}


@pytest.mark.parametrize("fields", UNREADABLE_FIELDS.values(), ids=UNREADABLE_FIELDS)
def test_what_cannot_be_read_is_left_out_if_it_would_lift_and_refused_if_not(fields: dict[str, Any]) -> None:
    assert left_out(**fields) == {UNREADABLE: 1}
    assert refused(openvex(status="affected", **({"products": [PACKAGE]} | fields))).place.startswith(
        "$.statements[0]."
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


SAMPLES = {"no-reason": NO_REASON, "app-product": OTHER_PRODUCT}


@pytest.mark.parametrize(("name", "reason"), SAMPLES.items())
def test_the_real_documents_that_lift_nothing_are_refused(name: str, reason: str) -> None:
    assert reason in refused(shared(f"real-min/14-openvex/{name}.json")).message


def test_the_real_document_with_an_id_only_is_read() -> None:
    (one,) = statements(shared("real-min/14-openvex/by-id.json"))
    assert (one["vulnerability"], one["products"]) == ("CVE-2099-1", ["pkg:golang/stdlib"])


@pytest.mark.parametrize(("status", "day"), [("affected", "03"), ("under_investigation", "03"), ("fixed", "02")])
def test_a_change_of_the_document_says_bad_news_again_and_lifts_nothing_again(status: str, day: str) -> None:
    document = openvex(status=status)
    document |= {"timestamp": "2026-11-02T08:00:00Z", "last_updated": "2026-11-03T08:00:00Z"}
    assert statements(document)[0]["statedAt"] == f"2026-11-{day}T08:00:00.000Z"


def test_the_last_change_of_a_statement_is_when_it_was_said() -> None:
    document = openvex(timestamp="2026-11-02T08:00:00Z", last_updated="2026-11-03T08:00:00Z")
    assert statements(document)[0]["statedAt"] == "2026-11-03T08:00:00.000Z"


RANGES = ["pkg:npm/lodash?vers=vers:npm/%3E%3D4.17.21", "pkg:npm/lodash?checksum=sha256:" + "e" * 64]


@pytest.mark.parametrize("purl", RANGES)
def test_a_range_of_versions_in_a_package_url_lifts_nothing(purl: str) -> None:
    assert left_out({"@id": purl}) == {SOME_VERSIONS: 1}
    assert left_out({"@id": IMAGE, "subcomponents": [{"@id": purl}, {"@id": PACKAGE}]}) == {SOME_VERSIONS: 1}
    assert cyclonedx_left_out(said([{"ref": purl}])) == {SOME_VERSIONS: 1}
    root = {"bom-ref": "root", "type": "library", "name": "lodash", "purl": purl}
    assert cyclonedx_left_out({**said([]), "metadata": {"component": root}}) == {SOME_VERSIONS: 1}
    assert len(statements(openvex({"@id": purl}, status="affected"))[0]["products"]) == 1


def without_products(**fields: Any) -> Any:
    document = openvex(**fields)
    if "products" not in fields:
        del document["statements"][0]["products"]
    return {**document, "statements": [*document["statements"], FINE]}


def test_subcomponents_without_a_product_lift_nothing() -> None:
    inside = [{"@id": PACKAGE}]
    assert _left_out(without_products(subcomponents=inside)) == {UNTOLD: 1}
    assert _left_out(without_products(subcomponents=inside, products=[])) == {UNTOLD: 1}
    assert [] in [each["products"] for each in statements(without_products(subcomponents=inside, status="affected"))]


@pytest.mark.parametrize("name", ["products", "subcomponents"])
@pytest.mark.parametrize("value", ["", {}, 0, False])
def test_what_is_no_list_of_products_is_not_an_absent_one(name: str, value: Any) -> None:
    assert _left_out(without_products(**{name: value})) == {UNREADABLE: 1}
    refused(without_products(**{name: value}, status="affected"))


@pytest.mark.parametrize("base", ["pkg:docker/debian@12", image(OTHER)])
def test_bad_news_about_a_base_image_counts_for_the_artifact(base: str) -> None:
    inside = {"@id": IMAGE, "subcomponents": [{"@id": base}]}
    assert statements(openvex(inside, status="affected"))[0]["products"] == [ARTIFACT]
    both = {"@id": IMAGE, "subcomponents": [{"@id": base}, {"@id": PACKAGE}]}
    assert statements(openvex(both, status="affected"))[0]["products"] == [PACKAGE, ARTIFACT]


def test_what_is_no_address_or_justification_is_left_out() -> None:
    bad = openvex({"@id": PACKAGE}, vulnerability={"@id": "https://[x/CVE-2024-1111"})
    assert _left_out({**bad, "statements": [*bad["statements"], FINE]}) == {UNREADABLE: 1}
    for justification in ([], {}):
        analysis = {"state": "not_affected", "justification": justification}
        document = cyclonedx(vulnerabilities=[cyclonedx_entry(analysis=analysis), FINE_ENTRY])
        assert _left_out(document) == {NO_REASON: 1}


def test_a_product_of_one_platform_keeps_its_digest() -> None:
    document = openvex({"@id": image(PART)}, {"@id": image(SECOND)})
    answer = read("vex", document, parts=(PART, SECOND))
    assert answer["parsed"]["statements"][0]["products"] == [PART, SECOND]
    assert answer["namesArtifact"] is True


def test_packages_in_one_platform_are_not_packages_in_all() -> None:
    inside = {"@id": image(PART), "subcomponents": [{"@id": PACKAGE}]}
    assert left_out(inside, parts=(PART,)) == {ONE_PLATFORM: 1}
    assert statements(openvex(inside, status="affected"), parts=(PART,))[0]["products"] == [PACKAGE]


def test_a_platform_does_not_name_the_whole_image_for_a_statement_without_products() -> None:
    whole = {**FINE, "products": []}
    document = {**openvex({"@id": image(PART)}), "statements": [*openvex({"@id": image(PART)})["statements"], whole]}
    assert read("vex", document, parts=(PART,))["namesArtifact"] is False


STATES = [
    ("exploitable", {}, "affected"),
    ("in_triage", {}, "under_investigation"),
    ("false_positive", {}, "not_affected"),
    ("not_affected", {"justification": "code_not_reachable"}, "not_affected"),
    ("not_affected", {"detail": "Never called."}, "not_affected"),
    ("resolved", {}, "fixed"),
    ("resolved_with_pedigree", {}, "fixed"),
]


@pytest.mark.parametrize(("state", "fields", "status"), STATES)
def test_states_of_cyclonedx(state: str, fields: dict[str, str], status: str) -> None:
    (one,) = statements(cyclonedx(vulnerabilities=[cyclonedx_entry(analysis={"state": state, **fields})]))
    assert (one["status"], one["products"]) == (status, [PACKAGE])


ELSEWHERE = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg%3Adeb%2Fdebian%2Fopenssl%403.0"
UNVERSIONED = {"bom-ref": "d", "name": "d", "version": "1", "purl": "pkg:npm/d"}


def said(affects: Any, state: str = "resolved", **fields: Any) -> Any:
    entry = cyclonedx_entry(affects=affects, analysis={"state": state, **fields})
    return cyclonedx(
        components=[*cyclonedx()["components"], {"bom-ref": "c", "name": "bundled"}, UNVERSIONED],
        vulnerabilities=[entry],
    )


def cyclonedx_left_out(document: Any) -> dict[str, int]:
    return _left_out({**document, "vulnerabilities": [*document["vulnerabilities"], FINE_ENTRY]})


CYCLONEDX_LEFT_OUT: list[tuple[Any, dict[str, Any], str]] = [
    ([{"ref": "a"}], {"state": "not_affected"}, NO_REASON),
    ([{"ref": "a"}], {"state": "not_affected", "justification": "we_looked"}, NO_REASON),
    ([{"ref": "nowhere"}], {}, UNTOLD),
    # a component of this artifact without a package URL: no finding could be matched
    ([{"ref": "c"}], {}, UNTOLD),
    ([{"ref": OTHER_IMAGE}], {}, OTHER_PRODUCT),
    # all versions of the package, or the one that is named beside it?
    ([{"ref": "pkg:npm/a", "versions": [{"version": "1"}]}], {}, SOME_VERSIONS),
    # other versions than the component's, a range, or its own as affected, which is the schema's default
    ([{"ref": "a", "versions": [{"version": "1.0", "status": "affected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"version": "2.0", "status": "unaffected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"range": "vers:deb/<4", "status": "unaffected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"version": "3.0", "status": "affected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": [{"version": "3.0"}]}], {}, SOME_VERSIONS),
    (
        [{"ref": "a", "versions": [{"version": v, "status": "unaffected"} for v in ("3.0", "2.0")]}],
        {},
        SOME_VERSIONS,
    ),
    ([{"ref": "root", "versions": [{"version": "1", "status": "unaffected"}]}], {}, SOME_VERSIONS),
    ([{"ref": "a", "versions": "all"}], {}, UNREADABLE),
    # a component without a version in its package URL is not every version of the package
    ([{"ref": "d"}], {}, SOME_VERSIONS),
    # a component of another document
    ([{"ref": ELSEWHERE}], {}, OTHER_PRODUCT),
    ([{"ref": "a"}], {"lastUpdated": "yesterday"}, UNREADABLE),
]


@pytest.mark.parametrize(("affects", "fields", "reason"), CYCLONEDX_LEFT_OUT)
def test_what_would_lift_in_cyclonedx_and_cannot_count_is_left_out(
    affects: Any, fields: dict[str, Any], reason: str
) -> None:
    assert cyclonedx_left_out(said(affects, **fields)) == {reason: 1}


CYCLONEDX_PRODUCTS: list[tuple[Any, str, list[str]]] = [
    ([{"ref": "root"}], "resolved", [ARTIFACT]),
    ([{"ref": IMAGE}], "resolved", [ARTIFACT]),
    ([{"ref": "pkg:npm/a@1", "versions": [{"version": "1", "status": "unaffected"}]}], "resolved", ["pkg:npm/a@1"]),
    ([{"ref": "a", "versions": [{"version": "3.0", "status": "unaffected"}]}], "resolved", [PACKAGE]),
    # bad news is about every version
    ([{"ref": "a", "versions": [{"version": "2.0", "status": "affected"}]}], "exploitable", [PACKAGE]),
    ([{"ref": "pkg:npm/a", "versions": [{"version": "1"}]}], "exploitable", ["pkg:npm/a"]),
    # bad news about a component that no finding can be matched with is bad news about the artifact
    ([{"ref": "c"}], "exploitable", [ARTIFACT]),
    ([], "resolved", []),
    # bad news about a component of another document
    ([{"ref": ELSEWHERE}], "exploitable", [PACKAGE]),
    # bad news about what cannot be told, and about an image without a digest
    ([{"ref": "nowhere"}], "exploitable", [ARTIFACT]),
    ([{"ref": "pkg:oci/app"}], "in_triage", [ARTIFACT]),
    ([{"ref": "nowhere"}, {"ref": "a"}], "exploitable", [PACKAGE, ARTIFACT]),
]


@pytest.mark.parametrize(("affects", "state", "expected"), CYCLONEDX_PRODUCTS)
def test_an_analysis_names_what_its_vulnerability_affects(affects: Any, state: str, expected: list[str]) -> None:
    assert statements(said(affects, state))[0]["products"] == expected


NAMED_ROOTS: list[tuple[dict[str, Any], list[str] | None]] = [
    # a package is not the whole image
    ({"type": "application", "purl": "pkg:npm/x@1"}, ["pkg:npm/x@1"]),
    # not even where a digest of this image stands beside it
    ({"type": "container", "purl": "pkg:npm/x@1", "version": ARTIFACT}, ["pkg:npm/x@1"]),
    # the image by its digest
    ({"type": "container", "purl": IMAGE}, [ARTIFACT]),
    ({"type": "container", "version": ARTIFACT}, [ARTIFACT]),
    ({"type": "container", "version": ARTIFACT, "purl": "pkg:docker/app"}, [ARTIFACT]),
    # another thing: some image, a file, what cannot be read
    ({"type": "container", "purl": "pkg:oci/app"}, None),
    ({"type": "application", "hashes": [{"alg": "SHA-256", "content": "e" * 64}]}, None),
    ({"type": "application", "purl": "pkg:"}, None),
]


@pytest.mark.parametrize("affects", [[{"ref": "root"}], []])
@pytest.mark.parametrize(("root", "expected"), NAMED_ROOTS)
def test_what_the_document_is_about_is_the_whole_artifact_only_by_its_digest_or_without_a_name(
    root: dict[str, Any], expected: list[str] | None, affects: list[Any]
) -> None:
    about = {"component": {"bom-ref": "root", "name": "x", **root}}
    document = {**said(affects), "metadata": about}
    if expected is None:
        assert cyclonedx_left_out(document) == {OTHER_PRODUCT: 1}
    else:
        assert statements(document)[0]["products"] == expected
    bad = statements({**said(affects, "exploitable"), "metadata": about})[0]
    assert bad["products"] == ([ARTIFACT] if affects else [])


def test_bad_news_in_cyclonedx_about_another_image_is_left_out() -> None:
    assert cyclonedx_left_out(said([{"ref": OTHER_IMAGE}], "exploitable")) == {OTHER_PRODUCT: 1}


def test_bad_news_in_cyclonedx_that_cannot_be_read_refuses_the_document() -> None:
    place = refused(said([{"ref": "a"}], "exploitable", lastUpdated="yesterday")).place
    assert place == "$.vulnerabilities[0].analysis.lastUpdated"


def test_many_names_times_many_products_are_refused_before_they_fill_the_memory() -> None:
    named = {"name": "GHSA-1", "aliases": [f"CVE-2026-{number:05}" for number in range(3000)]}
    document = openvex(*({"@id": f"pkg:npm/p{number}@1"} for number in range(3000)), vulnerability=named)
    assert "products" in refused(document).message


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


def with_entries(those: list[Any]) -> Any:
    return cyclonedx(vulnerabilities=those)


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


def test_the_same_statement_twice_is_one() -> None:
    document = openvex({"@id": PACKAGE})
    assert len(statements({**document, "statements": document["statements"] * 2})) == 1
