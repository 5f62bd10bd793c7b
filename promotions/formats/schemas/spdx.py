"""SPDX 2.3 in JSON, by what its specification requires (chapters 6 to 12). Pure."""

import re
from typing import Any, Final

from promotions.formats.reading import DocumentRefused, an_object, at, member
from promotions.formats.schemas.requirements import NoSchema, entries, one_of, some, text, time

VERSION: Final = "SPDX-2.3"

_DOCUMENT: Final = "SPDXRef-DOCUMENT"
_IDENTIFIER: Final = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
_ELSEWHERE: Final = re.compile(r"DocumentRef-[A-Za-z0-9.+-]+:SPDXRef-[A-Za-z0-9.-]+")
_NOTHING: Final = ("NOASSERTION", "NONE")
_NAMESPACE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^#\s]+")
_CREATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_CREATORS: Final = ("Person:", "Organization:", "Tool:")
_ELEMENTS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "packages": (("name", "downloadLocation"), ()),
    "files": (("fileName",), ("checksums",)),
    "snippets": (("snippetFromFile",), ("ranges",)),
}
"""The lists of elements, with the texts and the lists that each entry must have beside its SPDXID."""

_CATEGORIES: Final = ("OTHER", "SECURITY", "PACKAGE-MANAGER", "PERSISTENT-ID", "PACKAGE_MANAGER", "PERSISTENT_ID")
"""With hyphens in the specification; SPDX's own JSON schema of 2.3.1 allows what 2.2 wrote, too."""

_RELATIONSHIPS: Final = frozenset(
    """
    AMENDS ANCESTOR_OF BUILD_DEPENDENCY_OF BUILD_TOOL_OF CONTAINED_BY CONTAINS COPY_OF DATA_FILE_OF
    DEPENDENCY_MANIFEST_OF DEPENDENCY_OF DEPENDS_ON DESCENDANT_OF DESCRIBED_BY DESCRIBES DEV_DEPENDENCY_OF DEV_TOOL_OF
    DISTRIBUTION_ARTIFACT DOCUMENTATION_OF DYNAMIC_LINK EXAMPLE_OF EXPANDED_FROM_ARCHIVE FILE_ADDED FILE_DELETED
    FILE_MODIFIED GENERATED_FROM GENERATES HAS_PREREQUISITE METAFILE_OF OPTIONAL_COMPONENT_OF OPTIONAL_DEPENDENCY_OF
    OTHER PACKAGE_OF PATCH_APPLIED PATCH_FOR PREREQUISITE_FOR PROVIDED_DEPENDENCY_OF REQUIREMENT_DESCRIPTION_FOR
    RUNTIME_DEPENDENCY_OF SPECIFICATION_FOR STATIC_LINK TEST_CASE_OF TEST_DEPENDENCY_OF TEST_OF TEST_TOOL_OF VARIANT_OF
    """.split()  # noqa: SIM905
)


def check(document: dict[str, Any], place: str) -> None:
    """DocumentRefused with the first problem, NoSchema for another version."""
    if document.get("spdxVersion") != VERSION:
        raise NoSchema
    one_of(document, "SPDXID", place, (_DOCUMENT,))
    one_of(document, "dataLicense", place, ("CC0-1.0",))
    text(document, "name", place)
    _check_form(document, "documentNamespace", place, _NAMESPACE, "This must be an absolute URI without a #.")
    _check_creation(
        an_object(member(document, "creationInfo", place), at(place, "creationInfo")), at(place, "creationInfo")
    )
    _check_relationships(document, place, _elements(document, place))


def _check_creation(creation: dict[str, Any], place: str) -> None:
    time(creation, "created", place)
    _check_form(creation, "created", place, _CREATED, "This must be in UTC and in whole seconds: 2026-11-23T08:00:00Z.")
    for index, creator in enumerate(some(creation, "creators", place)):
        if not isinstance(creator, str) or not creator.startswith(_CREATORS):
            raise DocumentRefused(
                f"A creator begins with one of {', '.join(_CREATORS)}.", at(at(place, "creators"), index)
            )


def _elements(document: dict[str, Any], place: str) -> set[str]:
    """The identifiers of all elements."""
    found = {_DOCUMENT}
    for kind, (texts, lists) in _ELEMENTS.items():
        for element, where in entries(document, kind, place):
            identifier = _check_form(
                element,
                "SPDXID",
                where,
                _IDENTIFIER,
                "This must be SPDXRef- and then letters, digits, dots and hyphens.",
            )
            if identifier in found:
                raise DocumentRefused("Another element has this SPDXID.", at(where, "SPDXID"))
            found.add(identifier)
            for name in texts:
                text(element, name, where)
            for name in lists:
                some(element, name, where)
            _check_details(element, where)
    return found


def _check_details(element: dict[str, Any], place: str) -> None:
    for each, where in entries(element, "checksums", place):
        text(each, "algorithm", where)
        text(each, "checksumValue", where)
    for each, where in entries(element, "externalRefs", place):
        one_of(each, "referenceCategory", where, _CATEGORIES)
        text(each, "referenceType", where)
        text(each, "referenceLocator", where)


def _check_relationships(document: dict[str, Any], place: str, elements: set[str]) -> None:
    for each, where in entries(document, "relationships", place):
        one_of(each, "relationshipType", where, _RELATIONSHIPS)
        for name, words in (("spdxElementId", ()), ("relatedSpdxElement", _NOTHING)):
            named = text(each, name, where)
            if named not in elements and named not in words and not _ELSEWHERE.fullmatch(named):
                raise DocumentRefused("No element of this document has this SPDXID.", at(where, name))


def _check_form(holder: dict[str, Any], name: str, place: str, form: re.Pattern[str], message: str) -> str:
    value = text(holder, name, place)
    if not form.fullmatch(value):
        raise DocumentRefused(message, at(place, name))
    return value
