"""Documents about an artifact that is an index, and about the manifests of its platforms (docs/security-gate.md).

An index has what each of its platforms has. The index in the bundle alone lists the platforms.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from policies.document_facts import Bundle, DocumentFact

HINT: Final = "what is there is about single platforms, and no index in the bundle lists them"


@dataclass(frozen=True, slots=True)
class DocumentsByPlatform:
    """Documents of one kind about one artifact. `whole`: about the artifact itself. `parts`: by each manifest of its
    index, where one is about any of them; else empty. `strays`: some are about a manifest of which no index says that
    it is a platform of the artifact; they show nothing."""

    whole: list[DocumentFact]
    parts: Mapping[str, list[DocumentFact]]
    strays: bool


def split_by_platform(found: Bundle, artifact: str, documents: Iterable[DocumentFact]) -> DocumentsByPlatform:
    """The documents, which are all about the artifact or a part of it.

    Without an index in the bundle it is the uploader who claims that the manifest is a part. The document is then as
    good as one that names no digest: about the artifact, unless a key has signed it for the manifest.
    """
    manifests = _manifests(found, artifact)
    whole: list[DocumentFact] = []
    about_parts: dict[str, list[DocumentFact]] = {}
    strays = False
    for document in documents:
        about = document.get("about", artifact)
        if about == artifact or (manifests is None and document["signer"] is None):
            whole.append(document)
        elif manifests is not None and about in manifests:
            about_parts.setdefault(about, []).append(document)
        else:
            strays = True
    parts = {each: about_parts.get(each, []) for each in manifests or ()} if about_parts else {}
    return DocumentsByPlatform(whole, parts, strays)


def _manifests(found: Bundle, artifact: str) -> list[str] | None:
    """The manifests of the artifact's index; None when no index of it is in the bundle."""
    listed = [index["manifests"] for index in found.get("indexes", ()) if index["artifact"] == artifact]
    return sorted(set().union(*listed)) if listed else None


class DocumentCheck(Protocol):
    """The result for the documents about an artifact, or a platform of it. `code`: why they do not do, or None."""

    @property
    def code(self) -> str | None: ...


L = TypeVar("L", bound=DocumentCheck)


def deciding_checks(whole: L, of_parts: Sequence[L], missing: str) -> list[L]:
    """The checks that decide about the artifact: that of its own documents where they do, else those of its platforms,
    each of which must do. `missing`: the code of a check without any document."""
    if whole.code is None or not of_parts:
        return [whole]
    if whole.code == missing or all(each.code is None for each in of_parts):
        return list(of_parts)
    return [whole, *of_parts]


def in_words(artifact: str, about: str | None) -> str:
    """`artifact sha256:111…`, or `platform manifest sha256:333… of artifact sha256:111…`."""
    whole = f"artifact {artifact[:19]}…"
    return whole if about is None else f"platform manifest {about[:19]}… of {whole}"
