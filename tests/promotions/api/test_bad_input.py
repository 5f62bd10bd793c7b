"""Bad input to every call here: the documented error, nothing stored, never a 500 (issue: bad input)."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from promotions.actions.take_bundle import take_bundle
from promotions.actions.trust_key import trust_key
from promotions.pages.bodies import ChangeBody, ComponentBody, SourceReferenceBody
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import RoleGrant
from stellapromote.accounts.scopes import LIMITED_ROLES, PROMOTION_OVERRIDE
from stellapromote.api.schema import openapi
from stellapromote.api.serializers import Body
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
    """One transaction for the whole sweep, undone at its end: the people in it are made once."""
    with django_db_blocker.unblock(), undone():
        yield


@pytest.fixture(scope="module")
def world(open_transaction: None) -> World:
    return make_world()


@pytest.fixture(scope="module")
def stranger(world: World) -> World:
    return make_world("merlin", prefix="merlin-")


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
    for call in WRITES:
        found = send(world.people[call.who], call, call.path.format(**places), raw=raw)
        assert found == (400, "VAL_MALFORMED_JSON"), (str(call), found)


@pytest.mark.parametrize("raw", [b"[]", b"1", b"true", b"null", b'"text"', b"[{}]"])
def test_what_is_no_object_is_400(world: World, places: dict[str, str], raw: bytes) -> None:
    for call in WRITES:
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
    for call in WRITES:
        if call.path in TAKES_DOCUMENTS:
            continue
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


def _fields() -> Iterator[tuple[Call, str, str | None]]:
    """Every field of every body, and every field of the objects inside."""
    inside: dict[str, type[Body]] = {
        "components": ComponentBody,
        "sourceRef": SourceReferenceBody,
        "change": ChangeBody,
    }
    for call in WRITES:
        if call.form is not None:
            for name in map(str, call.form().fields):
                yield call, name, None
                if name in inside:
                    for inner in map(str, inside[name]().fields):
                        yield call, name, inner


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong)[:24])
def test_any_value_in_any_field_is_taken_or_refused(world: World, places: dict[str, str], wrong: Any) -> None:
    for call, name, inner in _fields():
        value = wrong
        if inner is not None:
            part = {**(COMPONENT if name == "components" else {}), inner: wrong}
            value = [part] if name == "components" else part
        body = {**(call.body or {}), name: value}
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
    for call in CALLS:
        if "{" in call.path:
            quoted = wrong if "%" in wrong else quote(wrong, safe="")
            place = call.path.format(**dict.fromkeys(places, quoted))
            response = world.people[call.who].call(call.method, place, call.body)
            assert (response.status_code, response.json()["error"]["code"]) == (404, "RES_NOT_FOUND"), place


@pytest.mark.parametrize("wrong_body", [False, True])
def test_ids_of_another_tenant_do_not_exist(
    world: World, stranger: World, places: dict[str, str], wrong_body: bool
) -> None:
    """404 comes before 400: a wrong field must not tell that something is there."""
    product = f"theirs-{wrong_body}".lower()
    stranger.greta.ok("POST", "products", {"slug": product}, status=201)
    stranger.greta.ok("POST", "teams", {"slug": product}, status=201)
    stranger.greta.ok("PUT", f"teams/{product}/members/merlin-nia", {})
    shared = stranger.greta.ok("POST", "image-repositories", {"name": product}, status=201)
    theirs = {
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
        "promotion": (promotion := stranger.waiting()).pk,
        "approved": stranger.approved().pk,
        "manual": promotion.pk,
        "overridden": promotion.pk,
        "override": promotion.pk,
        "record": "1",
        "document": uploaded(stranger.tomas.actor, ARTIFACT, "sbom", cyclonedx()).pk,
        "bundle": take_bundle([ARTIFACT], by=stranger.tomas.actor).pk,
        "key": trust_key(f"theirs {wrong_body}", Signer().pem, by=stranger.greta.actor).pk,
    }
    for call in CALLS:
        if "{" in call.path:
            body = {"surprise": 1} if wrong_body and call.body is not None else call.body
            found = send(world.people[call.who], call, call.path.format(**theirs), data=body)
            assert found == (404, "RES_NOT_FOUND"), (str(call), found)


@pytest.mark.parametrize(
    "query", ["surprise=1", "x", "page=1&page=2", "%00=1", "page=%00", "cursor=%FF", "pageSize=1e3", "&&=="]
)
def test_a_query_that_no_call_takes_is_refused(world: World, places: dict[str, str], query: str) -> None:
    for call in CALLS:
        place = f"{call.path.format(**places)}?{query}"
        status, code = send(world.people[call.who], call, place, data=call.body)
        if query == "&&==":
            assert status in (200, 201, 400)
        else:
            assert status == 400, (str(call), code)


ABSURD = ["", "0", "-1", "1.5", "1e9", "9" * 23, "x" * 3000, "\x00", "\u202e", "null", "true", "[]", "'"]
ABSURD += ["2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z"]


@pytest.mark.parametrize("value", ABSURD, ids=lambda value: repr(value)[:24])
def test_any_value_of_any_parameter_is_taken_or_refused(world: World, places: dict[str, str], value: str) -> None:
    for template, item in openapi("stellapromote.urls")["paths"].items():
        for call in LISTS:
            if call.path.format(**dict.fromkeys(places, "{id}")) != template.removeprefix("/api/v1/"):
                continue
            names = [each["name"] for each in item["get"].get("parameters", ()) if each["in"] == "query"]
            for name in names:
                place = f"{call.path.format(**places)}?{name}={quote(value)}"
                send(world.people[call.who], call, place)


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


HEADERS = [
    ("Idempotency_Key", "", (400, "VAL_INVALID")),
    ("Idempotency_Key", "a b", (400, "VAL_INVALID")),
    ("Idempotency_Key", "x" * 256, (400, "VAL_INVALID")),
    ("Accept", "text/html", (406, "VAL_NOT_ACCEPTABLE")),
    ("Authorization", "Basic abc", (401, "AUTH_TOKEN_INVALID")),
    ("Authorization", "Bearer", (401, "AUTH_TOKEN_INVALID")),
    ("Authorization", "Bearer spt_" + "0" * 65, (401, "AUTH_TOKEN_INVALID")),
    ("X_Stella_Tenant", "merlin", (403, "PERM_TENANT_REQUIRED")),
]


@pytest.mark.parametrize(("name", "value", "expected"), HEADERS)
def test_a_header_that_cannot_be_is_refused(
    world: World, places: dict[str, str], name: str, value: str, expected: tuple[int, str]
) -> None:
    for call in CALLS:
        if name != "Idempotency_Key" or call.method == "POST":
            found = send(world.people[call.who], call, call.path.format(**places), data=call.body, **{name: value})
            assert found == expected, str(call)


CONDITION_REFUSED = ("VAL_INVALID", "VAL_NOT_SUPPORTED", "RES_PRECONDITION_FAILED")


@pytest.mark.parametrize("value", ["7", '"unclosed', "W/7", '"a", b', "\x7f", '""', "*", 'W/"1"', '"x"' * 900])
def test_any_condition_is_kept_or_refused(world: World, places: dict[str, str], value: str) -> None:
    for call in CALLS:
        if call.method != "GET":
            place = call.path.format(**places)
            status, code = send(world.people[call.who], call, place, data=call.body, If_Match=value)
            assert status in (200, 201) or code in CONDITION_REFUSED, str(call)


def test_unknown_paths_are_404_in_the_same_envelope() -> None:
    for path in ("promotion", "promotions/", "releases/x/y", "evidences", "evidence/keys/1", "me/too", "..", ""):
        response = Client(raise_request_exception=False).get(f"/api/v1/{path}")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "RES_NOT_FOUND"), path
