from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from promotions.formats.scores import band, given_score, given_severity, severity, worst

BANDS = [(0, "none"), (0.1, "low"), (3.9, "low"), (4, "medium"), (6.9, "medium"), (7, "high"), (8.9, "high")]


@pytest.mark.parametrize(("score", "expected"), [*BANDS, (9, "critical"), (10, "critical")])
def test_a_score_has_a_band(score: float, expected: str) -> None:
    assert band(score) == expected


WORDS: list[tuple[object, str]] = [
    ("CRITICAL", "critical"),
    ("Important", "high"),
    (" moderate ", "medium"),
    ("Negligible", "low"),
    # Debian: a bug that its package does not expose, and a word that it took from NVD
    ("unimportant", "low"),
    ("high**", "high"),
    # no severity yet
    ("not yet assigned", "unknown"),
    ("untriaged", "unknown"),
    ("end-of-life", "unknown"),
    ("unknown", "unknown"),
    ("catastrophic", "unknown"),
    ("", "unknown"),
    (None, "unknown"),
    (4, "unknown"),
]


@pytest.mark.parametrize(("word", "expected"), WORDS)
def test_a_word_has_a_severity(word: object, expected: str) -> None:
    assert severity(word) == expected


def test_nothing_said_is_unknown_and_no_milder_word_takes_a_worse_one_away() -> None:
    assert worst([]) == "unknown"
    assert worst(["low", "unknown", "high", "none"]) == "high"


@pytest.mark.parametrize("word", [3, True, [], {}])
def test_what_must_be_a_word_and_is_none_is_refused_at_its_place(word: Any) -> None:
    with pytest.raises(DocumentRefused) as caught:
        given_severity({"severity": word}, "severity", "$.a")
    assert caught.value.place == "$.a.severity"


@pytest.mark.parametrize("score", [10.1, -0.1, True, "7", [], {}])
def test_what_must_be_a_score_and_is_none_is_refused_at_its_place(score: Any) -> None:
    with pytest.raises(DocumentRefused) as caught:
        given_score({"score": score}, "score", "$.a")
    assert caught.value.place == "$.a.score"


@pytest.mark.parametrize(("score", "expected"), [(None, None), (0, 0), (7, 7), (9.84, 9.8)])
def test_a_score_has_one_digit(score: Any, expected: Any) -> None:
    assert given_score({"score": score}, "score", "$") == expected
