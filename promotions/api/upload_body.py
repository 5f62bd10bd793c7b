"""How documents arrive: inside a JSON body, or as a file of a multipart form (contract.md, POST /evidence).

Only the outside is looked at here, and nothing large is made of it; the document itself is read by the isolated child.
"""

import base64
import binascii
import io
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from promotions.formats.reading import MOST_BODY
from stellapromote import wrong_values as wrong
from stellapromote.api.fields import LineField
from stellapromote.api.parsing import MAX_BODY, BodyTooLarge, parse_json
from stellapromote.api.reading import ReadField
from stellapromote.api.requests import check_media_type
from stellapromote.api.serializers import Body
from stellapromote.api.views import ApiView
from stellapromote.errors import FieldError, Invalid
from stellapromote.signing.canonical_json import CanonicalJsonError, canonical_bytes
from stellapromote.web.uploads import MOST_FORM, BoundedUploadHandler

MOST_VALUES_INSIDE: Final = 300_000
MULTIPART: Final = "multipart/form-data"


@extend_schema_field({"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "string"}]})
class DocumentField(ReadField):
    """The document: its text, byte for byte, or the JSON object itself, then kept in its canonical form."""

    default_error_messages = {"invalid": "This must be a JSON object, or the text of the document."}

    def to_internal_value(self, data: Any) -> bytes:
        if isinstance(data, bytes):  # a file of a form
            return data
        if isinstance(data, str):
            return data.encode("utf-8")
        if not isinstance(data, dict):
            self.fail("invalid")
        try:
            return canonical_bytes(data)
        except CanonicalJsonError as error:
            raise serializers.ValidationError(str(error)[:200], code="invalid") from None


@extend_schema_field({"type": "string", "contentEncoding": "base64"})
class Base64Field(ReadField):
    """Bytes in base64."""

    default_error_messages = {"invalid": "This must be base64."}

    def to_internal_value(self, data: Any) -> bytes:
        try:
            return base64.b64decode(data, validate=True) if isinstance(data, str) else self.fail("invalid")
        except (binascii.Error, ValueError):
            self.fail("invalid")


class UploadBody(Body):
    """A body with a document in it: one of `document` and `documentBase64`, or the file `document` of a form."""

    media_type = LineField(max_length=100, required=False, help_text="application/json unless it says more.")
    document = DocumentField(required=False)
    document_base64 = Base64Field(required=False, help_text="The document's exact bytes.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [attrs.pop(name) for name in ("document", "document_base64") if name in attrs]
        if len(given) != 1:
            message = "Give exactly one of document and documentBase64."
            raise serializers.ValidationError({"document": [serializers.ErrorDetail(message, code="required")]})
        return {**attrs, "content": given[0]}


class UploadView(ApiView):
    """A call that takes documents, in its `prepared` actions."""

    lists: frozenset[str] = frozenset()
    """Fields that a form may have several times, each with one value of a list."""

    @property
    def body_limit(self) -> int:
        return MOST_BODY if self.action in self.prepared else MAX_BODY

    def check_content_type(self, header: str) -> None:
        if self.action not in self.prepared or not header.lower().startswith(MULTIPART):
            check_media_type(header)
        elif self.request.actor.auth_method == "session":
            # Django has looked for the CSRF token in the form by now, and the bytes are gone.
            raise Invalid("With a session send JSON; forms are for tokens.", code="VAL_UNSUPPORTED_MEDIA_TYPE")

    def parse_body(self, raw: bytes) -> tuple[Any, list[FieldError]]:
        if self.request.META.get("CONTENT_TYPE", "").lower().startswith(MULTIPART):
            return _form(self.request.META, raw, self.lists)
        if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MOST_VALUES_INSIDE:
            raise BodyTooLarge(
                f"The body has more than {MOST_VALUES_INSIDE} values: send the document as a file or in base64.",
                details={"limit": MOST_VALUES_INSIDE},
            )
        return parse_json(raw)


def _form(meta: dict[str, Any], raw: bytes, lists: frozenset[str]) -> tuple[Any, list[FieldError]]:
    """The fields of a form; the file `document` as bytes. Invalid for what is no readable form."""
    try:
        handlers = [BoundedUploadHandler()]
        parser = MultiPartParser({**meta, "CONTENT_LENGTH": str(len(raw))}, io.BytesIO(raw), handlers)
        fields, files = parser.parse()
    except RequestDataTooBig:
        raise BodyTooLarge(f"A form has at most {MOST_FORM} bytes.", details={"limit": MOST_FORM}) from None
    except (MultiPartParserError, TooManyFilesSent, ValueError, UnicodeError):
        raise Invalid("The form cannot be read: send it as curl -F does.", code="VAL_MALFORMED_JSON") from None
    parts: list[tuple[str, list[Any]]] = [*fields.lists(), *files.lists()]
    data: dict[str, Any] = {}
    problems = []
    for name, values in parts:
        if name in lists and all(isinstance(each, str) for each in values):
            data[name] = values
            continue
        if name in data or len(values) > 1:
            problems.append(FieldError(name[:100], "This stands twice in the form: send one in each call.", "repeated"))
        value = values[-1]
        data[name] = value.read() if isinstance(value, UploadedFile) else value
        if isinstance(value, str) and "\x00" in value:
            problems.append(FieldError(name[:100], *wrong.NUL))
    return data, problems
