"""Freeze windows over REST, of one environment and of the whole tenant (contract.md, Environments)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from environments.etags import freeze_window_tag
from environments.models import Environment, FreezeWindow
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.clock import rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import actor_of, make_environment, make_freeze, make_person, make_product, make_ready_tenant
from tests.kept import kept

NOWHERE = "00000000-0000-7000-8000-000000000000"
CHRISTMAS = {"start": "2090-12-24T00:00:00Z", "end": "2090-12-27T00:00:00Z", "reason": "Nobody is here"}


@dataclass(frozen=True)
class House:
    tenant: Tenant
    admin: Actor
    greta: Caller
    prod: Environment


@kept
def make_house() -> House:
    tenant = make_ready_tenant("kestrel-pay")
    person = make_person(tenant, "greta", roles=["admin"])
    admin = actor_of(person, tenant)
    return House(tenant, admin, caller(tenant, person), make_environment(admin, "prod", 1))


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def tenant(house: House) -> Tenant:
    return house.tenant


@pytest.fixture
def admin(house: House) -> Actor:
    return house.admin


@pytest.fixture
def greta(house: House) -> Caller:
    return house.greta


@pytest.fixture
def tomas(tenant: Tenant) -> Caller:
    return caller(tenant, make_person(tenant, "tomas", roles=["operator"]))


@pytest.fixture
def stranger(db: None) -> Caller:
    """otto administers another tenant."""
    other = make_ready_tenant("merlin")
    return caller(other, make_person(other, "otto", roles=["admin"]))


@pytest.fixture
def prod(house: House) -> Environment:
    return house.prod


@pytest.fixture(params=["of the environment", "of the tenant"])
def path(request: pytest.FixtureRequest, prod: Environment) -> str:
    return f"/environments/{prod.pk}/freeze-windows" if request.param == "of the environment" else "/freeze-windows"


def at(**offset: float) -> str:
    return rfc3339(DATABASE_CLOCK.now() + timedelta(**offset))


def tag_of(answer: Any, version: int) -> str:
    return freeze_window_tag(answer.json()["id"], version)


def test_creating_answers_201_with_the_whole_object_and_its_etag(greta: Caller, path: str, prod: Environment) -> None:
    answer = greta.post(path, CHRISTMAS)
    window = answer.json()
    assert (answer.status_code, answer["ETag"]) == (201, tag_of(answer, 1))
    assert window["environmentId"] == (str(prod.pk) if "environments" in path else None)
    assert (window["start"], window["name"], window["timezone"]) == (
        "2090-12-24T00:00:00.000Z",
        "Nobody is here",
        "UTC",
    )
    assert (window["recurrence"], window["exdates"], window["exceptions"], window["clearedAt"]) == (None, [], [], None)
    read = greta.get(f"{path}/{window['id']}")
    assert (read.json(), read["ETag"]) == (window, tag_of(answer, 1))


def test_everything_can_be_given(tenant: Tenant, greta: Caller, path: str, tomas: Caller) -> None:
    make_person(tenant, "mei", roles=["approver"])
    given = {
        "name": "Christmas",
        "start": "2090-12-24T00:00",
        "end": "2090-12-27T00:00",
        "timezone": "Europe/Berlin",
        "reason": "Nobody is here",
        "exceptions": ["tomas", "mei"],
        "recurrence": None,
        "exdates": [],
    }
    answer = greta.post(path, given)
    assert answer.status_code == 201, answer.content
    assert (answer.json()["start"], answer.json()["end"]) == ("2090-12-23T23:00:00.000Z", "2090-12-26T23:00:00.000Z")
    assert answer.json()["exceptions"] == ["mei", "tomas"]


def test_it_may_hold_some_products_alone(tenant: Tenant, greta: Caller, path: str) -> None:
    for slug in ("cards", "ledger"):
        make_product(tenant, slug)
    window = greta.post(path, {**CHRISTMAS, "products": ["ledger", "cards", "ledger"]}).json()
    assert window["products"] == ["cards", "ledger"]
    assert wrong_fields(greta.post(path, {**CHRISTMAS, "products": ["cards", "loans"]})) == ["products[1]"]
    assert wrong_fields(greta.post(path, {**CHRISTMAS, "products": "cards"})) == ["products"]
    assert greta.put(f"{path}/{window['id']}", {"products": []}).json()["products"] == []


def test_exceptions_are_taken_by_account_id_and_answered_by_username(
    tenant: Tenant, greta: Caller, path: str, tomas: Caller, stranger: Caller
) -> None:
    mei = make_person(tenant, "mei", roles=["approver"])
    window = greta.post(path, {**CHRISTMAS, "exceptions": [str(mei.pk), "mei"]}).json()
    assert window["exceptions"] == ["mei"]
    changed = greta.put(f"{path}/{window['id']}", {"exceptions": ["mei", str(User.objects.get(username="tomas").pk)]})
    assert changed.json()["exceptions"] == ["mei", "tomas"]
    otto = str(User.objects.get(username="otto").pk)
    assert wrong_fields(greta.post(path, {**CHRISTMAS, "exceptions": [otto]})) == ["exceptions[0]"]
    own = str(User.objects.get(username="greta").pk)
    assert wrong_fields(greta.post(path, {**CHRISTMAS, "exceptions": [own]})) == ["exceptions[0]"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_put_and_patch_both_merge(greta: Caller, path: str, method: str) -> None:
    window = greta.post(path, CHRISTMAS).json()
    answer = greta.call(method, f"{path}/{window['id']}", {"end": "2090-12-28T00:00:00Z"})
    assert (answer.status_code, answer["ETag"]) == (200, tag_of(answer, 2))
    assert (answer.json()["end"], answer.json()["start"]) == ("2090-12-28T00:00:00.000Z", window["start"])


def test_the_whole_object_can_be_sent_back(greta: Caller, path: str) -> None:
    window = greta.post(path, CHRISTMAS).json()
    answer = greta.put(f"{path}/{window['id']}", {**window, "reason": "Still nobody"})
    assert (answer.status_code, answer.json()["reason"]) == (200, "Still nobody")


def test_the_reason_may_stand_in_the_query_and_is_given_once(greta: Caller, path: str) -> None:
    window = greta.post(path, CHRISTMAS).json()
    twice = greta.call("DELETE", f"{path}/{window['id']}?reason=Over", {"reason": "The incident is over"})
    assert (twice.status_code, twice.json()["error"]["validationErrors"][0]["field"]) == (400, "reason")
    answer = greta.delete(f"{path}/{window['id']}?reason=The+incident+is+over")
    assert answer.json()["clearReason"] == "The incident is over"


@pytest.mark.parametrize("field", ["id", "environmentId", "createdBy", "createdAt", "clearedAt", "version"])
def test_a_read_only_field_with_another_value_is_refused(greta: Caller, path: str, field: str) -> None:
    window = greta.post(path, CHRISTMAS).json()
    assert wrong_fields(greta.put(f"{path}/{window['id']}", {field: NOWHERE})) == [field]


def test_deleting_clears_and_keeps_in_history(greta: Caller, path: str) -> None:
    window = greta.post(path, {**CHRISTMAS, "start": at(hours=-1)}).json()
    answer = greta.call("DELETE", f"{path}/{window['id']}", {"reason": "The incident is over"})
    assert (answer.status_code, answer["ETag"]) == (200, tag_of(answer, 2))
    assert (answer.json()["clearedByName"], answer.json()["clearReason"]) == ("Greta", "The incident is over")
    assert greta.get(f"{path}/{window['id']}").json() == answer.json() == greta.get(path).json()["data"][0]


def test_deleting_needs_no_body_and_is_the_same_twice(greta: Caller, path: str) -> None:
    window = greta.post(path, CHRISTMAS).json()
    first = greta.delete(f"{path}/{window['id']}")
    assert first.json()["clearReason"] is None
    assert greta.delete(f"{path}/{window['id']}").json() == first.json()


def test_what_is_over_does_not_change(greta: Caller, path: str) -> None:
    window = greta.post(path, {**CHRISTMAS, "start": at(hours=-2), "end": at(minutes=1)}).json()
    FreezeWindow.objects.filter(pk=window["id"]).update(ends_at=DATABASE_CLOCK.now())
    for answer in (greta.delete(f"{path}/{window['id']}"), greta.put(f"{path}/{window['id']}", {"reason": "Again"})):
        assert refusal(answer) == (409, "RES_STATE_CONFLICT")


@pytest.mark.parametrize(("method", "body"), [("PUT", {"reason": "Other"}), ("DELETE", None)])
def test_a_stale_if_match_is_412_and_changes_nothing(greta: Caller, path: str, method: str, body: Any) -> None:
    window = greta.post(path, CHRISTMAS).json()
    answer = greta.call(method, f"{path}/{window['id']}", body, If_Match='"5"')
    assert refusal(answer) == (412, "RES_PRECONDITION_FAILED")
    assert greta.get(f"{path}/{window['id']}").json() == window


def test_windows_of_the_tenant_and_of_an_environment_are_listed_apart(
    greta: Caller, admin: Actor, prod: Environment
) -> None:
    one = make_freeze(admin, prod, CHRISTMAS["start"], CHRISTMAS["end"])
    everywhere = make_freeze(admin, None, CHRISTMAS["start"], CHRISTMAS["end"])
    nested = f"/environments/{prod.pk}/freeze-windows"
    assert [each["id"] for each in greta.get(nested).json()["data"]] == [str(one.pk)]
    assert [each["id"] for each in greta.get("/freeze-windows").json()["data"]] == [str(everywhere.pk)]
    assert refusal(greta.get(f"/freeze-windows/{one.pk}")) == (404, "RES_NOT_FOUND")
    assert refusal(greta.delete(f"{nested}/{everywhere.pk}")) == (404, "RES_NOT_FOUND")


def test_the_latest_start_comes_first(greta: Caller, path: str) -> None:
    for month in (3, 1, 2):
        greta.post(path, {**CHRISTMAS, "start": f"2090-0{month}-01T00:00:00Z"})
    starts = [each["start"][:7] for each in greta.get(path).json()["data"]]
    assert starts == ["2090-03", "2090-02", "2090-01"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        # The window is [24th, 27th): what touches it only at an edge does not hold it.
        ("from=2090-12-25T00:00:00Z&to=2090-12-26T00:00:00Z", 1),
        ("from=2090-12-01T00:00:00Z&to=2091-01-01T00:00:00Z", 1),
        ("from=2090-12-27T00:00:00Z", 0),
        ("from=2090-12-26T23:59:59.999Z", 1),
        ("to=2090-12-24T00:00:00Z", 0),
        ("to=2090-12-24T00:00:00.001Z", 1),
        ("from=2090-12-25T01:00:00%2B01:00", 1),
    ],
)
def test_a_span_of_time_finds_what_touches_it(greta: Caller, path: str, query: str, found: int) -> None:
    greta.post(path, CHRISTMAS)
    data = greta.get(f"{path}?{query}").json()["data"]
    assert len(data) == found
    for each in data:
        assert each["occurrences"] == [{"start": each["start"], "end": each["end"]}]


def test_a_window_that_was_cleared_was_in_force_until_then(greta: Caller, path: str) -> None:
    running = greta.post(path, {**CHRISTMAS, "start": at(hours=-1)}).json()
    never = greta.post(path, CHRISTMAS).json()
    cleared_at = greta.delete(f"{path}/{running['id']}").json()["clearedAt"]
    greta.delete(f"{path}/{never['id']}")
    found = {each["id"]: each["occurrences"] for each in greta.get(f"{path}?from={at(days=-1)}").json()["data"]}
    assert found == {running["id"]: [{"start": running["start"], "end": cleared_at}], never["id"]: []}


@pytest.mark.parametrize(
    "query",
    [
        "from=tomorrow",
        "from=2090-12-24",
        "from=2090-12-24T00:00:00",
        "from=0001-01-01T00:00:00Z",
        "to=99999-01-01T00:00:00Z",
        "from=2090-12-25T00:00:00Z&to=2090-12-25T00:00:00Z",
        "from=2090-12-25T00:00:00Z&to=2090-12-24T00:00:00Z",
        "from=a&from=b",
        "until=2090-12-24T00:00:00Z",
        "cursor=x",
        "page=0",
        "pageSize=501",
    ],
)
def test_an_unusable_query_is_400(greta: Caller, path: str, query: str) -> None:
    assert greta.get(f"{path}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        ({}, "start", "VAL_INVALID"),
        ([], "body", "VAL_INVALID"),
        ({**CHRISTMAS, "start": None}, "start", "VAL_INVALID"),
        ({**CHRISTMAS, "start": 4102444800}, "start", "VAL_INVALID"),
        ({**CHRISTMAS, "start": "24.12.2090"}, "start", "VAL_INVALID"),
        ({**CHRISTMAS, "start": "2090-02-30T00:00:00Z"}, "start", "VAL_INVALID"),
        ({**CHRISTMAS, "start": "0000-01-01T00:00:00Z"}, "start", "VAL_INVALID"),
        ({**CHRISTMAS, "start": "1969-12-24T00:00:00Z"}, "start", "VAL_INVALID"),
        ({**CHRISTMAS, "end": "9999-12-31T23:59:59Z"}, "end", "VAL_INVALID"),
        ({**CHRISTMAS, "end": "2090-12-23T00:00:00Z"}, "end", "VAL_INVALID"),
        ({**CHRISTMAS, "end": "2020-12-27T00:00:00Z"}, "end", "VAL_INVALID"),
        ({**CHRISTMAS, "timezone": "CEST?"}, "timezone", "VAL_INVALID"),
        ({**CHRISTMAS, "timezone": None}, "timezone", "VAL_INVALID"),
        ({**CHRISTMAS, "reason": ""}, "reason", "VAL_INVALID"),
        ({**CHRISTMAS, "reason": "a\u0000b"}, "reason", "VAL_INVALID"),
        ({**CHRISTMAS, "reason": "x" * 501}, "reason", "VAL_INVALID"),
        ({**CHRISTMAS, "exceptions": "greta"}, "exceptions", "VAL_INVALID"),
        ({**CHRISTMAS, "exceptions": ["otto"]}, "exceptions[0]", "VAL_INVALID"),
        ({**CHRISTMAS, "recurrence": "FREQ=DAILY"}, "recurrence", "VAL_NOT_SUPPORTED"),
        ({**CHRISTMAS, "exdates": ["2090-12-25"]}, "exdates", "VAL_NOT_SUPPORTED"),
        ({**CHRISTMAS, "rrule": "FREQ=DAILY"}, "rrule", "VAL_UNKNOWN_FIELD"),
        ({**CHRISTMAS, "environmentId": None}, "environmentId", "VAL_UNKNOWN_FIELD"),
    ],
)
def test_a_body_that_cannot_be_used_is_400_and_stores_nothing(
    greta: Caller, stranger: Caller, path: str, body: Any, place: str, code: str
) -> None:
    answer = greta.post(path, body)
    assert place in wrong_fields(answer)
    assert refusal(answer) == (400, code)
    assert not FreezeWindow.objects.exists()


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("POST", "", CHRISTMAS),
        ("GET", "/{}", None),
        ("PUT", "/{}", {"reason": "Mine"}),
        ("DELETE", "/{}", None),
    ],
)
def test_another_tenants_environment_and_windows_do_not_exist(
    greta: Caller, stranger: Caller, prod: Environment, method: str, suffix: str, body: Any
) -> None:
    nested = f"/environments/{prod.pk}/freeze-windows"
    window = greta.post(nested, CHRISTMAS).json()
    everywhere = greta.post("/freeze-windows", CHRISTMAS).json()
    assert refusal(stranger.call(method, nested + suffix.format(window["id"]), body)) == (404, "RES_NOT_FOUND")
    if suffix:
        answer = stranger.call(method, "/freeze-windows" + suffix.format(everywhere["id"]), body)
        assert refusal(answer) == (404, "RES_NOT_FOUND")
    assert FreezeWindow.objects.filter(version=1).count() == 2


@pytest.mark.parametrize(
    ("method", "suffix", "body"), [("POST", "", CHRISTMAS), ("PUT", "/{}", {"reason": "Mine"}), ("DELETE", "/{}", None)]
)
def test_writing_needs_the_right_to_write(
    greta: Caller, tomas: Caller, path: str, method: str, suffix: str, body: Any
) -> None:
    window = greta.post(path, CHRISTMAS).json()
    assert refusal(tomas.call(method, path + suffix.format(window["id"]), body)) == (403, "PERM_DENIED")
