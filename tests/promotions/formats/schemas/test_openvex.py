from typing import Any

import pytest

from promotions.formats.schemas import NoSchema
from tests.promotions.formats.samples import ARTIFACT
from tests.promotions.formats.schemas.edits import GONE, OPENVEX, changed, problem

STATED = ("statements", 0)
TIME = "This must be an RFC 3339 time such as 2026-11-23T08:00:00Z."
NUMBER = "This must be a whole number from 1."
NAMED = "This needs one of @id, identifiers, hashes."

INVALID: list[tuple[tuple[str | int, ...], Any, str, str]] = [
    # The document
    (("@id",), GONE, "$", "@id is missing."),
    (("author",), "", "$.author", "This must not be empty."),
    (("timestamp",), GONE, "$", "timestamp is missing."),
    (("timestamp",), "2026-11-01T08:00:00", "$.timestamp", TIME),
    (("last_updated",), "now", "$.last_updated", TIME),
    (("version",), GONE, "$", "version is missing."),
    (("version",), "1", "$.version", NUMBER),
    (("version",), True, "$.version", NUMBER),
    (("version",), 0, "$.version", NUMBER),
    (("statements",), GONE, "$", "statements is missing."),
    (("statements",), [], "$.statements", "This must not be empty."),
    # A statement
    ((*STATED, "vulnerability"), "CVE-2026-0001", "$.statements[0].vulnerability", "This must be an object."),
    ((*STATED, "vulnerability"), {"@id": "x"}, "$.statements[0].vulnerability", "name is missing."),
    ((*STATED, "status"), GONE, "$.statements[0]", "status is missing."),
    ((*STATED, "status"), "unaffected", "$.statements[0].status", "This must be one of not_affected, affected,"),
    ((*STATED, "timestamp"), 5, "$.statements[0].timestamp", "This must be text."),
    ((*STATED, "products"), GONE, "$.statements[0]", "products is missing."),
    ((*STATED, "products"), [], "$.statements[0].products", "This must not be empty."),
    ((*STATED, "products", 0), "pkg:npm/left-pad@1.0", "$.statements[0].products[0]", "This must be an object."),
    ((*STATED, "products", 0, "@id"), GONE, "$.statements[0].products[0]", NAMED),
    ((*STATED, "products", 0, "subcomponents", 0), {}, "$.statements[0].products[0].subcomponents[0]", NAMED),
    # What the status asks for
    (
        (*STATED, "justification"),
        GONE,
        "$.statements[0]",
        "not_affected needs a justification or an impact_statement.",
    ),
    ((*STATED, "justification"), "we looked", "$.statements[0].justification", "This must be one of component_not"),
    ((*STATED, "status"), "affected", "$.statements[0]", "action_statement is missing."),
]


@pytest.mark.parametrize(("path", "value", "at", "says"), INVALID)
def test_what_openvex_requires_has_its_place(path: tuple[str | int, ...], value: Any, at: str, says: str) -> None:
    found = problem("openvex", changed(OPENVEX, path, value))
    assert found is not None
    assert (found[0], found[1][: len(says)]) == (at, says)


def stated(**fields: Any) -> dict[str, Any]:
    return changed(OPENVEX, STATED, {"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "x"}], **fields})


@pytest.mark.parametrize(
    "document",
    [
        OPENVEX,
        stated(status="not_affected", impact_statement="It is never called."),
        stated(status="affected", action_statement="Take 2.0."),
        stated(status="fixed"),
        stated(status="under_investigation", products=[{"hashes": {"sha-256": "a" * 64}}]),
    ],
)
def test_what_openvex_allows_is_valid(document: dict[str, Any]) -> None:
    assert problem("openvex", document) is None


def test_inside_a_statement_its_subjects_are_the_products() -> None:
    document = changed(OPENVEX, (*STATED, "products"), GONE)
    assert problem("openvex", document, subjects=[ARTIFACT]) is None


@pytest.mark.parametrize("context", ["https://openvex.dev/ns", "https://openvex.dev/ns/v0.0.1", None])
def test_of_other_versions_nothing_is_said(context: Any) -> None:
    with pytest.raises(NoSchema):
        problem("openvex", OPENVEX | {"@context": context})
