"""Where two JSON values differ. Pure."""

from typing import Any, Final

from stellapromote.json_schema import below
from stellapromote.signing.canonical_json import canonical_bytes

_PLAIN: Final = (str, bool, type(None))
"""Two of one of these types have the same canonical form where they are equal."""


def first_difference(left: Any, right: Any, place: str = "") -> str | None:
    """The first place where two JSON values differ, as refusals name the places of a body, or None; `gates[0].status`.

    `body` when they differ as a whole.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if (found := first_difference(left.get(key), right.get(key), below(place, key))) is not None:
                return found
        return None
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            if (found := first_difference(one, other, f"{place}[{index}]")) is not None:
                return found
        return None
    if type(left) is type(right) and type(left) in _PLAIN:
        return None if left == right else place or "body"
    return None if canonical_bytes({"v": left}) == canonical_bytes({"v": right}) else place or "body"
