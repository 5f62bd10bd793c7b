"""CVSS base scores and severities (domain.md §6, bands). Pure.

A report may give several scores and words for one vulnerability. The worst of them counts, from each source
(docs/adr/0085).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from policies.document_facts import Severity
from promotions.formats.reading import DocumentRefused, at

_BANDS: Final[tuple[tuple[float, Severity], ...]] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))

_WORDS: Final[dict[str, Severity]] = {
    "critical": "critical",
    "important": "high",
    "high": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
    "negligible": "low",
    "minimal": "low",
    "unimportant": "low",
    "none": "none",
    "info": "none",
    "informational": "none",
}
"""`unimportant` is Debian's word for a bug that its package does not expose: as low as `negligible`, and not nothing.
Words for what has no severity yet (`not yet assigned`, `untriaged`, `end-of-life`) are not here: they are unknown."""

_BY_RANK: Final[tuple[Severity, ...]] = ("unknown", "none", "low", "medium", "high", "critical")
_RANKS: Final = {severity: rank for rank, severity in enumerate(_BY_RANK)}

LONGEST_VECTOR: Final = 512


def band(score: float) -> Severity:
    for least, name in _BANDS:
        if score >= least:
            return name
    return "none"


def severity(word: object) -> Severity:
    """The band that a report's word stands for; `unknown` for what is no word, and for one that says nothing.

    Debian marks words that it took from NVD with stars.
    """
    return _WORDS.get(word.strip().rstrip("*").lower(), "unknown") if isinstance(word, str) else "unknown"


def given_severity(holder: dict[str, Any], name: str, place: str) -> Severity:
    """The band of a member that must be a word; `unknown` where there is none. DocumentRefused for what is no text."""
    word = holder.get(name)
    if word is not None and not isinstance(word, str):
        raise DocumentRefused("A severity is a word.", at(place, name))
    return severity(word)


def worst(words: Iterable[Severity]) -> Severity:
    return max(words, key=_RANKS.__getitem__, default="unknown")


def given_score(holder: dict[str, Any], name: str, place: str) -> float | None:
    """A score that a report states as a number; None where it states none."""
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10:
        raise DocumentRefused("A CVSS score is a number from 0 to 10.", at(place, name))
    return round(float(value), 1)


def vector_score(vector: Any, method: str = "") -> float | None:
    """The base score of a vector, or the number that stands in its place; None for what is neither.

    `method` says the version where the vector does not, and else its metrics do.
    """
    if not isinstance(vector, str) or len(vector) > LONGEST_VECTOR:
        return None
    return _vector_score(vector.strip(), method)


@lru_cache(maxsize=20_000)
def _vector_score(vector: str, method: str) -> float | None:
    vector = _plain_vector(vector)
    if not vector.startswith("CVSS:") and "Au:" not in vector:
        by_metric = next((version for metric, version in _OF_ONE_VERSION.items() if metric in vector), None)
        version = {"CVSSv4": "4.0", "CVSSv31": "3.1", "CVSSv3": "3.0"}.get(method, by_metric)
        vector = f"CVSS:{version}/{vector}" if version else vector
    try:
        if vector.startswith("CVSS:4"):
            return float(CVSS4(vector).base_score)
        if vector.startswith("CVSS:3"):
            return float(CVSS3(vector).base_score)
        return float(CVSS2(vector).base_score)
    except CVSSError:
        return _number(vector)


_OF_ONE_VERSION: Final = {"/VC:": "4.0", "/PR:": "3.1"}
"""Metrics by which a vector without its version is known: of CVSS 4, and of CVSS 3 where it is not of 4."""


def _plain_vector(vector: str) -> str:
    """Without the brackets and version that some write around CVSS 2, and a slash at its end."""
    vector = vector.strip("()").rstrip("/")
    if vector[:5].upper() == "CVSS:":
        vector = f"CVSS:{vector[5:]}"
    return vector.partition("/")[2] if vector.startswith("CVSS:2") else vector


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return round(number, 1) if 0 <= number <= 10 else None


def highest(scores: Iterable[float | None]) -> float | None:
    return max([each for each in scores if each is not None], default=None)
