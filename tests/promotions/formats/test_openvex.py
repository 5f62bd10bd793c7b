"""OpenVEX: what a statement names here, what is left out and why, and what refuses the document."""

from typing import Any

import pytest

from tests.promotions.formats.samples import ARTIFACT, OTHER, openvex, read, shared
from tests.promotions.formats.vex import (
    APP,
    FINE,
    HEX,
    IMAGE,
    NO_REASON,
    ONE_PLATFORM,
    OTHER_IMAGE,
    OTHER_PRODUCT,
    PACKAGE,
    PART,
    SECOND,
    TWO_NAMES,
    UNREADABLE,
    UNTOLD,
    image,
    left_out,
    left_out_of,
    products,
    refused,
    statements,
)


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


SAMPLES = {"no-reason": NO_REASON, "app-product": OTHER_PRODUCT}


@pytest.mark.parametrize(("name", "reason"), SAMPLES.items())
def test_the_real_documents_that_lift_nothing_are_refused(name: str, reason: str) -> None:
    assert reason in refused(shared(f"real-min/14-openvex/{name}.json")).message


@pytest.mark.parametrize(("status", "day"), [("affected", "03"), ("under_investigation", "03"), ("fixed", "02")])
def test_a_change_of_the_document_says_bad_news_again_and_lifts_nothing_again(status: str, day: str) -> None:
    document = openvex(status=status)
    document |= {"timestamp": "2026-11-02T08:00:00Z", "last_updated": "2026-11-03T08:00:00Z"}
    assert statements(document)[0]["statedAt"] == f"2026-11-{day}T08:00:00.000Z"


def test_the_last_change_of_a_statement_is_when_it_was_said() -> None:
    document = openvex(timestamp="2026-11-02T08:00:00Z", last_updated="2026-11-03T08:00:00Z")
    assert statements(document)[0]["statedAt"] == "2026-11-03T08:00:00.000Z"


def without_products(**fields: Any) -> Any:
    document = openvex(**fields)
    if "products" not in fields:
        del document["statements"][0]["products"]
    return {**document, "statements": [*document["statements"], FINE]}


def test_subcomponents_without_a_product_lift_nothing() -> None:
    inside = [{"@id": PACKAGE}]
    assert left_out_of(without_products(subcomponents=inside)) == {UNTOLD: 1}
    assert left_out_of(without_products(subcomponents=inside, products=[])) == {UNTOLD: 1}
    assert [] in [each["products"] for each in statements(without_products(subcomponents=inside, status="affected"))]


@pytest.mark.parametrize("name", ["products", "subcomponents"])
@pytest.mark.parametrize("value", ["", {}, 0, False])
def test_what_is_no_list_of_products_is_not_an_absent_one(name: str, value: Any) -> None:
    assert left_out_of(without_products(**{name: value})) == {UNREADABLE: 1}
    refused(without_products(**{name: value}, status="affected"))


@pytest.mark.parametrize("base", ["pkg:docker/debian@12", image(OTHER)])
def test_bad_news_about_a_base_image_counts_for_the_artifact(base: str) -> None:
    inside = {"@id": IMAGE, "subcomponents": [{"@id": base}]}
    assert statements(openvex(inside, status="affected"))[0]["products"] == [ARTIFACT]
    both = {"@id": IMAGE, "subcomponents": [{"@id": base}, {"@id": PACKAGE}]}
    assert statements(openvex(both, status="affected"))[0]["products"] == [PACKAGE, ARTIFACT]


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


def test_many_names_times_many_products_are_refused_before_they_fill_the_memory() -> None:
    named = {"name": "GHSA-1", "aliases": [f"CVE-2026-{number:05}" for number in range(3000)]}
    document = openvex(*({"@id": f"pkg:npm/p{number}@1"} for number in range(3000)), vulnerability=named)
    assert "products" in refused(document).message


def test_the_same_statement_twice_is_one() -> None:
    document = openvex({"@id": PACKAGE})
    assert len(statements({**document, "statements": document["statements"] * 2})) == 1
