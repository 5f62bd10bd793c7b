"""The characters that text may hold, for everything that people type: API, forms, policies (ui.md; docs/adr/0175).

A text of several lines may hold the characters of a line, and line breaks and tabs. Two rules differ and give their
reason: texts of other tools are kept as they are (promotions/formats/lines.py), and answers of policy engines never
hold joiners, which records rest on (policies/engines/answers.py).
"""

import re

# Surrogates are no characters: PostgreSQL and UTF-8 cannot hold them.
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
_LINE_BREAKS_AND_TABS = "\t\n\r\u2028\u2029"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = "\u200b\u2060-\u2065\ufeff"
_JOINERS = "\u200c\u200d"
# Persian, Hindi and composed emoji need joiners; beside an ASCII character, or at an end, one only hides.
_JOINED = f"[^\x00-\x7f{_JOINERS}]"
_JOINS_NOTHING = f"(?<!{_JOINED})[{_JOINERS}]|[{_JOINERS}](?!{_JOINED})"
_NOT_IN_TEXT = re.compile(f"[{_CONTROL}{_BIDI}{_INVISIBLE}]|{_JOINS_NOTHING}")
_NOT_IN_A_LINE = re.compile(f"[{_CONTROL}{_BIDI}{_INVISIBLE}{_LINE_BREAKS_AND_TABS}]|{_JOINS_NOTHING}")


def problem_in_line(text: str) -> str | None:
    """The reason why the text cannot stand in a single-line field, or None."""
    return described(_NOT_IN_A_LINE.search(text))


def problem_in_text(text: str) -> str | None:
    """The reason why the text cannot stand in a field of several lines, or None."""
    return described(_NOT_IN_TEXT.search(text))


def described(match: "re.Match[str] | None") -> str | None:
    """The fault of the character that was found, and its place; None for None."""
    if match is None:
        return None
    character = match.group()
    if re.match(f"[{_BIDI}]", character):
        kind = "a direction-changing"
    elif re.match(f"[{_INVISIBLE}{_JOINERS}]", character):
        kind = "an invisible"
    else:
        kind = "a control"
    return f"This has {kind} character (U+{ord(character):04X}) at position {match.start() + 1}: remove it."
