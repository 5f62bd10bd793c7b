"""The contract as a file and as a page: /api/v1/schema and /api/docs, both made from what viewsets declare.

The page is our own HTML instead of Swagger UI or Redoc: those put styles inline, which the Content-Security-Policy of
ui.md forbids, and this one can be read, searched and printed without a script.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.text import slugify
from django.views.generic import View

from stellapromote.accounts.scopes import SCOPES
from stellapromote.api.declarations import PUBLIC, Answer
from stellapromote.api.etag import strong
from stellapromote.api.rendering import ApiResponse, dumps
from stellapromote.api.schema import openapi
from stellapromote.api.views import ApiRequest, ApiView

_REFERENCE = "#/components/schemas/"
_DEEPEST = 6


class SchemaView(ApiView):
    scopes: ClassVar = {"get": PUBLIC}
    answers: ClassVar = {"get": Answer({"type": "object"}, etag=True, description="The OpenAPI 3.1 document.")}
    tag = "Operations"

    def get(self, request: ApiRequest) -> ApiResponse:
        """This contract as OpenAPI 3.1."""
        content, etag = _document(settings.ROOT_URLCONF)
        return ApiResponse(content, etag=etag, headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=4)
def _document(urlconf: str) -> tuple[bytes, str]:
    content = dumps(openapi(urlconf))
    return content, strong(hashlib.sha256(content).hexdigest()[:32])


@method_decorator(login_not_required, name="dispatch")
class DocsView(View):
    """The human docs. Anybody may read them: they hold no data of anybody."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(
            request,
            "api/docs.html",
            {"groups": groups(settings.ROOT_URLCONF), "resources": resources(settings.ROOT_URLCONF), "scopes": SCOPES},
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of fields or parameters."""

    name: str
    type: str
    required: bool
    description: str
    anchor: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    status: str
    description: str
    codes: list[str]
    type: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Row]
    body: list[Row]
    outcomes: list[Outcome]
    curl: str


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    anchor: str
    operations: list[Operation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ResourceTable:
    name: str
    anchor: str
    rows: list[Row]


@lru_cache(maxsize=4)
def groups(urlconf: str) -> list[Group]:
    """All operations by heading, in the order of the document."""
    document = openapi(urlconf)
    found: dict[str, Group] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = operation["tags"][0]
            group = found.setdefault(name, Group(name, slugify(name)))
            group.operations.append(_operation(document, path, method, operation))
    return sorted(found.values(), key=lambda group: group.name)


@lru_cache(maxsize=4)
def resources(urlconf: str) -> list[ResourceTable]:
    """The named forms that operations refer to."""
    schemas = openapi(urlconf).get("components", {}).get("schemas", {})
    return [ResourceTable(name, _anchor(name), list(_rows(schema))) for name, schema in sorted(schemas.items())]


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    parameters = operation.get("parameters", [])
    body_schema = _schema(operation.get("requestBody", {}))
    body = list(_rows(_resolved(document, body_schema)))
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        # Backticks are for readers of the document; the page sets no code inside sentences.
        description=operation.get("description", "").replace("`", ""),
        parameters=[
            Row(
                parameter["name"],
                _type(parameter.get("schema", {})),
                parameter.get("required", False),
                parameter.get("description", ""),
                place=parameter["in"],
            )
            for parameter in parameters
        ],
        body=body,
        outcomes=[_outcome(status, response) for status, response in operation["responses"].items()],
        curl=_curl(path, method, body, public=operation["security"] == [{}]),
    )


def _outcome(status: str, response: dict[str, Any]) -> Outcome:
    schema = _schema(response)
    codes: list[str] = []
    if "allOf" in schema and "properties" in schema["allOf"][-1]:
        codes = schema["allOf"][-1]["properties"]["error"]["properties"]["code"]["enum"]
        schema = schema["allOf"][0]
    return Outcome(status, "" if codes else response["description"], codes, _type(schema), _target(schema))


def _curl(path: str, method: str, body: list[Row], *, public: bool) -> str:
    lines = [f'curl -X {method.upper()} "$STELLAPROMOTE{path}"']
    if not public:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if method == "post":
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body:
        members = ", ".join(f'"{row.name}": …' for row in body if row.required) or f'"{body[0].name}": …'
        lines += ['-H "Content-Type: application/json"', f"-d '{{{members}}}'"]
    return " \\\n     ".join(lines)


def _schema(holder: dict[str, Any]) -> dict[str, Any]:
    """Of a body or an answer: that of its first media type."""
    contents: dict[str, Any] = holder.get("content", {})
    for content in contents.values():
        found: dict[str, Any] = content["schema"]
        return found
    return {}


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].removeprefix(_REFERENCE)]
    return found


def _rows(schema: dict[str, Any]) -> Iterator[Row]:
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        yield Row(name, _type(member), name in required, member.get("description", ""), _target(member))


def _type(schema: dict[str, Any], depth: int = 0) -> str:
    """A short text for a JSON Schema: `text (1 to 63)`, `integer (0 to 100) or null`, `list of Environment`."""
    if depth > _DEEPEST or not schema:
        return "any JSON"
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REFERENCE)
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            texts = dict.fromkeys(_type(part, depth + 1) for part in schema[several])
            return (" and " if several == "allOf" else " or ").join(texts)
    if "const" in schema:
        return str(dumps(schema["const"]), "utf-8")
    if "enum" in schema:
        return " | ".join("null" if value is None else str(value) for value in schema["enum"])
    kinds = schema.get("type", "any JSON")
    return " or ".join(_kind(kind, schema, depth) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _kind(kind: str, schema: dict[str, Any], depth: int) -> str:
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), depth + 1)}"
    if kind == "string":
        return str(schema.get("format", "text")) + _range(schema, "minLength", "maxLength")
    if kind in ("integer", "number"):
        return kind + _range(schema, "minimum", "maximum")
    return kind


def _range(schema: dict[str, Any], low: str, high: str) -> str:
    if high in schema:
        return f" ({schema.get(low, 0)} to {schema[high]})"
    return f" (≥ {schema[low]})" if low in schema else ""


def _target(schema: dict[str, Any]) -> str:
    for part in (schema, schema.get("items", {}), *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if isinstance(part, dict) and "$ref" in part:
            return _anchor(part["$ref"].removeprefix(_REFERENCE))
    return ""


def _anchor(name: str) -> str:
    return f"resource-{name}"
