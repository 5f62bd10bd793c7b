"""Policy documents in request bodies: read by the schemas that read stored ones (stellapromote/json_schema.py)."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.drainage import set_override
from rest_framework import serializers

from stellapromote.api.reading import ReadField
from stellapromote.api.serializers import Body
from stellapromote.json_schema import Schema, read


class DocumentField(ReadField):
    """One field of a document inside a DocumentBody, which checks it. The value stays as it was given: the action
    makes the normal form."""

    def __init__(self, schema: Schema, **options: Any) -> None:
        self.schema = schema
        super().__init__(**options)
        set_override(self, "field", as_json_schema(schema))

    def to_internal_value(self, data: Any) -> Any:
        return data


class DocumentBody(Body):
    """A body with DocumentFields; their errors name the place: `rules[0].minApprovals`."""

    def to_internal_value(self, data: Any) -> Any:
        errors = self._document_errors(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            errors = {**error.detail, **errors}
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def _document_errors(self, data: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            if isinstance(field, DocumentField) and data.get(name) is not None:
                for each in read(data[name], field.schema, name)[1]:
                    found.setdefault(each.field, []).append(serializers.ErrorDetail(each.message, each.code))
        return found


def as_json_schema(schema: Schema) -> dict[str, Any]:
    """The schema as any JSON Schema reader understands it.

    What ours refuses without a word is said: objects have no other fields. Our own keywords and formats are left out.
    """
    plain: dict[str, Any] = {
        name: value for name, value in schema.items() if not name.startswith("x-") and name != "format"
    }
    if "oneOf" in plain:
        plain["oneOf"] = [as_json_schema(each) for each in plain["oneOf"]]
    if "properties" in plain:
        plain["properties"] = {name: as_json_schema(part) for name, part in plain["properties"].items()}
    if isinstance(plain.get("items"), Mapping):
        plain["items"] = as_json_schema(plain["items"])
    if plain.get("type") == "object" and "additionalProperties" not in plain:
        plain["additionalProperties"] = False
    return plain
