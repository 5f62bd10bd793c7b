"""The changes since a person read a promotion, in words, each with its place on the page (ui.md, Behaviour)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from promotions.documents.blobs import blobs
from promotions.models import Promotion

_DIFF: Final = "diff"
_GATES: Final = "gates"
_PARTS: Final[dict[str, tuple[str, str]]] = {
    "releaseId": ("the release", _DIFF),
    "manifestDigest": ("the components of the release", _DIFF),
    "sourceEnvironmentId": ("the environment it comes from", _DIFF),
    "targetEnvironmentId": ("the environment it goes to", _DIFF),
    "isRollback": ("whether it goes back to an earlier release", _DIFF),
    "currentReleaseId": ("the release that runs in the target", _DIFF),
    "requirementsDigest": ("the approvals and gates that it needs", _GATES),
    "evidenceBundleDigest": ("the documents about its components", _GATES),
}


@dataclass(frozen=True, slots=True)
class ChangedPart:
    """`place`: the section of the page that shows it, `diff` or `gates`. `news`: the documents that came, if any."""

    words: str
    place: str
    news: tuple[str, ...] = ()


def changed_parts(promotion: Promotion, names: Iterable[str], seen: str) -> list[ChangedPart]:
    """The parts that a refusal names. ``seen``: the subject digest that the person sent. One statement at most."""
    return [_part(promotion, name, seen) for name in names]


def _part(promotion: Promotion, name: str, seen: str) -> ChangedPart:
    if name.startswith("gates."):
        return ChangedPart(f"what {name.removeprefix('gates.')} says", _GATES)
    words, place = _PARTS[name]
    return ChangedPart(words, place, _new_documents(promotion, seen) if name == "evidenceBundleDigest" else ())


def _new_documents(promotion: Promotion, seen: str) -> tuple[str, ...]:
    before = promotion.earlier_subjects.get(seen, {}).get("evidenceBundleDigest")
    now = promotion.evidence_bundle_digest
    contents = blobs([digest for digest in (before, now) if digest])
    old, new = (orjson.loads(contents[digest])["documents"] if digest in contents else [] for digest in (before, now))
    known = {each["digest"] for each in old}
    return tuple(
        f"{each['kind']}: {each['format']} ({each['producer']})" for each in new if each["digest"] not in known
    )
