"""Bad input to every call here: the documented error, nothing stored, never a 500 (issue: bad input).

What reads a header, a query or a body is the same for all calls. So each call takes one value of a kind, and each value
goes to a call of each kind.
"""

import json
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import resolve
from rest_framework.serializers import ListSerializer, ValidationError

from promotions.actions.take_bundle import take_bundle
from promotions.actions.trust_key import trust_key
from promotions.pages.bodies import ChangeBody, ComponentBody, SourceReferenceBody
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import RoleGrant
from stellapromote.accounts.scopes import LIMITED_ROLES, PROMOTION_OVERRIDE
from stellapromote.api.exceptions import field_errors
from stellapromote.api.fields import LineField, TextField
from stellapromote.api.parameters import Parameter
from stellapromote.api.parsing import parse_json
from stellapromote.api.schema import openapi
from stellapromote.api.serializers import Body, shared
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.factories import make_environment, make_promotion_policy, make_service, make_token
from tests.promotions.api.calls import (
    CALLS,
    COMPONENT,
    LISTS,
    NEEDS_A_CONDITION,
    OVERRIDE,
    PUBLIC,
    SIGNED_IN,
    TAKES_DOCUMENTS,
    WRITES,
    Call,
    documented,
)
from tests.promotions.api.sending import send, stored_before, undone
from tests.promotions.api.world import Caller, World, make_world
from tests.promotions.formats.samples import ARTIFACT, cyclonedx
from tests.promotions.uploads import Signer, uploaded

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def each_test_looks_anew() -> None:
    stored_before.cache_clear()


@pytest.fixture(scope="module")
def open_transaction(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """One transaction for the whole sweep, undone at its end: the people in it are made once.

    What takes long is done before: the server ends a transaction that waits.
    """
    openapi("stellapromote.urls")
    _sent()
    _asked()
    with django_db_blocker.unblock(), undone():
        yield


@pytest.fixture(scope="module")
def world(open_transaction: None) -> World:
    return make_world()


def calls_with(value: Any, values: Sequence[Any], *kinds: Sequence[Call]) -> Iterator[Call]:
    """The calls that take this one of the values: each call of a kind takes one at least, and each value goes to one
    call of the kind at least."""
    for calls in kinds:
        for number in range(max(len(calls), len(values)) if calls else 0):
            if values[number % len(values)] is value:
                yield calls[number % len(calls)]


def hooked(world: World) -> dict[str, str]:
    """A webhook with a delivery."""
    webhook = world.greta.ok("POST", "webhooks", {"url": "https://hooks.example.org/"}, status=201)["id"]
    return {"webhook": webhook, "delivery": world.greta.ok("POST", f"webhooks/{webhook}/test", status=201)["id"]}


def owned(world: World, owner: str, name: str = "bot") -> str:
    """A service of two people."""
    owners = [owner, world.vera.user.username]
    body = {"name": name, "owners": owners, "scopes": ["release:read", "release:write"]}
    service: str = world.greta.ok("POST", "services", body, status=201)["id"]
    return service


def given(world: World, team: str = "release") -> str:
    """A grant that greta gave vera."""
    body = {"kind": "team", "name": team, "reason": "x"}
    grant: str = world.greta.ok("POST", f"members/{world.vera.user.pk}/grants", body, status=201)["id"]
    return grant


@pytest.fixture(scope="module")
def places(world: World) -> dict[str, str]:
    """What the paths of CALLS name."""
    gate = {
        "name": "backup",
        "kind": "manual",
        "config": {"confirmers": {"users": ["nia", "mei"], "teams": []}, "text": "Backup", "minConfirmations": 2},
    }
    shut = {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"}
    hours = {"name": "hours", "kind": "schedule", "config": shut, "override": {"by": ["omar"]}}
    make_promotion_policy(world.greta.actor, "careful", gates=[gate, hours])
    omar = world.omar.user
    grant_scope(by=world.greta.actor, clock=DATABASE_CLOCK, user_id=omar.pk, scope=PROMOTION_OVERRIDE, reason="On call")
    world.people["omar"] = Caller(omar, world.tenant, make_token(world.tenant, omar))
    world.environments["vault"] = make_environment(world.greta.actor, "vault", 4, promotion_policy="careful")
    world.release("spare")
    done = world.approved()
    for status in ("started", "succeeded"):
        world.ci.ok("POST", f"promotions/{done.pk}/deployment", {"status": status})
    again = world.approved()
    for status in ("started", "succeeded"):
        world.ci.ok("POST", f"promotions/{again.pk}/deployment", {"status": status})
    promotion, approved = world.waiting(), world.approved()
    manual = world.requested(done.release, "vault")
    world.mei.ok("POST", f"promotions/{manual.pk}/gates/backup/confirm", {})
    overridden = world.requested(again.release, "vault")
    override = world.omar.ok("POST", f"promotions/{overridden.pk}/gates/hours/override", OVERRIDE, status=201)
    document = uploaded(world.tomas.actor, ARTIFACT, "sbom", cyclonedx())
    uploaded(world.tomas.actor, promotion.release.components.get().digest, "sbom", cyclonedx())
    world.greta.ok("POST", "products", {"slug": "ledger"}, status=201)
    world.greta.ok("POST", "teams", {"slug": "unused"}, status=201)
    shared = world.greta.ok("POST", "image-repositories", {"name": "nginx"}, status=201)
    return {
        **hooked(world),
        "service": owned(world, "nia"),
        "someone": str(world.vera.user.pk),
        "grant": given(world),
        "product": "ledger",
        "repository": shared["id"],
        "team": "unused",
        "peopled": "release",
        "member": "nia",
        "document": str(document.pk),
        "bundle": str(take_bundle([ARTIFACT], by=world.tomas.actor).pk),
        "key": str(trust_key("old", Signer().pem, by=world.greta.actor).pk),
        "draft": str(world.release("draft", finalize=False).pk),
        "release": str(world.release("finalized").pk),
        "promotion": str(promotion.pk),
        "approved": str(approved.pk),
        "manual": str(manual.pk),
        "overridden": str(overridden.pk),
        "override": override["id"],
        "record": "1",
    }


def test_the_calls_of_the_table_succeed(world: World, places: dict[str, str]) -> None:
    """Else the sweeps below would test nothing."""
    for call in CALLS:
        status, code = send(world.people[call.who], call, call.path.format(**places), data=call.body)
        expected = (400,) if call.path in NEEDS_A_CONDITION else (200, 201)
        assert status in expected, (str(call), code)


def test_a_token_of_another_product_writes_nothing(world: World, places: dict[str, str]) -> None:
    """All that stands here is of product main. Verifying, replaying and planning only read."""
    limited = {
        name: Caller(each.user, world.tenant, make_token(world.tenant, each.user, products=["ledger"]))
        for name, each in world.people.items()
    }
    for call in WRITES:
        with undone():
            answer = limited[call.who].call(call.method, call.path.format(**places), call.body)
        if not call.path.endswith(("/verify", "/replay", "/plan")):
            said = (str(call), answer.content)
            assert (answer.status_code, b'"code":"PERM_' in answer.content) == (403, True), said


def test_a_role_or_service_of_another_product_writes_nothing(world: World, places: dict[str, str]) -> None:
    """Of people who operate or approve and of machines. A right to override is given by name, for all products."""
    own = world.people.keys() - {"greta", "idris", "vera"}
    calls = [call for call in WRITES if call.who in own and not call.path.endswith(("/verify", "/replay", "/override"))]
    assert {"ci", "mei", "tomas"} <= {call.who for call in calls}
    by = command_actor(world.tenant)
    with undone():
        machine = make_service(world.tenant, world.tomas.user, "limited", products=["ledger"])
        limited = world.people | {"ci": Caller(machine.user, world.tenant, make_token(world.tenant, machine.user))}
        for grant in RoleGrant.objects.filter(role__in=LIMITED_ROLES, ended_at=None, tenant=world.tenant):
            grant_role(by=by, clock=DATABASE_CLOCK, user_id=grant.user_id, role=grant.role, products=["ledger"])
        for call in calls:
            with undone():
                answer = limited[call.who].call(call.method, call.path.format(**places), call.body)
            said = (str(call), answer.content)
            assert (answer.status_code, b'"code":"PERM_' in answer.content) == (403, True), said


WITH_DOCUMENTS = [call for call in WRITES if call.path in TAKES_DOCUMENTS]
WITHOUT_DOCUMENTS = [call for call in WRITES if call.path not in TAKES_DOCUMENTS]
MALFORMED = [
    b"{",
    b"{'a': 1}",
    b"nonsense",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1, "a": 2}',
    b'{"a": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 70 + b"1" + b"}" * 70,
]


@pytest.mark.parametrize("raw", MALFORMED, ids=lambda raw: repr(raw[:24]))
def test_what_is_not_json_is_400(world: World, places: dict[str, str], raw: bytes) -> None:
    for call in calls_with(raw, MALFORMED, WITH_DOCUMENTS, WITHOUT_DOCUMENTS):
        found = send(world.people[call.who], call, call.path.format(**places), raw=raw)
        assert found == (400, "VAL_MALFORMED_JSON"), (str(call), found)


NO_OBJECTS = [b"[]", b"1", b"true", b"null", b'"text"', b"[{}]"]


@pytest.mark.parametrize("raw", NO_OBJECTS)
def test_what_is_no_object_is_400(world: World, places: dict[str, str], raw: bytes) -> None:
    for call in calls_with(raw, NO_OBJECTS, WITH_DOCUMENTS, WITHOUT_DOCUMENTS):
        found = send(world.people[call.who], call, call.path.format(**places), raw=raw)
        assert found == (400, "VAL_INVALID"), (str(call), found)


def test_an_unknown_field_is_400_and_named(world: World, places: dict[str, str]) -> None:
    for call in WRITES:
        if call.path != "evidence/verify":
            body = {**(call.body or {}), "surprise": 1}
            found = send(world.people[call.who], call, call.path.format(**places), data=body)
            assert found == (400, "VAL_UNKNOWN_FIELD"), (str(call), found)


def test_a_body_beyond_the_limit_is_413(world: World, places: dict[str, str]) -> None:
    raw = b'{"reason": "' + b"x" * 1024 * 1024 + b'"}'
    for call in WITHOUT_DOCUMENTS:
        found = send(world.people[call.who], call, call.path.format(**places), raw=raw)
        assert found == (413, "VAL_BODY_TOO_LARGE"), (str(call), found)


def test_another_media_type_is_415(world: World, places: dict[str, str]) -> None:
    for call in WRITES:
        found = send(world.people[call.who], call, call.path.format(**places), raw=b"a=1", Content_Type="text/plain")
        assert found == (415, "VAL_UNSUPPORTED_MEDIA_TYPE"), (str(call), found)


WRONG: list[Any] = [
    None,
    True,
    1,
    -1,
    1.5,
    1e308,
    2**53,
    10**40,
    "",
    " ",
    "\x00",
    "a\u0000b",
    "\u202e",
    "\u0085",
    "x" * 100_001,
    "9999-99-99T99:99:99Z",
    "javascript:alert(1)",
    "sha256:" + "AB" * 32,
    [],
    [[]],
    [None],
    [1] * 1000,
    {},
    {"a": {"b": 1}},
]


INSIDE: dict[str, type[Body]] = {
    "components": ComponentBody,
    "sourceRef": SourceReferenceBody,
    "change": ChangeBody,
}


def _fields() -> Iterator[tuple[Call, str, str | None]]:
    """Every field of every body, and every field of the objects inside."""
    for call in WRITES:
        if call.form is not None:
            for name in map(str, call.form().fields):
                yield call, name, None
                if name in INSIDE:
                    for inner in map(str, INSIDE[name]().fields):
                        yield call, name, inner


def _with(call: Call, name: str, inner: str | None, wrong: Any) -> dict[str, Any]:
    """The body of the call with this value in the field."""
    value = wrong
    if inner is not None:
        part = {**(COMPONENT if name == "components" else {}), inner: wrong}
        value = [part] if name == "components" else part
    return {**(call.body or {}), name: value}


def _read(call: Call, name: str, inner: str | None, wrong: Any) -> Hashable:
    """What becomes of the value in the field: those with the same outcome take the same way through the product.

    For a value that is refused it is the reason, for each field of each class of body. PUT and PATCH are one action.
    """
    body = _with(call, name, inner, wrong)
    merging = call.method in ("PUT", "PATCH")
    assert call.form is not None
    form = shared(call.form, merging=merging)
    data, problems = parse_json(json.dumps(body).encode())
    if problems:
        return call.form, tuple(each.code for each in problems)
    try:
        read = form.run_validation(data)
    except ValidationError as error:
        return call.form, merging, name, inner, tuple(each.code for each in field_errors(error.detail))
    field = form.fields[name]
    if inner is not None:
        field = (field.child if isinstance(field, ListSerializer) else field).fields[inner]  # type: ignore[attr-defined]
    is_text = type(field) in (LineField, TextField) and isinstance(wrong, str) and bool(wrong.strip())
    return call.path, merging, name, inner, "a text" if is_text else repr(read)


@cache
def _sent() -> dict[int, list[tuple[Call, dict[str, Any]]]]:
    """By the place of the value in WRONG: the bodies that are sent, one of those that are read alike. All are read."""
    sent: dict[int, list[tuple[Call, dict[str, Any]]]] = defaultdict(list)
    seen: set[Hashable] = set()
    for number, (call, name, inner) in enumerate(_fields()):
        for place in range(number, number + len(WRONG)):
            wrong = WRONG[place % len(WRONG)]
            read = _read(call, name, inner, wrong)
            if read not in seen:
                seen.add(read)
                sent[place % len(WRONG)].append((call, _with(call, name, inner, wrong)))
    return sent


@pytest.mark.parametrize("number", range(len(WRONG)), ids=lambda number: repr(WRONG[number])[:24])
def test_any_value_in_any_field_is_taken_or_refused(world: World, places: dict[str, str], number: int) -> None:
    for call, body in _sent()[number]:
        send(world.people[call.who], call, call.path.format(**places), data=body)


WRONG_PLACES = [
    "1",
    "x",
    "0",
    "null",
    "..",
    "%00",
    "%2e%2e",
    "%F0%9F%92%A9",
    "00000000-0000-0000-0000-00000000000",
    "g0000000-0000-0000-0000-000000000000",
    "x" * 2000,
    "' OR 1=1--",
]


@pytest.mark.parametrize("wrong", WRONG_PLACES, ids=lambda wrong: wrong[:24])
def test_a_path_with_a_broken_id_is_404(world: World, places: dict[str, str], wrong: str) -> None:
    for call in calls_with(wrong, WRONG_PLACES, *_by_places()):
        quoted = wrong if "%" in wrong else quote(wrong, safe="")
        place = call.path.format(**dict.fromkeys(places, quoted))
        response = world.people[call.who].call(call.method, place, call.body)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "RES_NOT_FOUND"), place


def _by_places() -> Iterable[list[Call]]:
    """The calls by what their paths name: all calls of a release read its id alike."""
    found: dict[tuple[str, ...], list[Call]] = defaultdict(list)
    for call in CALLS:
        if "{" in call.path:
            found[call.path.split("/")[0], *re.findall(r"{\w+}", call.path)].append(call)
    return found.values()


@pytest.fixture(scope="module")
def theirs(world: World) -> dict[str, str]:
    """What the paths of CALLS name, of another tenant."""
    stranger, product = make_world("merlin", prefix="merlin-"), "theirs"
    stranger.greta.ok("POST", "products", {"slug": product}, status=201)
    stranger.greta.ok("POST", "teams", {"slug": product}, status=201)
    stranger.greta.ok("PUT", f"teams/{product}/members/merlin-nia", {})
    shared = stranger.greta.ok("POST", "image-repositories", {"name": product}, status=201)
    promotion = stranger.waiting()
    named = {
        **hooked(stranger),
        "service": owned(stranger, "merlin-nia", product),
        "someone": stranger.vera.user.pk,
        "grant": given(stranger, team=product),
        "product": product,
        "repository": shared["id"],
        "team": product,
        "peopled": product,
        "member": "merlin-nia",
        "draft": stranger.release(finalize=False).pk,
        "release": stranger.release().pk,
        "promotion": promotion.pk,
        "approved": stranger.approved().pk,
        "manual": promotion.pk,
        "overridden": promotion.pk,
        "override": promotion.pk,
        "record": "1",
        "document": uploaded(stranger.tomas.actor, ARTIFACT, "sbom", cyclonedx()).pk,
        "bundle": take_bundle([ARTIFACT], by=stranger.tomas.actor).pk,
        "key": trust_key("theirs", Signer().pem, by=stranger.greta.actor).pk,
    }
    return {name: str(each) for name, each in named.items()}


@pytest.mark.parametrize("wrong_body", [False, True])
def test_ids_of_another_tenant_do_not_exist(
    world: World, theirs: dict[str, str], places: dict[str, str], wrong_body: bool
) -> None:
    """404 comes before 400: a wrong field must not tell that something is there."""
    for call in CALLS:
        if "{" in call.path:
            body = {"surprise": 1} if wrong_body and call.body is not None else call.body
            found = send(world.people[call.who], call, call.path.format(**theirs), data=body)
            assert found == (404, "RES_NOT_FOUND"), (str(call), found)


def _parameters(call: Call) -> Iterable[Parameter]:
    """What the query of the call may have."""
    view: Any = resolve("/api/v1/" + re.sub(r"{\w+}", "00000000-0000-7000-8000-000000000000", call.path)).func
    action = view.actions[call.method.lower()] if getattr(view, "actions", None) else call.method.lower()
    parameters: Iterable[Parameter] = view.cls.parameters.get(action, ())
    return parameters


def test_a_parameter_that_no_call_has_is_refused(world: World, places: dict[str, str]) -> None:
    for call in CALLS:
        status, code = send(world.people[call.who], call, f"{call.path.format(**places)}?surprise=1", data=call.body)
        assert status == 400, (str(call), code)


QUERIES = ["x", "page=1&page=2", "%00=1", "page=%00", "cursor=%FF", "pageSize=1e3", "&&=="]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_no_call_takes_is_refused(world: World, places: dict[str, str], query: str) -> None:
    paged = [call for call in LISTS if "page" in {each.wire for each in _parameters(call)}]
    for call in calls_with(query, QUERIES, paged, [call for call in CALLS if call not in paged]):
        place = f"{call.path.format(**places)}?{query}"
        status, code = send(world.people[call.who], call, place, data=call.body)
        if query == "&&==":
            assert status in (200, 201, 400)
        else:
            assert status == 400, (str(call), code)


ABSURD = ["", "0", "-1", "1.5", "1e9", "9" * 23, "x" * 3000, "\x00", "\u202e", "null", "true", "[]", "'"]
ABSURD += ["2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z"]


@cache
def _asked() -> dict[str, list[tuple[Call, str]]]:
    """By value: the parameters that are sent. All that take it; one of each call that refuses it, and of each reason.

    A cursor is read after the other parameters, alike for all lists.
    """
    asked: dict[str, list[tuple[Call, str]]] = defaultdict(list)
    seen: set[Hashable] = set()
    listed = [(call, parameter) for call in LISTS for parameter in _parameters(call)]
    for number, (call, parameter) in enumerate(listed):
        for place in range(number, number + len(ABSURD)):
            value = ABSURD[place % len(ABSURD)]
            reads: set[Hashable] = {(call.path, parameter.wire), (parameter.wire, value)}
            try:
                parameter.parse(value)
                if parameter.wire != "cursor":
                    reads = {(call.path, parameter.wire, value)}
            except ValueError as error:
                reads = {(call.path, parameter.wire), (parameter.wire, str(error))}
            if not reads <= seen:
                seen |= reads
                asked[value].append((call, parameter.wire))
    return asked


@pytest.mark.parametrize("value", ABSURD, ids=lambda value: repr(value)[:24])
def test_any_value_of_any_parameter_is_taken_or_refused(world: World, places: dict[str, str], value: str) -> None:
    for call, name in _asked()[value]:
        send(world.people[call.who], call, f"{call.path.format(**places)}?{name}={quote(value)}")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"])
def test_a_method_that_a_path_does_not_take_is_405(world: World, places: dict[str, str], method: str) -> None:
    taken: dict[str, set[str]] = {path: {"GET"} for path in PUBLIC}
    for call in CALLS:
        path = re.sub(r"{\w+}", places["promotion"], call.path.replace("{record}", places["record"]))
        taken.setdefault(path, set()).add(call.method)
    for by_session, path in SIGNED_IN:
        taken[path].add(by_session)
    for path, methods in taken.items():
        if method not in methods:
            response = world.tomas.call(method, path)
            answer = (response.status_code, response.json()["error"]["code"])
            assert answer == (405, "RES_METHOD_NOT_ALLOWED"), path
            allowed = set(response.headers["Allow"].split(", "))
            assert allowed - {"HEAD"} == methods, path


HEADERS: dict[tuple[str, int, str], list[str]] = {
    ("Idempotency_Key", 400, "VAL_INVALID"): ["", "a b", "x" * 256],
    ("Accept", 406, "VAL_NOT_ACCEPTABLE"): ["text/html"],
    ("Authorization", 401, "AUTH_TOKEN_INVALID"): ["Basic abc", "Bearer", "Bearer spt_" + "0" * 65],
    ("X_Stella_Tenant", 403, "PERM_TENANT_REQUIRED"): ["merlin"],
}


@pytest.mark.parametrize(("name", "status", "code"), HEADERS)
def test_a_header_that_cannot_be_is_refused(
    world: World, places: dict[str, str], name: str, status: int, code: str
) -> None:
    values = HEADERS[name, status, code]
    takes = [call for call in CALLS if name != "Idempotency_Key" or call.method == "POST"]
    for value in values:
        for call in calls_with(value, values, takes):
            found = send(world.people[call.who], call, call.path.format(**places), data=call.body, **{name: value})
            assert found == (status, code), (str(call), value)


UNREADABLE = ["7", '"unclosed', "W/7", '"a", b', "\x7f", '"x"' * 900]
CONDITIONS = ['""', "*", 'W/"1"', *UNREADABLE]
CONDITION_REFUSED = ("VAL_INVALID", "VAL_NOT_SUPPORTED", "RES_PRECONDITION_FAILED")


@pytest.mark.parametrize("value", CONDITIONS)
def test_any_condition_is_kept_or_refused(world: World, places: dict[str, str], value: str) -> None:
    """One that can be read goes to every call that checks it. PUT and PATCH are one action."""
    changes = [call for call in CALLS if call.method != "GET"]
    checks = [call for call in changes if call.method != "PATCH" and "412" in documented(call.method, call.path)]
    others = calls_with(value, CONDITIONS, [call for call in changes if call not in checks])
    for call in (*(calls_with(value, UNREADABLE, checks) if value in UNREADABLE else checks), *others):
        place = call.path.format(**places)
        status, code = send(world.people[call.who], call, place, data=call.body, If_Match=value)
        assert status in (200, 201) or code in CONDITION_REFUSED, str(call)


def test_unknown_paths_are_404_in_the_same_envelope() -> None:
    for path in ("promotion", "promotions/", "releases/x/y", "evidences", "evidence/keys/1", "me/too", "..", ""):
        response = Client(raise_request_exception=False).get(f"/api/v1/{path}")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "RES_NOT_FOUND"), path
