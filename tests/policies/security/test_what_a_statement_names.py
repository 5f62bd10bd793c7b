"""A statement lifts exactly what it names, whatever the documents say."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from tests.drawing import drawn
from tests.examples import examples
from tests.policies.security.drafts import LATER, Draft, case_of, drafts, statements
from tests.policies.security.world import AMD64, JOBS, MEI, WEB


@settings(max_examples=examples(300))
@given(drawn(drafts()), drawn(statements), st.sampled_from([WEB, JOBS]), st.sampled_from([None, None, AMD64]))
def test_a_statement_lifts_exactly_what_it_names(
    draft: Draft, statement: Any, artifact: str, about: str | None
) -> None:
    """Told by another program: with nothing else stated and without aliases, what goes is what is named."""
    draft["documents"] = [each for each in draft["documents"] if each["kind"] == "vulnerabilities"]
    draft["config"]["rules"] = {"release-aggregate-cve": {"maxTotal": 0, "maxCritical": None, "maxHigh": None}}
    draft["config"]["acceptSuppressed"] = False
    for each in draft["documents"]:
        for entry in each["content"]:
            entry["aliases"] = []
    statement["aliases"] = []
    extra = {"kind": "vex", "content": [statement], "artifactDigest": artifact, "uploadedBy": [MEI], "signer": None}
    extra = {**extra, "generatedAt": None, "uploadedAt": LATER, "about": about}
    after = {**draft, "documents": [*draft["documents"], extra]}
    left = {
        (entry["id"], _place(entry))
        for each in draft["documents"]
        for entry in each["content"]
        if not (
            statement["status"] in ("not_affected", "fixed")
            and each["artifactDigest"] == artifact
            and about in (None, each["about"])
            and entry["id"] == statement["vulnerability"]
            and _is_product(entry["purl"], statement["products"], {artifact, each["about"]})
        )
    }
    assert set(case_of(after).gate("cve").details["findings"]) == {"@".join(each) for each in left}


def _place(entry: Any) -> str:
    if entry["purl"] is None:
        return f"{entry['component']}@{entry['version']}".removesuffix("@None")
    return PackageURL.from_string(entry["purl"])._replace(qualifiers={}).to_string()


def _is_product(purl: str | None, products: list[str], about: set[str | None]) -> bool:
    return (
        not products
        or not about.isdisjoint(products)
        or (purl is not None and any(_covers(product, purl) for product in products if product.startswith("pkg:")))
    )


def _covers(product: str, purl: str) -> bool:
    wanted, found = PackageURL.from_string(product), PackageURL.from_string(purl)
    if (wanted.type, wanted.namespace, wanted.name) != (found.type, found.namespace, found.name):
        return False
    if wanted.version:
        return wanted.version == found.version
    both = {**found.qualifiers, **wanted.qualifiers}
    return both == {**wanted.qualifiers, **found.qualifiers}
