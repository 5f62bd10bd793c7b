"""Valid documents of each format, and one change in one place of them."""

import copy
from typing import Any

from promotions.formats.schemas import first_problem
from tests.promotions.formats.samples import ARTIFACT, openvex, statement

GONE = object()
"""In place of a value: the member is taken away."""

CYCLONEDX: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.7",
    "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
    "version": 1,
    "metadata": {
        "timestamp": "2026-11-01T08:00:00Z",
        "tools": {"components": [{"type": "application", "name": "syft"}]},
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "properties": [{"name": "internal:team", "value": "payments"}],
    },
    "components": [
        {
            "type": "library",
            "bom-ref": "openssl",
            "name": "openssl",
            "version": "3.0",
            "scope": "required",
            "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
            "licenses": [{"license": {"name": "Ours", "text": {"content": "RG8=", "encoding": "base64"}}}],
            "swid": {"tagId": "swid-1", "name": "openssl"},
            "externalReferences": [{"type": "website", "url": "https://example.test/openssl"}],
            "pedigree": {"patches": [{"type": "backport", "resolves": [{"type": "security"}]}]},
            "components": [{"type": "file", "name": "libssl.so"}],
        },
        {"type": "library", "bom-ref": "zlib", "name": "zlib"},
    ],
    "services": [{"name": "ledger", "data": [{"flow": "inbound", "classification": "PII"}]}],
    "dependencies": [{"ref": "openssl", "dependsOn": ["zlib"]}],
    "citations": [{"bom-ref": "c", "timestamp": "2026-11-01T08:00:00Z", "pointers": ["/components"], "process": "p"}],
}

SPDX: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3",
    "SPDXID": "SPDXRef-DOCUMENT",
    "dataLicense": "CC0-1.0",
    "name": "app",
    "documentNamespace": "https://example.test/spdx/app-1",
    "creationInfo": {"created": "2026-11-01T08:00:00Z", "creators": ["Tool: syft-1.2.3", "Organization: Kestrel Pay"]},
    "packages": [
        {
            "SPDXID": "SPDXRef-app",
            "name": "app",
            "downloadLocation": "NOASSERTION",
            "checksums": [{"algorithm": "SHA256", "checksumValue": "a" * 64}],
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": "pkg:deb/debian/app@1",
                }
            ],
        },
        {"SPDXID": "SPDXRef-openssl", "name": "openssl", "downloadLocation": "NONE"},
    ],
    "files": [
        {
            "SPDXID": "SPDXRef-file",
            "fileName": "./bin/app",
            "checksums": [{"algorithm": "SHA1", "checksumValue": "b" * 40}],
        }
    ],
    "snippets": [{"SPDXID": "SPDXRef-part", "snippetFromFile": "SPDXRef-file", "ranges": [{}]}],
    "relationships": [
        {
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relationshipType": "DESCRIBES",
            "relatedSpdxElement": "SPDXRef-app",
        },
        {"spdxElementId": "SPDXRef-app", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-file"},
        {"spdxElementId": "SPDXRef-app", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "NOASSERTION"},
        {
            "spdxElementId": "SPDXRef-app",
            "relationshipType": "VARIANT_OF",
            "relatedSpdxElement": "DocumentRef-older:SPDXRef-app",
        },
    ],
}

OPENVEX = openvex(
    {
        "@id": f"pkg:oci/app@{ARTIFACT.replace(':', '%3A')}",
        "subcomponents": [{"identifiers": {"purl": "pkg:npm/pad@1"}}],
    }
)
STATEMENT = statement("https://slsa.dev/provenance/v1", {"buildDefinition": {}}, ARTIFACT)


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The document with one value put in, or taken away, where the path leads."""
    made = copy.deepcopy(document)
    holder: Any = made
    for step in path[:-1]:
        holder = holder[step]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return made


def problem(format_name: str, document: dict[str, Any], **more: Any) -> tuple[str, str] | None:
    """Where a document is not as its format asks, and what is wrong there."""
    found = first_problem(format_name, document, **more)
    return None if found is None else (found.at, found.message)
