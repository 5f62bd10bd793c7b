"""Query parameters: declared per action, everything else is refused (contract.md, filters: 400, never ignored)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stellapromote import wrong_values as wrong
from stellapromote.api.fields import EARLIEST_YEAR
from stellapromote.api.serializers import camel
from stellapromote.clock import parse_rfc3339
from stellapromote.errors import FieldError
from stellapromote.json_schema import Schema, read
from stellapromote.patterns import DIGEST
from stellapromote.plain_text import problem_in_line

_MOST_VALUES = 50
_LONGEST_NUMBER = 17  # digits and sign: anything longer is out of every range, and int() of very long text is slow
_FLAGS = {"true": True, "false": False}


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
            raise UnknownValue(wrong.not_among(known).message) from None

    return Parameter(name, parse, {"type": "string", "enum": list(known)}, description, repeatable)


def flag(name: str, description: str = "") -> Parameter:
    schema = {"type": "boolean"}
    return Parameter(name, lambda text: _checked(_FLAGS.get(text, text), schema), schema, description)


def uuid(name: str, description: str = "") -> Parameter:
    def parse(text: str) -> UUID:
        try:
            found = UUID(text) if len(text) == 36 else None
        except ValueError:
            found = None
        if found is None:
            raise ValueError(wrong.NO_UUID.message)
        return found

    return Parameter(name, parse, {"type": "string", "format": "uuid"}, description)


def timestamp(name: str, description: str = "") -> Parameter:
    def parse(text: str) -> Any:
        # In a query string an unescaped + is a blank.
        try:
            at = parse_rfc3339(text.replace(" ", "+")) if len(text) <= 64 else None
        except ValueError:
            at = None
        if at is None or at.year < EARLIEST_YEAR:
            raise ValueError((wrong.NO_INSTANT if at is None else wrong.BEFORE_1970).message)
        return at

    return Parameter(name, parse, {"type": "string", "format": "date-time"}, description)


def line(name: str, description: str = "", *, max_length: int = 200) -> Parameter:
    def parse(text: str) -> Any:
        problem = problem_in_line(text) or ("" if text else wrong.BLANK.message)
        if problem:
            raise ValueError(problem)
        return _checked(text, {"type": "string", "maxLength": max_length})

    schema = {"type": "string", "minLength": 1, "maxLength": max_length}
    return Parameter(name, parse, schema, description)


def digest(name: str, description: str = "") -> Parameter:
    schema = {"type": "string", "pattern": DIGEST}
    return Parameter(name, lambda text: _checked(text, schema), schema, description)


def integer(name: str, description: str = "", *, at_least: int, at_most: int) -> Parameter:
    schema = {"type": "integer", "minimum": at_least, "maximum": at_most}

    def parse(text: str) -> Any:
        is_whole = text.isascii() and text.removeprefix("-").isdigit() and len(text) <= _LONGEST_NUMBER
        return _checked(int(text) if is_whole else text, schema)

    return Parameter(name, parse, schema, description)


def _checked(value: Any, schema: Schema) -> Any:
    """The value. ValueError with the sentence that a body would get for it (docs/adr/0011)."""
    for error in read(value, schema)[1]:
        raise ValueError(error.message)
    return value


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
                problems.append(
                    FieldError(
                        wire[:100], "There is no such parameter: remove it, or correct its name.", "unknown_parameter"
                    )
                )
            elif len(texts) > (_MOST_VALUES if parameter.repeatable else 1):
                most = "once" if not parameter.repeatable else f"{_MOST_VALUES} times"
                problems.append(FieldError(wire, f"This is given too often: give it at most {most}.", "repeated"))
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
        problems += [FieldError(wire, *wrong.REQUIRED) for wire in self.required if wire not in query]
        return values, problems
