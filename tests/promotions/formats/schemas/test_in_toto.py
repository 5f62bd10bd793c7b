from typing import Any

import pytest

from promotions.formats.schemas import NoSchema
from tests.promotions.formats.schemas.edits import GONE, STATEMENT, changed, problem

OLD = STATEMENT | {"_type": "https://in-toto.io/Statement/v0.1"}
SUBJECT = ("subject", 0)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (STATEMENT, None),
        (OLD, None),
        (changed(STATEMENT, ("predicate",), GONE), None),  # optional
        (changed(STATEMENT, (*SUBJECT, "name"), GONE), None),  # optional since v1
        (changed(OLD, (*SUBJECT, "name"), GONE), ("$.subject[0]", "name is missing.")),
        (changed(STATEMENT, ("subject",), GONE), ("$", "subject is missing.")),
        (changed(STATEMENT, ("subject",), []), ("$.subject", "This must not be empty.")),
        (changed(STATEMENT, SUBJECT, "app"), ("$.subject[0]", "This must be an object.")),
        (changed(STATEMENT, (*SUBJECT, "digest"), GONE), ("$.subject[0]", "digest is missing.")),
        (changed(STATEMENT, (*SUBJECT, "digest"), {}), ("$.subject[0].digest", "This must not be empty.")),
        (changed(STATEMENT, (*SUBJECT, "digest", "sha1"), 5), ("$.subject[0].digest.sha1", "This must be text.")),
        (changed(STATEMENT, ("predicateType",), GONE), ("$", "predicateType is missing.")),
        (changed(STATEMENT, ("predicate",), []), ("$.predicate", "This must be an object.")),
    ],
)
def test_what_a_statement_must_have(document: dict[str, Any], found: tuple[str, str] | None) -> None:
    assert problem("in-toto", document) == found


def test_of_another_type_nothing_is_said() -> None:
    with pytest.raises(NoSchema):
        problem("in-toto", STATEMENT | {"_type": "https://in-toto.io/Statement/v2"})
