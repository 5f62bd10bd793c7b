import pytest

from stellapromote.json_schema import read
from stellapromote.plain_text import problem_in_line, problem_in_text


@pytest.mark.parametrize("text", ["release", "Zoë Müller", "日本語", "عربى", "a-b_c.d (e)", "👩‍🚀", ""])
def test_ordinary_text_is_fine_everywhere(text: str) -> None:
    assert problem_in_line(text) is None
    assert problem_in_text(text) is None


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\ud800", chr(0xDFFF)])
def test_control_characters_and_surrogates_are_refused_everywhere(character: str) -> None:
    assert problem_in_line(f"a{character}b")
    assert problem_in_text(f"a{character}b")


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\u2028", "\u2029"])
def test_a_line_has_no_breaks_and_tabs_but_text_may(character: str) -> None:
    assert problem_in_line(f"a{character}b")
    assert problem_in_text(f"a{character}b") is None


@pytest.mark.parametrize("character", ["\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c"])
def test_the_direction_cannot_be_changed_anywhere(character: str) -> None:
    assert "direction-changing" in (problem_in_line(f"a{character}b") or "")
    assert "direction-changing" in (problem_in_text(f"a{character}b") or "")


@pytest.mark.parametrize("character", ["\u200b", "\u2060", "\u2063", "\ufeff"])
def test_what_is_never_seen_is_refused_everywhere(character: str) -> None:
    assert problem_in_line(f"a{character}b") == problem_in_text(f"a{character}b")
    assert "invisible" in (problem_in_line(f"日{character}本") or "")


@pytest.mark.parametrize(
    "text", ["a\u200db", "a\u200cb", "\u200d日", "日\u200c", "a\u200d日", "日\u200d\u200c本", "\u200d"]
)
def test_a_joiner_that_joins_nothing_is_refused(text: str) -> None:
    assert "invisible" in (problem_in_line(text) or "")
    assert "invisible" in (problem_in_text(text) or "")


@pytest.mark.parametrize("text", ["\U0001f469\u200d\U0001f680", "\u0645\u06cc\u200c\u062e", "\u0915\u094d\u200d\u0937"])
def test_a_joiner_between_letters_that_need_it_is_fine(text: str) -> None:
    assert problem_in_line(text) is None
    assert problem_in_text(text) is None


def test_policies_take_what_every_other_field_takes() -> None:
    for code in range(0x11000):
        for format_, problem_in in (("line", problem_in_line), ("text", problem_in_text)):
            text = f"a{chr(code)}b"
            _, errors = read(text, {"type": "string", "format": format_})
            assert bool(errors) == bool(problem_in(text)), (format_, hex(code))


def test_the_place_is_named() -> None:
    assert problem_in_line("ab\x00") == "This has a control character (U+0000) at position 3: remove it."
