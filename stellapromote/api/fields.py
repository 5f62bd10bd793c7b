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

from stellapromote.api.parsing import LARGEST_INTEGER
from stellapromote.api.serializers import LIST_MESSAGES
from stellapromote.clock import parse_rfc3339
from stellapromote.patterns import DIGEST, DIGEST_HELP, SLUG, SLUG_HELP, compiled
from stellapromote.plain_text import problem_in_line, problem_in_text

EARLIEST_YEAR = 1970
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Text(serializers.CharField):
    """Text that is text; `max_length` must be given."""

    default_error_messages = {
        "invalid": "This must be text.",
        "min_length": "This must have at least {min_length} characters.",
        "max_length": "This may have at most {max_length} characters.",
        "characters": "{problem}",
    }

    def __init__(self, *, max_length: int, **options: Any) -> None:
        if not options.get("allow_blank"):
            options.setdefault("min_length", 1)  # for the document: blank is looked for before
        super().__init__(max_length=max_length, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # DRF looks for blank before it looks for the type.
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        text: str = data.strip() if self.trim_whitespace else data
        problem = self.problem(text)
        if problem:
            self.fail("characters", problem=problem)
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
        self.pattern = compiled(pattern)
        set_override(self, "field", {"type": "string", "pattern": pattern, "maxLength": max_length})
        self.message = message

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not self.pattern.search(text):
            raise serializers.ValidationError(self.message, code="invalid")
        return text


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


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer between two bounds, which must be given."""

    default_error_messages = {
        "invalid": "This must be an integer.",
        "min_value": "This must be at least {min_value}.",
        "max_value": "This may be at most {max_value}.",
    }

    def __init__(self, *, min_value: int, max_value: int, **options: Any) -> None:
        if min_value < -LARGEST_INTEGER or max_value > LARGEST_INTEGER:
            raise ValueError("integers on the wire stay within ±(2^53-1)")
        super().__init__(min_value=min_value, max_value=max_value, **options)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return int(data)


class StrictBooleanField(serializers.BooleanField):
    """true or false; null only where `allow_null=True`."""

    default_error_messages = {"invalid": "This must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if data is not True and data is not False:
            self.fail("invalid")
        return bool(data)


class StrictUUIDField(serializers.UUIDField):
    default_error_messages = {"invalid": "This must be a UUID such as 0191d2f0-0000-7000-8000-000000000000."}

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not _UUID.fullmatch(data):
            self.fail("invalid")
        return UUID(data)


class StrictDateTimeField(serializers.DateTimeField):
    """RFC 3339 with an offset, from 1970 to 9999; the value is UTC in whole milliseconds."""

    default_error_messages = {
        "invalid": "This must be an RFC 3339 time with its offset, such as 2026-11-23T08:00:00.000Z.",
        "range": "Times go from 1970 to 9999.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or len(data) > 64:
            self.fail("invalid")
        try:
            at = parse_rfc3339(data)
        except ValueError:
            self.fail("invalid")
        if at.year < EARLIEST_YEAR:
            self.fail("range")
        return at


class StrictChoiceField(serializers.ChoiceField):
    """One of the listed texts, exactly as written."""

    default_error_messages = {"invalid_choice": "This must be one of: {choices}."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", choices=", ".join(map(str, self.choices)))
        return data


class StrictListField(serializers.ListField):
    """A list of at most `max_length` values of one kind; `unique=True` refuses the same value twice."""

    default_error_messages = {
        **LIST_MESSAGES,
        "duplicate": "The same value stands here twice.",
    }

    def __init__(
        self, *, child: serializers.Field[Any, Any, Any, Any], max_length: int, unique: bool = False, **options: Any
    ) -> None:
        self.unique = unique
        super().__init__(child=child, max_length=max_length, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        # Before the children are looked at: a long list of wrong values would make a longer answer.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        values: list[Any] = super().to_internal_value(data)
        if self.unique and _has_twice(values):
            self.fail("duplicate")
        return values


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonObjectField(serializers.Field[Any, Any, Any, Any]):
    """A free-form JSON object of bounded size. NUL characters and long numbers never get here."""

    default_error_messages = {
        "not_an_object": "This must be a JSON object.",
        "too_large": "This object is larger than {max_bytes} bytes.",
    }

    def __init__(self, *, max_bytes: int = 16_384, **options: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        if len(orjson.dumps(data)) > self.max_bytes:
            self.fail("too_large", max_bytes=self.max_bytes)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _has_twice(values: Iterable[Any]) -> bool:
    seen: list[Any] = []
    for value in values:
        if value in seen:
            return True
        seen.append(value)
    return False
