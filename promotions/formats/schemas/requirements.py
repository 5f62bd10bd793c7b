"""The requirements of specifications for a member. Each function raises DocumentRefused with the place. Pure."""

from collections.abc import Collection, Iterator
from typing import Any

from promotions.formats.reading import DocumentRefused, a_list, an_object, at, member
from stellapromote.clock import parse_rfc3339


class NoSchema(Exception):
    """The requirements of the format, or of this version of it, are unknown here."""


def text(holder: dict[str, Any], name: str, place: str) -> str:
    """Text of any length that must be there and say something."""
    value = member(holder, name, place)
    if not isinstance(value, str):
        raise DocumentRefused("This must be text.", at(place, name))
    if not value.strip():
        raise DocumentRefused("This must not be empty.", at(place, name))
    return value


def one_of(holder: dict[str, Any], name: str, place: str, allowed: Collection[str]) -> str:
    value = text(holder, name, place)
    if value not in allowed:
        raise DocumentRefused(none_of(allowed), at(place, name))
    return value


def time(holder: dict[str, Any], name: str, place: str) -> None:
    try:
        parse_rfc3339(text(holder, name, place))
    except ValueError:
        raise DocumentRefused(NO_TIME, at(place, name)) from None


def entries(holder: dict[str, Any], name: str, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of a list that may be absent, each with its place."""
    if name not in holder:
        return
    inside = at(place, name)
    for index, each in enumerate(a_list(holder[name], inside)):
        where = at(inside, index)
        yield an_object(each, where), where


def some(holder: dict[str, Any], name: str, place: str) -> list[Any]:
    """A list that must be there and have an entry."""
    found = a_list(member(holder, name, place), at(place, name))
    if not found:
        raise DocumentRefused("This must not be empty.", at(place, name))
    return found


def none_of(allowed: Collection[Any]) -> str:
    """The sentence about a value that is none of these."""
    if len(allowed) > _MOST_NAMED:
        return f"This is none of the {len(allowed)} values that the specification allows."
    return f"This must be {'one of ' if len(allowed) > 1 else ''}{', '.join(map(str, allowed))}."


NO_TIME = "This must be an RFC 3339 time such as 2026-11-23T08:00:00Z."

_MOST_NAMED = 15
