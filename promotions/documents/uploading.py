"""Shared by uploads of documents and of feeds: reading them in the isolated child (docs/adr/0060)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from promotions.formats import envelopes
from promotions.formats.envelopes import Item
from promotions.formats.reading import INVALID, MISMATCH, MOST_BYTES
from stellapromote.errors import ProductError, RuleViolation
from stellapromote.isolation import IsolationBusy, IsolationCrashed, IsolationTimeout, TaskRefused, run

TASK: Final = "promotions.formats.parse:parse"
SMALL_TASK: Final = "promotions.formats.parse:parse_small"
SMALL: Final = 64 * 1024
"""Bytes of a document that is read in milliseconds: it waits for no large one."""
SECONDS: Final = 20.0
NO_PARTS: Final[Mapping[str, Sequence[str]]] = {}
PATIENCE: Final = 1.0
"""Seconds that an upload waits for the one before it. Of two web threads one is then free again (docs/adr/0060)."""


class InvalidDocument(RuleViolation):
    """The document cannot be read as its kind; details say where."""

    code = "EVD_INVALID_DOCUMENT"


class DocumentUnread(InvalidDocument):
    """Reading it took too much time or memory: here and now, which may be the machine's fault."""


class UploadsBusy(ProductError):
    """This process is reading another document: an upload that waited longer would keep a web thread from all other
    calls."""

    code = "SYS_UNAVAILABLE"
    retry_after = 2


class DigestMismatch(RuleViolation):
    """The document is about another artifact than the one it was sent for."""

    code = "EVD_DIGEST_MISMATCH"


class DocumentTooLarge(ProductError):
    code = "VAL_BODY_TOO_LARGE"


def read_in_isolation(
    kind: str, artifact_digest: str, content: bytes, *, parts: Mapping[str, Sequence[str]] = NO_PARTS
) -> dict[str, Any]:
    """The answer of promotions.formats.parse.

    Raises InvalidDocument, DocumentUnread, DigestMismatch, DocumentTooLarge, UploadsBusy.
    ``parts``: the manifests of the artifact with their platforms, where it is an image index.
    """
    if len(content) > MOST_BYTES:
        raise DocumentTooLarge(f"Documents have at most {MOST_BYTES} bytes.", details={"limit": MOST_BYTES})
    header = orjson.dumps({"kind": kind, "artifactDigest": artifact_digest, "parts": dict(parts)})
    task = SMALL_TASK if len(content) <= SMALL else TASK
    try:
        answer: dict[str, Any] = orjson.loads(run(task, header + b"\n" + content, timeout=SECONDS, patience=PATIENCE))
    except TaskRefused as refused:
        raise refusal(refused.message, refused.place, code=refused.code) from None
    except IsolationBusy:
        raise UploadsBusy("Another document is being read: send this one again in a few seconds.") from None
    except (IsolationTimeout, IsolationCrashed):
        raise DocumentUnread(
            "The document cannot be read within the limits of time and memory: send a smaller one, or try again later.",
            details={"place": "$"},
        ) from None
    return answer


def signed_items(content: bytes) -> dict[str, Item]:
    """The signed payloads of a file in which the child found envelopes, by place, found here in the same bytes.

    Raises InvalidDocument.
    """
    try:
        return {item.place: item for item in envelopes.signed_items(content)}
    except TaskRefused as refused:
        raise refusal(refused.message, refused.place, code=refused.code) from None


def refusal(message: str, place: str, *, code: str = INVALID) -> RuleViolation:
    """InvalidDocument or DigestMismatch, which names the place where that is not the whole document."""
    kind_of_refusal = DigestMismatch if code == MISMATCH else InvalidDocument
    at = f" At {place}." if place not in ("", "$") else ""
    return kind_of_refusal(f"{message}{at}", details={"place": place or "$"})
