"""Whether a document follows its format's own specification. Pure.

Another document is taken all the same where gates can read it (docs/adr/0085): the result here stands in its summary.
CycloneDX is judged by its official schema; SPDX, OpenVEX and in-toto by the requirements of their specifications, and
members unknown to those are let be. Trivy, Grype and OSV-Scanner publish no schema.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from promotions.formats.document import ReadDocument
from promotions.formats.reading import DocumentRefused
from promotions.formats.schemas import cyclonedx, in_toto, openvex, spdx
from promotions.formats.schemas.requirements import NoSchema
from promotions.formats.spdx import opened


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as the specification asks. `at` is a JSON path such as `$.components[3].type`, cut at 200
    characters; in `message` stands nothing of the document.
    """

    at: str
    message: str


def first_problem(
    format_name: str, document: dict[str, Any], place: str = "$", *, subjects: Collection[str] = ()
) -> Problem | None:
    """None for a valid document. NoSchema where the requirements of the format or its version are unknown.

    `subjects` are those of the in-toto statement around the document, if there is one.
    """
    try:
        match format_name:
            case "cyclonedx":
                cyclonedx.check(document, place)
            case "spdx":
                spdx.check(*opened(document, place))
            case "openvex":
                openvex.check(document, place, subjects)
            case "in-toto":
                in_toto.check(document, place)
            case _:
                raise NoSchema
    except DocumentRefused as found:
        return Problem(found.place, found.message)
    return None


def checked(read: ReadDocument, document: dict[str, Any], place: str) -> ReadDocument:
    """The read document, with `schemaValid` in its summary: true, false with `at` and `problem`, null without a
    schema."""
    return replace(read, summary={**read.summary, **_schema_summary(read, document, place)})


def _schema_summary(read: ReadDocument, document: dict[str, Any], place: str) -> dict[str, Any]:
    try:
        problem = first_problem(read.format, document, place, subjects=read.subjects)
    except NoSchema:
        return {"schemaValid": None}
    if problem is None:
        return {"schemaValid": True}
    return {"schemaValid": False, "at": problem.at, "problem": problem.message}
