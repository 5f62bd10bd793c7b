import pytest

from stellapromote.api.etag import IfMatch, PreconditionFailed, not_modified, strong
from stellapromote.errors import Invalid


def test_a_version_is_a_strong_tag() -> None:
    assert strong(7) == '"7"'


@pytest.mark.parametrize("header", ['"7"', '"6", "7"', '  "6" ,"7"  ', "*", " * ", '"a", W/"x", "7"'])
def test_a_condition_holds(header: str) -> None:
    IfMatch(header).check('"7"')


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', '"77"', '""'])
def test_a_condition_does_not_hold(header: str) -> None:
    with pytest.raises(PreconditionFailed) as refusal:
        IfMatch(header).check('"7"')
    assert (refusal.value.status, refusal.value.code) == (412, "RES_PRECONDITION_FAILED")
    assert refusal.value.details == {"etag": '"7"'}


def test_one_of_several_present_tags_is_enough() -> None:
    IfMatch('"subject"').check('"7"', '"subject"')


@pytest.mark.parametrize(
    "header", ["", "7", "'7'", '"7', '"7" "8"', '"7",', ',"7"', '*, "7"', '"a\x7f"', '"' + "x" * 3000 + '"', 'w/"7"']
)
def test_an_unreadable_condition_is_400(header: str) -> None:
    with pytest.raises(Invalid) as refusal:
        IfMatch(header)
    assert refusal.value.fields[0].field == "If-Match"


def test_a_condition_knows_whether_it_was_checked() -> None:
    condition = IfMatch("*")
    assert not condition.checked
    condition.check('"7"')
    assert condition.checked


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [
        (None, False),
        ("", False),
        ('"7"', True),
        ('W/"7"', True),
        ('"6", "7"', True),
        ("*", True),
        ('"6"', False),
        ("7", False),
    ],
)
def test_a_reader_who_holds_the_state_gets_nothing_new(header: str | None, unchanged: bool) -> None:
    assert not_modified(header, '"7"') is unchanged
