"""Query parameters: declared per action, everything else is refused (contract.md, filters: 400, never ignored)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stellapromote.api.fields import EARLIEST_YEAR
from stellapromote.api.serializers import camel
from stellapromote.clock import parse_rfc3339
from stellapromote.errors import FieldError
from stellapromote.patterns import DIGEST, DIGEST_HELP, compiled
from stellapromote.plain_text import problem_in_line

_MOST_VALUES = 50


class UnknownValue(ValueError):
    """A word that is not in the parameter's list."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter. `parse` raises ValueError with a sentence; a repeatable one gives distinct values; without a
    required one the call is refused."""

    name: str
    parse: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str = ""
    repeatable: bool = False
    required: bool = False

    @property
    def wire(self) -> str:
        return camel(self.name)


def choice(
    name: str, values: Iterable[str] | Mapping[str, Any], description: str = "", *, repeatable: bool = False
) -> Parameter:
    """One of the listed words; with a mapping, the value it stands for."""
    known = dict(values) if isinstance(values, Mapping) else {value: value for value in values}

    def parse(text: str) -> Any:
        try:
            return known[text]
        except KeyError:
            raise UnknownValue(f"This must be one of: {', '.join(known)}.") from None

    return Parameter(name, parse, {"type": "string", "enum": list(known)}, description, repeatable)


def flag(name: str, description: str = "") -> Parameter:
    def parse(text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError("This must be true or false.")
        return text == "true"

    return Parameter(name, parse, {"type": "boolean"}, description)


def uuid(name: str, description: str = "") -> Parameter:
    def parse(text: str) -> UUID:
        if len(text) != 36:
            raise ValueError("This must be a UUID.")
        try:
            return UUID(text)
        except ValueError:
            raise ValueError("This must be a UUID.") from None

    return Parameter(name, parse, {"type": "string", "format": "uuid"}, description)


def timestamp(name: str, description: str = "") -> Parameter:
    def parse(text: str) -> Any:
        # In a query string an unescaped + is a blank.
        try:
            at = parse_rfc3339(text.replace(" ", "+")) if len(text) <= 64 else None
        except ValueError:
            at = None
        if at is None or at.year < EARLIEST_YEAR:
            raise ValueError("This must be an RFC 3339 time with its offset, from 1970 to 9999.")
        return at

    return Parameter(name, parse, {"type": "string", "format": "date-time"}, description)


def line(name: str, description: str = "", *, max_length: int = 200) -> Parameter:
    def parse(text: str) -> str:
        problem = problem_in_line(text)
        if problem or not text or len(text) > max_length:
            raise ValueError(problem or f"This must be a text of 1 to {max_length} characters.")
        return text

    schema = {"type": "string", "minLength": 1, "maxLength": max_length}
    return Parameter(name, parse, schema, description)


def digest(name: str, description: str = "") -> Parameter:
    def parse(text: str) -> str:
        if not compiled(DIGEST).search(text):
            raise ValueError(DIGEST_HELP)
        return text

    return Parameter(name, parse, {"type": "string", "pattern": DIGEST}, description)


def integer(name: str, description: str = "", *, at_least: int, at_most: int) -> Parameter:
    def parse(text: str) -> int:
        if (
            not (text.isascii() and text.removeprefix("-").isdigit())
            or len(text) > 17
            or not at_least <= int(text) <= at_most
        ):
            raise ValueError(f"This must be an integer from {at_least} to {at_most}.")
        return int(text)

    return Parameter(name, parse, {"type": "integer", "minimum": at_least, "maximum": at_most}, description)


class Parameters:
    """The parameters of one action."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.by_wire_name = {parameter.wire: parameter for parameter in parameters}
        if len(self.by_wire_name) != len(parameters):
            raise ValueError("two parameters have the same name")
        self.required = [parameter.wire for parameter in parameters if parameter.required]

    def read(self, query: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], list[FieldError]]:
        """The given values by their snake_case names, and what is wrong. What was not given is left out."""
        values: dict[str, Any] = {}
        problems: list[FieldError] = []
        for wire, texts in query.items():
            parameter = self.by_wire_name.get(wire)
            if parameter is None:
                problems.append(FieldError(wire[:100], "This parameter is not known here.", "unknown_parameter"))
            elif len(texts) > (_MOST_VALUES if parameter.repeatable else 1):
                problems.append(FieldError(wire, "This parameter is given too often.", "repeated"))
            else:
                try:
                    parsed = list(dict.fromkeys(map(parameter.parse, texts)))
                except ValueError as error:
                    code = "unknown_value" if isinstance(error, UnknownValue) else "invalid"
                    problems.append(FieldError(wire, str(error), code))
                else:
                    values[parameter.name] = parsed if parameter.repeatable else parsed[0]
            if len(problems) >= _MOST_VALUES:
                break
        problems += [
            FieldError(wire, "This parameter is required.", "required") for wire in self.required if wire not in query
        ]
        return values, problems
