"""The differences between two policy documents, field by field, for people to read. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

_WORDS = {None: "none", True: "yes", False: "no"}


@dataclass(frozen=True, slots=True)
class Difference:
    """`place`: `rules / security / minApprovals`. None: the field is not there on that side."""

    place: str
    before: str | None
    after: str | None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The differences in the order of `after`, then those only in `before`. Rules and gates are matched by their
    names."""
    old, new = dict(_flat(before)), dict(_flat(after))
    places = [*new, *(place for place in old if place not in new)]
    return [
        Difference(" / ".join(place), old.get(place), new.get(place))
        for place in places
        if old.get(place) != new.get(place)
    ]


def _flat(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping) and (value or not place):
        for name, part in value.items():
            yield from _flat(part, (*place, name))
    elif _is_named(value):
        for part in value:
            rest = {name: each for name, each in part.items() if name != "name"}
            yield from _flat(rest, (*place, part["name"]))
    else:
        yield place, _in_words(value)


def _is_named(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(part, Mapping) and isinstance(part.get("name"), str) for part in value)
    )


def _in_words(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value) or "none"
    if isinstance(value, str | int):
        return str(value) or "none"
    return orjson.dumps(value).decode()
