"""Fields of request bodies: exact types (no "1" for 1, no true for 1), bounded (contract.md, conventions)."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from stellapromote import wrong_values as wrong
from stellapromote.api.parsing import LARGEST_INTEGER
from stellapromote.api.reading import ReadField, list_of, refused
from stellapromote.clock import parse_rfc3339
from stellapromote.patterns import DIGEST, DIGEST_HELP, SLUG, SLUG_HELP
from stellapromote.plain_text import problem_in_line, problem_in_text

EARLIEST_YEAR = 1970
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Text(ReadField, serializers.CharField):
    """Text that is text; `max_length` must be given."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        if not options.get("allow_blank"):
            options.setdefault("min_length", 1)
        super().__init__(max_length=max_length, **options)
        self.schema = {"type": "string", "minLength": self.min_length or 0, "maxLength": max_length}

    def to_internal_value(self, data: Any) -> str:
        trimmed = data.strip() if self.trim_whitespace and isinstance(data, str) else data
        text: str = super().to_internal_value(trimmed)
        problem = self.problem(text)
        if problem:
            raise refused(wrong.characters(problem))
        return text

    def problem(self, text: str) -> str | None:
        raise AssertionError("a subclass says which characters it takes")


class LineField(_Text):
    """One line: no control, line-breaking, direction-changing or invisible characters; blanks around it are cut."""

    def problem(self, text: str) -> str | None:
        return problem_in_line(text)


class TextField(_Text):
    """Several lines: what a line may hold, and line breaks and tabs."""

    def problem(self, text: str) -> str | None:
        return problem_in_text(text)


class PatternField(LineField):
    """One line of a given form. `pattern` is a regular expression that both Python and JSON Schema read alike."""

    def __init__(self, pattern: str, message: str, *, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=False, **options)
        self.schema = {**self.schema, "pattern": pattern, "x-message": message}
        set_override(self, "field", {"type": "string", "pattern": pattern, "maxLength": max_length})


class SlugField(PatternField):
    def __init__(self, **options: Any) -> None:
        super().__init__(SLUG, SLUG_HELP, max_length=63, **options)


class DigestField(PatternField):
    def __init__(self, **options: Any) -> None:
        super().__init__(DIGEST, DIGEST_HELP, max_length=71, **options)


@extend_schema_field({"type": "string", "format": "uri", "maxLength": 2000})
class HttpUrlField(LineField):
    """An http or https address with a host and without user information."""

    default_error_messages = {"invalid_url": "Give an address that begins with http:// or https:// and names a host."}

    def __init__(self, *, max_length: int = 2000, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            parts = urlsplit(text)
            parts.port  # noqa: B018 - raises for a port that is no number
        except ValueError:
            self.fail("invalid_url")
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or " " in text:
            self.fail("invalid_url")
        return text


class StrictIntegerField(ReadField, serializers.IntegerField):
    """A JSON integer between two bounds, which must be given."""

    def __init__(self, *, min_value: int, max_value: int, **options: Any) -> None:
        if min_value < -LARGEST_INTEGER or max_value > LARGEST_INTEGER:
            raise ValueError("integers on the wire stay within ±(2^53-1)")
        super().__init__(min_value=min_value, max_value=max_value, **options)
        self.schema = {"type": "integer", "minimum": min_value, "maximum": max_value}


class StrictBooleanField(ReadField, serializers.BooleanField):
    """true or false; null only where `allow_null=True`."""

    schema = {"type": "boolean"}


class StrictUUIDField(ReadField, serializers.UUIDField):
    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not _UUID.fullmatch(data):
            raise refused(wrong.NO_UUID)
        return UUID(data)


class StrictDateTimeField(ReadField, serializers.DateTimeField):
    """RFC 3339 with an offset, from 1970 to 9999; the value is UTC in whole milliseconds."""

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or len(data) > 64:
            raise refused(wrong.NO_INSTANT)
        try:
            at = parse_rfc3339(data)
        except ValueError:
            raise refused(wrong.NO_INSTANT) from None
        if at.year < EARLIEST_YEAR:
            raise refused(wrong.BEFORE_1970)
        return at


class StrictChoiceField(ReadField, serializers.ChoiceField):
    """One of the listed texts, exactly as written."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        self.schema = {"type": "string", "enum": list(self.choices)}


class StrictListField(ReadField, serializers.ListField):
    """A list of at most `max_length` values of one kind; `unique=True` refuses the same value twice."""

    def __init__(
        self, *, child: serializers.Field[Any, Any, Any, Any], max_length: int, unique: bool = False, **options: Any
    ) -> None:
        self.unique = unique
        super().__init__(child=child, max_length=max_length, **options)
        self.schema = list_of(max_length, self.min_length)

    def to_internal_value(self, data: Any) -> list[Any]:
        # Before the children are looked at: a long list of wrong values would make a longer answer.
        values = self.run_child_validation(super().to_internal_value(data))
        if self.unique and _has_twice(values):
            raise refused(wrong.TWICE)
        return values


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonObjectField(ReadField):
    """A free-form JSON object of bounded size. NUL characters and long numbers never get here."""

    default_error_messages = {"too_large": "This is too large: send at most {max_bytes} bytes."}

    def __init__(self, *, max_bytes: int = 16_384, **options: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise refused(wrong.another_type("object"))
        if len(orjson.dumps(data)) > self.max_bytes:
            self.fail("too_large", max_bytes=self.max_bytes)
        return data


def _has_twice(values: Iterable[Any]) -> bool:
    seen: list[Any] = []
    for value in values:
        if value in seen:
            return True
        seen.append(value)
    return False
