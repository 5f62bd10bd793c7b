import pytest

from stellapromote.web.request_id import request_id_from


@pytest.mark.parametrize("given", ["deploy-4711", "01890a5d-ac96-774b-bcce-b302099a8057", "a" * 128])
def test_a_sane_id_is_taken(given: str) -> None:
    assert request_id_from(given) == given


@pytest.mark.parametrize(
    "given", [None, "", "short", "a" * 129, "with space", "line\nbreak", "käse-käse", "-leading-dash"]
)
def test_any_other_id_is_replaced(given: str | None) -> None:
    assert request_id_from(given) != given


def test_made_ids_differ() -> None:
    assert request_id_from(None) != request_id_from(None)
