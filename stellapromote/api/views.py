"""The base of every endpoint. A viewset declares; what is declared is checked, enforced in order, and documented.

Order of checks (contract.md): 404 path (URL conf) · 405 · 401 · 403 CSRF · 403 tenant · 429 · 413/415/406 · 400 not
JSON · 403 scope · 404 object · 400 fields and parameters · idempotency · 412 and what follows in the action.
How to declare: docs/api-conventions.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import SCOPES
from stellapromote.api import idempotency
from stellapromote.api.authentication import NotAuthenticated, SessionAuthentication, TokenAuthentication, note_use
from stellapromote.api.declarations import MEMBER, PUBLIC, Answer, Scopes
from stellapromote.api.etag import IfMatch, not_modified
from stellapromote.api.exceptions import MethodNotAllowed, error_response, exception_handler, field_errors
from stellapromote.api.pagination import QuerySetSource, RowSource, read_page
from stellapromote.api.parameters import Parameter, Parameters
from stellapromote.api.parsing import MAX_BODY, BodyTooLarge, StrictJsonParser, parse_json, read_body
from stellapromote.api.rates import BUCKETS, RateLimited
from stellapromote.api.rendering import ApiResponse, JsonRenderer
from stellapromote.api.requests import AUTHENTICATIONS, ApiRequest, check_accept, check_media_type
from stellapromote.api.schema import AutoSchema
from stellapromote.api.serializers import Body, NoBody, changed_read_only, shared
from stellapromote.audit.refusals import note_refused_request
from stellapromote.errors import CODES, FieldError, Invalid, ProductError
from stellapromote.fastpath.prepared import Ahead
from stellapromote.transactions import transactional

__all__ = ["ApiRequest", "ApiView", "ApiViewSet", "UnknownPath"]

_WRITES = frozenset({"post", "put", "patch", "delete"})
_STANDARD_ACTIONS = {"list": "get", "create": "post", "retrieve": "get", "update": "put", "destroy": "delete"}


class ApiView(APIView):
    """An endpoint whose handlers are `get`, `post`, `put`, `patch` and `delete`. Most endpoints are an ApiViewSet."""

    #: Per action: a scope, several of which any one is enough, MEMBER, or PUBLIC.
    scopes: ClassVar[Mapping[str, Scopes]] = {}
    #: Per action that takes a body (every POST, PUT and PATCH).
    bodies: ClassVar[Mapping[str, type[Body]]] = {}
    #: Per action: its query parameters; `PAGING` and filters for a list.
    parameters: ClassVar[Mapping[str, Sequence[Parameter]]] = {}
    #: Per action: its success answer.
    answers: ClassVar[Mapping[str, Answer]] = {}
    #: Per action: another success answer that it may give instead.
    alternatives: ClassVar[Mapping[str, Answer]] = {}
    #: Per action: codes of refusals that it gives beyond those every call can give.
    refusals: ClassVar[Mapping[str, Iterable[str]]] = {}
    #: Actions that hand `self.if_match` to their action function.
    conditional: ClassVar[frozenset[str]] = frozenset({"update", "destroy", "put", "patch", "delete"})
    #: Actions of POST for which `prepare()` is called first.
    prepared: ClassVar[frozenset[str]] = frozenset()
    #: Whether calls are counted (stellapromote.api.rates).
    counted: ClassVar[bool] = True
    #: Heading in the documentation.
    tag: ClassVar[str] = ""

    authentication_classes = (TokenAuthentication, SessionAuthentication)
    parser_classes = (StrictJsonParser,)
    renderer_classes = (JsonRenderer,)
    permission_classes = ()
    throttle_classes = ()
    schema = AutoSchema()
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    action: str
    request: ApiRequest
    #: Validated body in snake_case; only the given fields when it is a PUT or PATCH.
    body: dict[str, Any]
    #: Given query parameters in snake_case.
    query: dict[str, Any]
    #: The condition of a write, or None; an action in `conditional` must check it.
    if_match: IfMatch | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._parameters = {action: Parameters(listed) for action, listed in cls.parameters.items()}
        for action, verbs in cls.declared_actions().items():
            cls._check_declaration(action, verbs)

    _parameters: ClassVar[dict[str, Parameters]] = {}

    @classmethod
    def declared_actions(cls) -> dict[str, frozenset[str]]:
        """Every handler of the class with the HTTP methods it may serve."""
        return {
            method: frozenset({method}) for method in cls.http_method_names if method != "head" and hasattr(cls, method)
        }

    @classmethod
    def _check_declaration(cls, action: str, verbs: frozenset[str]) -> None:
        def refuse(what: str) -> NoReturn:
            raise ImproperlyConfigured(
                f"{cls.__module__}.{cls.__qualname__}.{action} {what} (docs/api-conventions.md)."
            )

        scopes = cls.scopes.get(action)
        if scopes is None:
            refuse("declares no scope")
        for scope in scopes if isinstance(scopes, tuple) else (scopes,):
            if scope not in SCOPES and scope not in (PUBLIC, MEMBER):
                refuse(f"declares the unknown scope {scope!r}")
        if verbs & {"post", "put", "patch"} and action not in cls.bodies:
            refuse("declares no body: give its class, or NoBody")
        if action not in cls.answers:
            refuse("declares no answer")
        for code in cls.refusals.get(action, ()):
            if code not in CODES:
                refuse(f"declares the unknown code {code!r}")

    @property
    def body_limit(self) -> int:
        """Largest request body of the action in bytes."""
        return MAX_BODY

    def resource(self) -> dict[str, Any]:
        """The resource that the path names, as GET answers it; Http404 if it is not there for the caller.

        Called only before a 400 (404 comes first) and to judge read-only fields of a PUT or PATCH: a valid call pays
        nothing for it, because actions look their object up under its lock anyway.
        """
        if self.kwargs:
            raise ImproperlyConfigured(f"{type(self).__qualname__} has path parameters and must define resource().")
        return {}

    def prepare(self) -> None:
        """Work of an action in `prepared`: before the transaction that an Idempotency-Key opens, not for a replay."""
        raise ImproperlyConfigured(f"{type(self).__qualname__} has prepared actions and must define prepare().")

    def read_ahead(self) -> Ahead | None:
        """The first reading of the action, the same for every caller. Its rows are in `self.request.ahead` once the
        token is found. The action refuses rows that the caller may not see."""
        return None

    def check_scope(self, actor: Actor, scopes: Scopes) -> None:
        """PERM_DENIED unless the actor holds what the action declares.

        A viewset lets a caller through only to a rule that refuses them all the same, with a better reason.
        """
        actor.require(*((scopes,) if isinstance(scopes, str) else scopes))

    def page(
        self,
        rows: RowSource | QuerySet[Any, Any],
        *,
        present: Callable[[Any], Any] | None = None,
        order: tuple[str, ...] = ("-created_at", "-id"),
    ) -> ApiResponse:
        """The answer of a list: the page that the query asks for, each row through `present`."""
        source = QuerySetSource(rows, order) if isinstance(rows, QuerySet) else rows
        page = read_page(
            source,
            query=self.query,
            path=self.request.path,
            tenant=self.request.actor.tenant_id,
            filters=self.request.query,
        )
        data = page.rows if present is None else [present(row) for row in page.rows]
        return ApiResponse({"data": data, "meta": page.meta})

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        self.action = (request.method or "").lower().replace("head", "get")
        return ApiRequest(request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        response: ApiResponse
        try:
            response = self._answer(self.request)
        except Exception as error:
            response = exception_handler(error, {"view": self, "request": self.request})
        if self.request.allowance is not None:
            for name, value in self.request.allowance.headers().items():
                response.headers[name] = value
        if self.request.used_token is not None:
            response._resource_closers.append(partial(note_use, *self.request.used_token))
        return response

    def _answer(self, request: ApiRequest) -> ApiResponse:
        method = request.method.lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None:
            raise MethodNotAllowed(self.allowed_methods)
        scopes = self.scopes[self.action]
        if scopes != PUBLIC:
            request.ahead = self.read_ahead()
            self._authenticate(request)
        elif self.counted:
            _count(request, request.client_address)
        raw = self._read(request, method)
        data, problems = self.parse_body(raw) if raw else ({}, [])
        if scopes not in (PUBLIC, MEMBER):
            self.check_scope(request.actor, scopes)
        self._validate(request, method, data, problems)
        perform = partial(handler, request, *self.args, **self.kwargs)
        if method not in _WRITES:
            response: ApiResponse = perform()
            etag = response.headers.get("ETag")
            if etag is not None and not_modified(request.META.get("HTTP_IF_NONE_MATCH"), etag):
                return _unchanged(etag)
            return response
        return self._write(request, method, raw, perform)

    def check_content_type(self, header: str) -> None:
        """415 unless the body is JSON in UTF-8. A viewset that takes uploads looks itself."""
        check_media_type(header)

    def parse_body(self, raw: bytes) -> tuple[Any, list[FieldError]]:
        """The body as a JSON value, and what is wrong with single places in it."""
        return parse_json(raw)

    def _authenticate(self, request: ApiRequest) -> None:
        """Finds the caller and counts the call: for the token or the person of a session, and where either is refused
        for the address."""
        try:
            found = next(filter(None, (each.authenticate(request) for each in AUTHENTICATIONS)), None)
            if found is None:
                raise NotAuthenticated()
        except ProductError:
            _count(request, request.client_address)
            raise
        request.user, request.auth = found
        request.actor = request._request.actor = found[1]
        _count(request, request.actor.token_id or request.actor.user_id)

    def _read(self, request: ApiRequest, method: str) -> bytes:
        """The raw body after its size, its media type and Accept were looked at."""
        meta = request.META
        raw = b""
        if method in _WRITES:
            length = int(meta.get("CONTENT_LENGTH") or 0)  # every body has one by now (stellapromote/front)
            if length > self.body_limit:
                raise BodyTooLarge(
                    f"This call takes at most {self.body_limit} bytes.", details={"limit": self.body_limit}
                )
            if length:
                self.check_content_type(meta.get("CONTENT_TYPE", ""))
                raw = read_body(request._request)
        accept = meta.get("HTTP_ACCEPT")
        if accept is not None:
            check_accept(accept, self.answers[self.action].media_type)
        return raw

    def _validate(self, request: ApiRequest, method: str, data: Any, problems: list[FieldError]) -> None:
        """Sets body, query and if_match. Before it refuses it makes sure that what the path names is there."""
        try:
            self.query = self._read_query(request)
            if method in _WRITES:
                self.if_match = self._read_condition(request)
                self.body = self._read_fields(method, data, problems)
        except Invalid:
            if self.kwargs:
                self.resource()
            raise

    def _read_query(self, request: ApiRequest) -> dict[str, Any]:
        parameters = self._parameters.get(self.action, _NO_PARAMETERS)
        if not request.META.get("QUERY_STRING") and not parameters.required:
            return {}
        values, problems = parameters.read(request.query)
        if problems:
            raise Invalid(fields=problems)
        return values

    def _read_condition(self, request: ApiRequest) -> IfMatch | None:
        header = request.META.get("HTTP_IF_MATCH")
        if header is None:
            return None
        if self.action not in self.conditional:
            message = "This call takes no If-Match: leave the header out."
            raise Invalid(message, fields=[FieldError("If-Match", message, "not_supported")])
        return IfMatch(header)

    def _read_fields(self, method: str, data: Any, problems: list[FieldError]) -> dict[str, Any]:
        if problems:
            raise Invalid(fields=problems)
        merging = method in ("put", "patch")
        body = shared(self.bodies.get(self.action, NoBody), merging=merging)
        if merging and isinstance(data, dict):
            data = self._without_read_only(body, data)
        try:
            values: dict[str, Any] = body.run_validation(data)
        except serializers.ValidationError as error:
            raise Invalid(fields=field_errors(error.detail)) from None
        return values

    def _without_read_only(self, body: Body, data: dict[str, Any]) -> dict[str, Any]:
        form = self.answers[self.action].form
        if not (isinstance(form, type) and issubclass(form, serializers.Serializer)):
            return data
        given = {name: value for name, value in data.items() if name not in body.fields and name in form().fields}
        if not given:
            return data
        stored, _ = parse_json(ApiResponse(self.resource()).content)
        changed = changed_read_only(given, stored)
        if changed:
            raise Invalid(fields=changed)
        return {name: value for name, value in data.items() if name not in given}

    def _write(self, request: ApiRequest, method: str, raw: bytes, perform: Callable[[], ApiResponse]) -> ApiResponse:
        if self.if_match is not None:
            perform = partial(self._under_condition, partial(self._perform_or_refuse, perform), self.if_match)
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None or method != "post" or self.scopes[self.action] == PUBLIC:
            if self.action in self.prepared:
                self.prepare()
            return perform()
        call = idempotency.Call(
            actor=request.actor,
            method=request.method,
            path=request.path,
            query=request.META.get("QUERY_STRING", ""),
            key=idempotency.checked_key(key),
            body=raw,
        )
        if self.action in self.prepared:
            stored = idempotency.stored_answer(call)
            if stored is not None:
                return stored
            self.prepare()
        return idempotency.once(call, partial(self._perform_or_refuse, perform))

    def _perform_or_refuse(self, perform: Callable[[], ApiResponse]) -> ApiResponse:
        """A refusal that changed state becomes an answer here, so that the change and the answer are committed."""
        try:
            return perform()
        except ProductError as refusal:
            if not refusal.changed_state:
                raise
            note_refused_request(self.request._request, refusal.code)
            return error_response(refusal, self.request)

    @staticmethod
    @transactional
    def _under_condition(perform: Callable[[], ApiResponse], condition: IfMatch) -> ApiResponse:
        """In a transaction, so that a handler which forgot the condition leaves nothing behind."""
        response = perform()
        if not condition.checked and response.status_code < 400:
            raise AssertionError("the action is declared conditional and did not check if_match")
        return response


def _count(request: ApiRequest, caller: object) -> None:
    """RateLimited where the caller has no call left."""
    if settings.API_RATE_LIMIT:
        request.allowance = BUCKETS.take(caller, settings.API_RATE_LIMIT)
        if request.allowance.wait:
            raise RateLimited(request.allowance.wait)


class ApiViewSet(ViewSetMixin, ApiView):
    """A resource with `list`, `create`, `retrieve`, `update` (PUT and PATCH), `destroy` and `@action` methods.

    Register it with an ApiRouter (routers.py).
    """

    lookup_value_converter = "uuid"

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        self.action = self.action_map.get((request.method or "").lower(), "")
        return ApiRequest(request)

    @classmethod
    def declared_actions(cls) -> dict[str, frozenset[str]]:
        found = {name: frozenset({verb}) for name, verb in _STANDARD_ACTIONS.items() if hasattr(cls, name)}
        extra: list[Any] = list(cls.get_extra_actions())
        for action in extra:
            # One path may have a handler for each verb: `@gates.mapping.delete`.
            for verb, name in action.mapping.items():
                found[name] = found.get(name, frozenset()) | {verb}
        return found

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        for verb, action in (actions or {}).items():
            cls._check_declaration(action, frozenset({verb}))
        if initkwargs.get("detail") and cls.resource is ApiView.resource:
            raise ImproperlyConfigured(f"{cls.__qualname__} has detail routes and must define resource().")
        return super().as_view(actions, **initkwargs)


class UnknownPath(ApiView):
    """Last in the URL conf: every path that the API does not know, with any method and without credentials."""

    schema: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return exception_handler(Http404(), {"view": self, "request": request})


_NO_PARAMETERS = Parameters(())


def _unchanged(etag: str) -> ApiResponse:
    unchanged = ApiResponse(b"", status=304, etag=etag)
    del unchanged.headers["Content-Type"]
    return unchanged
