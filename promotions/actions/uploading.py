"""What uploads of documents and of feeds have in common: reading them in the isolated child (docs/adr/0060)."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from promotions.formats.reading import MISMATCH, MOST_BYTES
from stellapromote.errors import ProductError, RuleViolation
from stellapromote.isolation import IsolationBusy, IsolationCrashed, IsolationTimeout, TaskRefused, run

TASK: Final = "promotions.formats.parse:parse"
SECONDS: Final = 20.0
PATIENCE: Final = 1.0
"""Seconds that an upload waits for the one before it. Of two web threads one is then free again (docs/adr/0060)."""


class InvalidDocument(RuleViolation):
    """The document cannot be read as its kind; details say where."""

    code = "EVD_INVALID_DOCUMENT"


class DocumentUnread(InvalidDocument):
    """Reading it took too much time or memory: here and now, which may be the machine's fault."""


class UploadsBusy(ProductError):
    """This process is reading another document: one that waited longer would keep a web thread from everybody else."""

    code = "SYS_UNAVAILABLE"
    retry_after = 2


class DigestMismatch(RuleViolation):
    """The document is about another artifact than the one it was sent for."""

    code = "EVD_DIGEST_MISMATCH"


class DocumentTooLarge(ProductError):
    code = "VAL_BODY_TOO_LARGE"


def read_in_isolation(kind: str, artifact_digest: str, content: bytes, *, parts: Iterable[str] = ()) -> dict[str, Any]:
    """The answer of promotions.formats.parse.

    Raises InvalidDocument, DocumentUnread, DigestMismatch, DocumentTooLarge, UploadsBusy.
    ``parts``: the manifests of the artifact, where it is an image index.
    """
    if len(content) > MOST_BYTES:
        raise DocumentTooLarge(f"Documents have at most {MOST_BYTES} bytes.", details={"limit": MOST_BYTES})
    header = orjson.dumps({"kind": kind, "artifactDigest": artifact_digest, "parts": sorted(parts)})
    try:
        answer: dict[str, Any] = orjson.loads(run(TASK, header + b"\n" + content, timeout=SECONDS, patience=PATIENCE))
    except TaskRefused as refused:
        kind_of_refusal = DigestMismatch if refused.code == MISMATCH else InvalidDocument
        at = f" At {refused.place}." if refused.place not in ("", "$") else ""
        raise kind_of_refusal(f"{refused.message}{at}", details={"place": refused.place or "$"}) from None
    except IsolationBusy:
        raise UploadsBusy("Another document is being read: send this one again in a few seconds.") from None
    except (IsolationTimeout, IsolationCrashed):
        raise DocumentUnread(
            "The document cannot be read within the limits of time and memory: send a smaller one, or try again later.",
            details={"place": "$"},
        ) from None
    return answer
