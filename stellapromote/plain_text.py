"""Which characters text may hold, for API and forms alike (ui.md: single lines refuse control and bidi characters)."""

import re

# Surrogates are no characters: PostgreSQL and UTF-8 cannot hold them.
_NEVER = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
_LINE_BREAKS_AND_TABS = "\t\n\r\u2028\u2029"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_NOT_IN_TEXT = re.compile(f"[{_NEVER}]")
_NOT_IN_A_LINE = re.compile(f"[{_NEVER}{_LINE_BREAKS_AND_TABS}{_BIDI}]")


def problem_in_line(text: str) -> str | None:
    """Why the text cannot stand in a single-line field, or None."""
    return _describe(_NOT_IN_A_LINE.search(text))


def problem_in_text(text: str) -> str | None:
    """Why the text cannot stand in a field of several lines, or None. Line breaks and tabs are fine there."""
    return _describe(_NOT_IN_TEXT.search(text))


def escaped_line(text: str) -> str:
    """The text with every character that cannot stand in a line written as `\\u0000`."""
    return _NOT_IN_A_LINE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _describe(match: "re.Match[str] | None") -> str | None:
    if match is None:
        return None
    character = match.group()
    kind = "direction-changing" if re.match(f"[{_BIDI}]", character) else "control"
    return f"This has a {kind} character (U+{ord(character):04X}) at position {match.start() + 1}: remove it."
