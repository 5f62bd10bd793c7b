"""The part of an artifact that a document covers: a narrower scope is no newer version of a wider one. Pure.

A report of the same tool replaces its older one (docs/adr/0086). A scan of the libraries alone does not replace that of
the operating system, nor one lock file another, nor a VEX document another of the same author: they stand beside each
other.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from promotions.formats import cyclonedx, grype, openvex, osv_scanner, trivy
from promotions.formats.document import ReadDocument
from stellapromote.signing.canonical_json import digest_bytes


def scope_of(read: ReadDocument, document: dict[str, Any]) -> str:
    """A digest of the scope; empty where the format says nothing of it. `document` was read as `read`."""
    says = _SCOPES.get(read.format)
    found = sorted({text for text in says(document) if text}) if says is not None else []
    return digest_bytes(orjson.dumps(found)) if found else ""


def _trivy(document: dict[str, Any]) -> Iterator[str]:
    """The kinds of packages, and not the targets: their names hold versions of the system."""
    for result in document["Results"]:
        yield f"{result.get('Class')} {result.get('Type')}"


def _grype(document: dict[str, Any]) -> Iterator[str]:
    source = document.get("source")
    if isinstance(source, dict):
        target = source.get("target")
        yield str(source.get("type"))
        if isinstance(target, str):  # a directory or a file, by its name
            yield target


def _osv_scanner(document: dict[str, Any]) -> Iterator[str]:
    for result in document["results"]:
        source = result.get("source")
        if isinstance(source, dict):
            yield f"{source.get('type')} {source.get('path')}"


def _cyclonedx(document: dict[str, Any]) -> Iterator[str]:
    """VEX by its serial number, else what the document is about."""
    metadata = document.get("metadata")
    about = metadata.get("component") if isinstance(metadata, dict) else None
    if isinstance(about, dict):
        yield f"{about.get('type')} {about.get('name')}"
    if not document.get("components") and not document.get("services"):
        yield str(document.get("serialNumber", ""))


def _openvex(document: dict[str, Any]) -> Iterator[str]:
    yield str(document.get("@id", ""))


_SCOPES: Final[dict[str, Callable[[dict[str, Any]], Iterator[str]]]] = {
    trivy.FORMAT: _trivy,
    grype.FORMAT: _grype,
    osv_scanner.FORMAT: _osv_scanner,
    cyclonedx.FORMAT: _cyclonedx,
    openvex.FORMAT: _openvex,
}
