"""The forms of bodies: `Body` for those that the API takes, `Resource` for those that it answers (documentation only).

Attributes are written in snake_case and stand on the wire in camelCase; validated data comes back in snake_case, ready
to be an action's keyword arguments. A Body has shape and bounds only: it has no context, no instance and no database,
so one instance serves all requests of a process. Rules that need to look something up belong to actions.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.functional import cached_property
from rest_framework import serializers
from rest_framework.fields import empty

from stellapromote import wrong_values as wrong
from stellapromote.api.reading import ABSENT, checked, list_of, refused
from stellapromote.errors import FieldError


def camel(name: str) -> str:
    """`order_index` → `orderIndex`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """`orderIndex` → `order_index`."""
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


class _OnTheWire(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, field in super().get_fields().items():
            wire = camel(name)
            if wire != name and field.source is None:
                field.source = name
            fields[wire] = field
        return fields


class Resource(_OnTheWire):
    """The documented form of an answer. Nothing is rendered through it: presenters make plain dicts."""


def resource(name: str, fields: Mapping[str, serializers.Field[Any, Any, Any, Any]], about: str = "") -> type[Resource]:
    """A Resource whose fields are declared elsewhere, beside their values. ``about`` is its docstring."""
    return type(name, (Resource,), {**fields, "__doc__": about or None})


class Bodies(serializers.ListSerializer[Any]):
    """A list of objects inside a body."""

    default_error_messages = ABSENT

    def __init__(self, *args: Any, **options: Any) -> None:
        self.schema = list_of(options.get("max_length"))
        super().__init__(*args, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(checked(data, self.schema))


class Body(_OnTheWire):
    """A request body or an object inside one. Unknown names are refused, wherever they stand."""

    class Meta:
        list_serializer_class = Bodies

    default_error_messages = ABSENT

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise refused(wrong.another_type("object"))
        unknown = [name for name in data if name not in self._taken]
        if not unknown:
            return super().to_internal_value(data)
        errors: dict[str, Any] = {
            str(name)[:100]: [serializers.ErrorDetail(*wrong.UNKNOWN_FIELD)] for name in unknown[:20]
        }
        try:
            super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                errors.update(error.detail)
        raise serializers.ValidationError(errors)

    @cached_property
    def _taken(self) -> frozenset[str]:
        return frozenset(name for name, field in self.fields.items() if not field.read_only)


class NoBody(Body):
    """For calls that take no body: nothing, or an empty object."""


_bodies: dict[tuple[type[Body], bool], Body] = {}


def shared(body: type[Body], *, merging: bool) -> Body:
    """The one instance of a body that all requests of this process use.

    `merging` is for PUT and PATCH: every field may be left out and none gets its default. Objects inside stay whole,
    which DRF's own `partial` would not see to.
    """
    key = (body, merging)
    instance = _bodies.get(key)
    if instance is None:
        instance = body()
        for field in instance.fields.values():
            if merging:
                field.required, field.default = False, empty
        _bodies[key] = instance
    return instance


def changed_read_only(given: Mapping[str, Any], stored: Mapping[str, Any]) -> list[FieldError]:
    """Read-only fields that were sent with another value than the stored one (contract.md, writes)."""
    return [
        FieldError(name, "This field is read-only: leave it out, or send the stored value.", "read_only")
        for name, value in given.items()
        if name not in stored or stored[name] != value
    ]
