"""An OCI image index or a Docker manifest list: which manifests are parts of an image. Pure.

It is named by the digest of its own bytes, so it says by itself what it is the index of. Every manifest in it is a part
of the image but the attestations that buildx stores beside the images: they have the platform unknown/unknown and an
annotation that says so. Either alone may be an image that runs somewhere.
"""

from typing import Any, Final

from policies.document_facts import INDEX_SCHEMA, Index, IndexManifest
from promotions.formats.document import Context, ReadDocument
from promotions.formats.left_out import Omissions
from promotions.formats.reading import MISMATCH, DocumentRefused, at, maybe_name, objects, part
from stellapromote.patterns import DIGEST, compiled

FORMAT = "oci-index"
MEDIA_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)

ATTESTATION: Final = "attestations that are stored beside the images"

MOST_MANIFESTS: Final = 40
"""More platforms than any image has; each evaluation needs a document of every one."""

_OF_MANIFESTS: Final = ("config", "layers", "fsLayers")


def recognises(document: dict[str, Any]) -> bool:
    """A manifest of one image, too: what is wrong with it is said by the reader."""
    return document.get("mediaType") in MEDIA_TYPES or document.get("schemaVersion") == 2


def index(document: dict[str, Any], place: str, context: Context) -> ReadDocument:
    """DocumentRefused for the manifest of one image, for an index of nothing, and (mismatch) for that of another image
    or one that is not byte for byte what the registry has."""
    _check_shape(document, place)
    if not context.sent:
        raise DocumentRefused(
            "An index is sent as it is, not in an envelope: its own bytes have the digest of the image (docker buildx"
            " imagetools inspect --raw, or crane manifest).",
            place,
            code=MISMATCH,
        )
    if context.sent != context.artifact:
        raise DocumentRefused(
            f"These bytes have the digest {context.sent}, not {context.artifact}: send the index of this image exactly"
            " as the registry gives it, as a file or in documentBase64 (docker buildx imagetools inspect --raw, or"
            " crane manifest).",
            place,
            code=MISMATCH,
        )
    left_out = Omissions()
    found: dict[tuple[str, str], IndexManifest] = {}
    for entry, where in objects(document, "manifests", place):
        digest, platform = _digest(entry, where), _platform(entry, where)
        if _is_attestation(entry, where):
            left_out.add(ATTESTATION, where)
        else:
            found[digest, platform or ""] = {"digest": digest, "platform": platform}
            if len(found) > MOST_MANIFESTS:
                raise DocumentRefused(f"The index names more than {MOST_MANIFESTS} images.", at(place, "manifests"))
    if not found:
        raise DocumentRefused("The index names no image.", at(place, "manifests"))
    parsed: Index = {"schema": INDEX_SCHEMA, "manifests": [found[key] for key in sorted(found)]}
    if facts := left_out.facts():
        parsed["leftOut"] = facts
    summary = {"manifests": len({digest for digest, _ in found}), **left_out.summary()}
    return ReadDocument(FORMAT, parsed, None, None, summary, names_artifact=True)


def _check_shape(document: dict[str, Any], place: str) -> None:
    """A document that is manifest and index at once is two documents for two readers."""
    if any(name in document for name in _OF_MANIFESTS):
        raise DocumentRefused(
            "This is the manifest of one image: send the index that names it, under the index's digest.", place
        )
    media_type = document.get("mediaType")
    if media_type is not None and media_type not in MEDIA_TYPES:
        raise DocumentRefused(f"An index has one of the types {', '.join(MEDIA_TYPES)}.", at(place, "mediaType"))
    if document.get("schemaVersion") != 2:
        raise DocumentRefused("This version reads schema version 2.", at(place, "schemaVersion"))


def _digest(entry: dict[str, Any], place: str) -> str:
    digest = entry.get("digest")
    if not isinstance(digest, str) or not compiled(DIGEST).search(digest):
        raise DocumentRefused("A manifest is named by a sha256 digest.", at(place, "digest"))
    return digest


def _platform(entry: dict[str, Any], place: str) -> str | None:
    """`linux/arm64/v8`, and for Windows the version beside it, by which alone its images may differ; None: not said."""
    given, inside = part(entry, "platform", place), at(place, "platform")
    names = [maybe_name(given, name, inside) for name in ("os", "architecture", "variant")]
    if not any(names):
        return None
    written = "/".join(name or "unknown" for name in names[:2]) + (f"/{names[2]}" if names[2] else "")
    version = maybe_name(given, "os.version", inside)
    return f"{written} ({version})" if version else written


def _is_attestation(entry: dict[str, Any], place: str) -> bool:
    annotations = part(entry, "annotations", place)
    says_so = annotations.get("vnd.docker.reference.type") == "attestation-manifest"
    return says_so and entry.get("platform") == {"os": "unknown", "architecture": "unknown"}
