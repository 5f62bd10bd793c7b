import pytest

from stellapromote.counted import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 approvals"), (1, "1 approval"), (2, "2 approvals"), (21, "21 approvals")]
)
def test_only_one_is_singular(number: int, words: str) -> None:
    assert counted(number, "approval") == words
