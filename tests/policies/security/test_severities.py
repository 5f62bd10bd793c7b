import pytest

from policies.security.severities import BANDS, rank_of_score


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (10.0, "critical"),
        (9.0, "critical"),
        (8.9, "high"),
        (7.0, "high"),
        (6.9, "medium"),
        (4.0, "medium"),
        (3.9, "low"),
        (0.1, "low"),
        (0.0, "none"),
    ],
)
def test_the_bands_of_the_design(score: float, band: str) -> None:
    assert BANDS[rank_of_score(score)] == band


@pytest.mark.parametrize("score", [-0.1, 10.1, float("nan"), float("inf")])
def test_what_is_no_score_is_an_error(score: float) -> None:
    with pytest.raises(ValueError, match="CVSS"):
        rank_of_score(score)
