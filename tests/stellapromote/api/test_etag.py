import re
from typing import Any

import pytest

from stellapromote.api.etag import IfMatch, PreconditionFailed, not_modified, opaque, strong
from stellapromote.errors import Invalid


def test_a_digest_is_a_strong_tag() -> None:
    assert strong("ab") == '"ab"'


def test_an_opaque_tag_is_of_one_row_one_state_and_this_installation(settings: Any) -> None:
    tags = [opaque("release", "a", 7), opaque("release", "b", 7), opaque("release", "a", 8), opaque("policy", "a", 7)]
    settings.SECRET_KEY = "another installation, with a key of its own"
    tags.append(opaque("release", "a", 7))
    assert len(set(tags)) == 5
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', tag) for tag in tags)
    assert opaque("release", "a", 7) == tags[-1]


def test_parts_of_a_state_are_told_apart() -> None:
    assert opaque("policy", "a", "1", "2") != opaque("policy", "a", "12")


@pytest.mark.parametrize(
    ("header", "names_one"), [('"7"', True), (' "7" ', True), ('"6", "7"', False), ('"7", "7"', False), ("*", False)]
)
def test_one_tag_alone_says_what_was_seen(header: str, names_one: bool) -> None:
    assert IfMatch(header).names_one is names_one


@pytest.mark.parametrize("header", ['"7"', '"6", "7"', '  "6" ,"7"  ', "*", " * ", '"a", W/"x", "7"'])
def test_a_condition_holds(header: str) -> None:
    IfMatch(header).check('"7"')


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', '"77"', '""'])
def test_a_condition_does_not_hold(header: str) -> None:
    with pytest.raises(PreconditionFailed) as refusal:
        IfMatch(header).check('"7"')
    assert (refusal.value.status, refusal.value.code) == (412, "RES_PRECONDITION_FAILED")
    assert refusal.value.details is None  # not the tag: who is told it has not read what it stands for


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
