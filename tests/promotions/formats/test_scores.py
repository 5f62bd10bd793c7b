from typing import Any

import pytest

from promotions.formats.reading import DocumentRefused
from promotions.formats.scores import band, given_score, given_severity, severity, vector_score, worst

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


METRICS = "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
VECTORS: list[tuple[object, str, float | None]] = [
    (f"CVSS:3.1/{METRICS}", "", 9.8),
    (f"CVSS:3.1/{METRICS}/", "", 9.8),
    (f" cvss:3.1/{METRICS} ", "", 9.8),
    (METRICS, "", 9.8),
    (METRICS, "CVSSv3", 9.8),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "", 9.3),
    ("AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "", 9.3),
    ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "", 10.0),
    ("(AV:N/AC:L/Au:N/C:C/I:C/A:C)", "", 10.0),
    ("CVSS:2.0/AV:N/AC:L/Au:N/C:C/I:C/A:C", "", 10.0),
    # the score in its place
    ("9.8", "", 9.8),
    ("10.1", "", None),
    ("-1", "", None),
    ("nan", "", None),
    ("inf", "", None),
    ("CVSS:3.1/AV:N", "", None),
    ("high", "", None),
    ("", "", None),
    ("(", "", None),
    (9.8, "", None),
]


@pytest.mark.parametrize(("vector", "method", "expected"), VECTORS)
def test_a_vector_has_a_score_however_it_is_written(vector: object, method: str, expected: float | None) -> None:
    assert vector_score(vector, method) == expected
