"""OpenAPI 3.1 from what viewsets declare: what is documented is what is enforced (contract.md)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from threading import Lock
from typing import Any, Final

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema as SpectacularSchema
from drf_spectacular.plumbing import ResolvedComponent, get_doc
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from stellapromote.api.declarations import MEMBER, PUBLIC, Answer
from stellapromote.api.idempotency import HEADER as IDEMPOTENCY_HEADER
from stellapromote.api.serializers import Body
from stellapromote.errors import CODES

_UNREADABLE_BODY = ("VAL_MALFORMED_JSON", "VAL_BODY_TOO_SLOW", "VAL_BODY_TOO_LARGE", "VAL_UNSUPPORTED_MEDIA_TYPE")
_ALWAYS = ("VAL_UNKNOWN_PARAMETER", "VAL_NOT_ACCEPTABLE", "SYS_INTERNAL", "SYS_UNAVAILABLE")
_AUTHENTICATION = (*(code for code in CODES if code.startswith("AUTH_")), "PERM_TENANT_REQUIRED")

_ERROR = {
    "type": "object",
    "required": ["success", "error", "meta"],
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "Stable; listed in docs/errors.md."},
                "message": {"type": "string", "description": "A sentence for people; its wording may change."},
                "details": {"type": "object", "description": "Data about the refusal, by code."},
                "validationErrors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "message", "code"],
                        "properties": {
                            "field": {"type": "string", "description": "Place in wire names: rules[0].minApprovals"},
                            "message": {"type": "string"},
                            "code": {
                                "type": "string",
                                "pattern": "^[a-z][a-z0-9_]*$",
                                "description": "What is wrong, in a word: unknown_field, required, invalid",
                            },
                        },
                    },
                },
            },
        },
        "meta": {
            "type": "object",
            "required": ["requestId", "timestamp"],
            "properties": {
                "requestId": {"type": ["string", "null"]},
                "timestamp": {"type": "string", "format": "date-time"},
            },
        },
    },
}
_COUNT = {"type": "integer", "minimum": 0}
_PAGE_META = {
    "type": "object",
    "required": ["page", "pageSize", "totalCount", "totalPages", "hasNext", "hasPrevious"],
    "properties": {
        "page": {"type": "integer", "minimum": 1},
        "pageSize": {"type": "integer", "minimum": 1},
        "totalCount": _COUNT,
        "totalPages": _COUNT,
        "hasNext": {"type": "boolean"},
        "hasPrevious": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_CURSOR_META = {
    "type": "object",
    "required": ["pageSize", "nextCursor", "previousCursor"],
    "properties": {
        "pageSize": {"type": "integer", "minimum": 1},
        "nextCursor": {"type": ["string", "null"]},
        "previousCursor": {"type": ["string", "null"]},
    },
    "additionalProperties": False,
}
_SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "spt_…", "description": "An API token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "A signed-in browser; unsafe methods also send X-CSRFToken.",
    },
}


class AutoSchema(SpectacularSchema):
    """The operation of one ApiView action."""

    @property
    def _endpoint(self) -> Any:
        """The ApiView; typed loosely, because views.py imports this module."""
        return self.view

    def get_tags(self) -> list[str]:
        return [self._endpoint.tag or super().get_tags()[0].replace("-", " ").capitalize()]

    def get_operation_id(self) -> str:
        verb = "patch" if self.method == "PATCH" else self._endpoint.action
        if verb not in ("list", "create", "retrieve", "update", "patch", "destroy"):
            # `…/versions` and `…/versions/{number}` have the same words.
            verb = "retrieve" if self.method == "GET" and self.path.endswith("}") else self.method.lower()
        return "_".join([*(token.replace("-", "_") for token in self._tokenize_path()), verb])

    def get_summary(self) -> str | None:
        return self._sentences()[0] or None

    def get_description(self, *_: Any) -> str:
        scopes = self._scopes()
        needs = f"Needs the right {' or '.join(f'`{scope}`' for scope in scopes)}."
        if scopes in ((PUBLIC,), (MEMBER,)):
            needs = "No authentication." if scopes == (PUBLIC,) else "Any member of the tenant."
        return "\n\n".join(filter(None, [self._sentences()[1], needs]))

    def _sentences(self) -> tuple[str, str]:
        handler = getattr(self._endpoint, self._endpoint.action)
        summary, _, rest = get_doc(handler).partition("\n\n")
        return summary.replace("\n", " "), rest

    def _scopes(self) -> tuple[str, ...]:
        scopes = self._endpoint.scopes[self._endpoint.action]
        return scopes if isinstance(scopes, tuple) else (scopes,)

    def get_extensions(self) -> dict[str, Any]:
        scopes = self._scopes()
        return {"x-required-scope": scopes[0] if len(scopes) == 1 else list(scopes)}

    def get_auth(self) -> list[dict[str, Any]]:
        if self._scopes() == (PUBLIC,):
            return [{}]
        for name, definition in _SECURITY_SCHEMES.items():
            self._component(name, definition, ResolvedComponent.SECURITY_SCHEMA)
        return [{name: []} for name in _SECURITY_SCHEMES]

    def get_override_parameters(self) -> list[Any]:
        parameters = [
            OpenApiParameter(
                parameter.wire,
                {"type": "array", "items": dict(parameter.schema)} if parameter.repeatable else dict(parameter.schema),
                OpenApiParameter.QUERY,
                description=parameter.description,
                required=parameter.required,
                explode=True if parameter.repeatable else None,
            )
            for parameter in self._endpoint.parameters.get(self._endpoint.action, ())
        ]
        if self._scopes() != (PUBLIC,):
            parameters.append(
                _header("X-Stella-Tenant", "Slug of the tenant, for a session of several.", {"maxLength": 63})
            )
        if self._takes_key():
            parameters.append(
                _header(
                    IDEMPOTENCY_HEADER,
                    "The same call with the same key within 24 hours gets the same answer and is done once.",
                    {"pattern": r"^[\x21-\x7e]{1,255}$"},
                )
            )
        if self._is_conditional():
            parameters.append(
                _header(
                    "If-Match",
                    "ETag of the state that you have seen; another state is 412. A list or `*` names no single state.",
                    {},
                )
            )
        if self._answer().etag and self.method == "GET":
            parameters.append(_header("If-None-Match", "ETag that you hold; the same state is 304.", {}))
        return parameters

    def get_request_serializer(self) -> Any:
        body: type[Body] | None = self._endpoint.bodies.get(self._endpoint.action)
        return body(partial=self.method in ("PUT", "PATCH")) if body is not None else None

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        base: Any = super()  # untyped
        schema = base._map_basic_serializer(serializer, direction)
        if isinstance(serializer, Body):
            schema["additionalProperties"] = False
            if serializer.partial:
                taken = schema.get("properties", {})
                schema["properties"] = taken | self._read_only(taken)
        return schema

    def _read_only(self, taken: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of an answer beside those of a PUT or PATCH: such a field is taken back as it is stored
        (views.py)."""
        form = self._answer().form
        if not (isinstance(form, type) and issubclass(form, serializers.Serializer)):
            return {}
        told = {"readOnly": True, "description": "Left out, or as it is stored."}
        return {name: told for name in form().get_fields() if name not in taken}

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        # A field that is documented as null and takes null is ["null", "null"], which drf-spectacular cannot read.
        kinds = schema.get("type")
        if isinstance(kinds, list):
            distinct = list(dict.fromkeys(kinds))
            schema["type"] = distinct if len(distinct) > 1 else distinct[0]
        base: Any = super()  # untyped
        base._insert_field_validators(field, schema)

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        answer = self._answer()
        bodies: dict[str, Any] = {str(answer.status): self._success(answer)}
        alternative = self._endpoint.alternatives.get(self._endpoint.action)
        if alternative is not None:
            bodies[str(alternative.status)] = self._success(alternative)
        if answer.etag and self.method == "GET":
            bodies["304"] = {"description": "Your copy is still the present state."}
        by_status: dict[int, list[str]] = defaultdict(list)
        for code in dict.fromkeys(self._codes()):
            by_status[CODES[code].status].append(code)
        bodies.update((str(status), self._refusal(codes)) for status, codes in sorted(by_status.items()))
        return bodies

    def _success(self, answer: Answer) -> dict[str, Any]:
        success: dict[str, Any] = {
            "description": answer.description or "Done.",
            "content": {answer.media_type: {"schema": self._success_schema(answer)}},
        }
        if answer.etag:
            success["headers"] = {
                "ETag": {"schema": {"type": "string"}, "description": "Opaque strong tag of this state."}
            }
        return success

    def _success_schema(self, answer: Answer) -> dict[str, Any]:
        form = answer.form
        schema: dict[str, Any] = {} if form is None else form if isinstance(form, dict) else self._ref(form)
        if answer.many:
            return {"type": "array", "items": schema}
        if not answer.paged:
            return schema
        metas = [self._component("PageMeta", _PAGE_META).ref, self._component("CursorMeta", _CURSOR_META).ref]
        page = {
            "type": "object",
            "required": ["data", "meta"],
            # anyOf: clients that are made from this take the first that fits, and some fail where two might.
            "properties": {"data": {"type": "array", "items": schema}, "meta": {"anyOf": metas}},
            "additionalProperties": False,
        }
        name = schema.get("$ref", "").rpartition("/")[2]
        return dict(self._component(f"{name}List", page).ref) if name else page

    def _codes(self) -> Iterable[str]:
        yield from _ALWAYS
        if self._endpoint.counted:
            yield "SYS_RATE_LIMITED"
        if self._scopes() != (PUBLIC,):
            yield from _AUTHENTICATION
            if self._scopes() != (MEMBER,):
                yield "PERM_DENIED"
            if self.method != "GET":
                yield "PERM_CSRF"
        if "{" in self.path:
            yield "RES_NOT_FOUND"
        if self._endpoint.parameters.get(self._endpoint.action) or self.method != "GET":
            yield "VAL_INVALID"
        if self.method != "GET":
            yield from _UNREADABLE_BODY
            yield "VAL_UNKNOWN_FIELD"
            yield "VAL_NOT_SUPPORTED"
        if self._takes_key():
            yield from ("RES_IDEMPOTENCY_KEY_REUSED", "RES_IN_PROGRESS")
        if self._is_conditional():
            yield "RES_PRECONDITION_FAILED"
        yield from self._endpoint.refusals.get(self._endpoint.action, ())

    def _refusal(self, codes: list[str]) -> dict[str, Any]:
        error = self._component("Error", _ERROR).ref
        narrowed = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
        refusal: dict[str, Any] = {
            "description": "\n".join(f"- `{code}`: {CODES[code].meaning}" for code in codes),
            "content": {"application/json": {"schema": {"allOf": [error, narrowed]}}},
        }
        if CODES[codes[0]].status == 401:
            refusal["headers"] = {"WWW-Authenticate": {"schema": {"const": "Bearer"}}}
        elif CODES[codes[0]].status in (429, 503):
            refusal["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
        return refusal

    def _answer(self) -> Answer:
        answer: Answer = self._endpoint.answers[self._endpoint.action]
        return answer

    def _takes_key(self) -> bool:
        return self.method == "POST" and self._scopes() != (PUBLIC,)

    def _is_conditional(self) -> bool:
        return self._endpoint.action in self._endpoint.conditional

    def _ref(self, form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        component = self.resolve_serializer(form, "response")
        return dict(component.ref) if component else {"type": "object"}

    def _component(self, name: str, schema: dict[str, Any], kind: Any = ResolvedComponent.SCHEMA) -> ResolvedComponent:
        component = ResolvedComponent(name=name, type=kind, object=name, schema=schema)
        self.registry.register_on_missing(component)
        return component

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False


def _header(name: str, description: str, schema: dict[str, Any]) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": "string", **schema}, OpenApiParameter.HEADER, description=description)


_one_at_a_time: Final = Lock()


def openapi(urlconf: str) -> dict[str, Any]:
    """The document for a URL conf; made once in a process, because what it is made from is code.

    Threads wait for the first: two that make it at once break each other, since drf-spectacular loads parts of itself
    when they are used.
    """
    with _one_at_a_time:
        return _made(urlconf)


@lru_cache(maxsize=4)
def _made(urlconf: str) -> dict[str, Any]:
    document: dict[str, Any] = SchemaGenerator(urlconf=urlconf).get_schema(request=None, public=True)
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    document["tags"] = [{"name": name} for name in sorted({tag for each in operations for tag in each["tags"]})]
    document["servers"] = [{"url": "/", "description": "The server that this document comes from."}]
    return document
