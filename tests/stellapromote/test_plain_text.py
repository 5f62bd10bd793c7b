import pytest

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
def test_a_line_cannot_change_direction(character: str) -> None:
    assert "direction-changing" in (problem_in_line(f"a{character}b") or "")
    assert problem_in_text(f"a{character}b") is None


def test_the_place_is_named() -> None:
    assert problem_in_line("ab\x00") == "This has a control character (U+0000) at position 3: remove it."
