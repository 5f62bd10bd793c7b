"""The characters that a line of a document may hold: those of other tools, kept as they are (docs/adr/0175).

Invisible ones stay: the name of a vulnerability is read around them. A change here raises READER.
"""

import re
from typing import Final

from stellapromote.plain_text import described

_NOT_IN_A_LINE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def problem_in_line(text: str) -> str | None:
    """The reason why the text cannot stand in a line, or None."""
    return described(_NOT_IN_A_LINE.search(text))


def escaped_line(text: str) -> str:
    """The text with every character that cannot stand in a line written as `\\u0000`."""
    return _NOT_IN_A_LINE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
