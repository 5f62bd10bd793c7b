"""How fields of bodies are read: with the checks, sentences and codes of documents (stellapromote/json_schema.py)."""

from typing import Any, Final

from rest_framework import serializers
from rest_framework.fields import empty

from stellapromote import wrong_values as wrong
from stellapromote.json_schema import Schema, read

ABSENT: Final[dict[str, Any]] = {"required": wrong.REQUIRED.message, "null": wrong.NULL.message}
"""The sentences of every field about a missing value."""


def refused(complaint: wrong.Complaint) -> serializers.ValidationError:
    """The exception with which a field says it."""
    return serializers.ValidationError(complaint.message, code=complaint.code)


def checked(value: Any, schema: Schema) -> Any:
    """The value; ValidationError when it does not fit. ``schema``: of one value, with nothing said of what is in it."""
    for error in read(value, schema)[1]:
        raise serializers.ValidationError(error.message, code=error.code)
    return value


def list_of(most: int | None, least: int | None = None) -> Schema:
    """The schema of a list of any values, with so many of them."""
    bounds = {"minItems": least, "maxItems": most}
    return {"type": "array", "items": {}, **{name: bound for name, bound in bounds.items() if bound is not None}}


class ReadField(serializers.Field[Any, Any, Any, Any]):
    """A field that reads its value by its schema. DRF's validators only stand in the OpenAPI document."""

    schema: Schema = {}
    default_error_messages = ABSENT

    def run_validation(self, data: Any = empty) -> Any:
        is_absent, value = self.validate_empty_values(data)
        return value if is_absent else self.to_internal_value(value)

    def to_internal_value(self, data: Any) -> Any:
        return checked(data, self.schema)

    def to_representation(self, value: Any) -> Any:
        return value
