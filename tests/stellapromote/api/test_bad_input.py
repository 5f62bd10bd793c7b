"""A sweep: whatever is sent, the documented refusal comes back, nothing is stored, and never a 500."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stellapromote.accounts.models import Team
from tests.examples import examples
from tests.stellapromote.api.conftest import Caller

GOOD = {"slug": "release", "displayName": "Release"}


def refused(response: Any, status: int, code: str) -> None:
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert not Team.objects.exists()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "VAL_INVALID"),  # nothing is an empty object, whose fields are missing
        (b"{}", "VAL_INVALID"),
        (b"null", "VAL_INVALID"),
        (b"[]", "VAL_INVALID"),
        (b'"text"', "VAL_INVALID"),
        (b"1", "VAL_INVALID"),
        (b"{", "VAL_MALFORMED_JSON"),
        (b"slug=release", "VAL_MALFORMED_JSON"),
        (b'{"slug": "release", "slug": "other"}', "VAL_MALFORMED_JSON"),
        (b'{"slug": "release", "displayName": "\\u0000"}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "\\ud800"}', "VAL_MALFORMED_JSON"),
        (b'{"slug": "release", "displayName": "\\u202e"}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "a\\nb"}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": 1}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": null}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "zzz": 1}', "VAL_UNKNOWN_FIELD"),
        (b'{"slug": "release", "displayName": "Release", "display_name": "x"}', "VAL_UNKNOWN_FIELD"),
        (b'{"slug": "release", "displayName": "Release", "id": null}', "VAL_UNKNOWN_FIELD"),
        (b'{"slug": "release", "displayName": "Release", "orderIndex": "1"}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "orderIndex": true}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "orderIndex": 1.0}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "orderIndex": -1}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "orderIndex": 1e400}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "orderIndex": 99999999999999999999}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "orderIndex": ' + b"9" * 10_000 + b"}", "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "labels": {"a": 9007199254740993}}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "labels": {"a": "\\u0000"}}', "VAL_INVALID"),
        (b'{"slug": "release", "displayName": "Release", "labels": {"a": "' + b"x" * 2000 + b'"}}', "VAL_INVALID"),
        (b"[" * 100_000, "VAL_MALFORMED_JSON"),
    ],
    ids=lambda value: repr(value[:80]),
)
def test_a_bad_body(admin: Caller, raw: bytes, code: str) -> None:
    refused(admin.call("POST", "/api/v1/teams", raw=raw), 400, code)


def test_the_place_is_named_in_wire_names(admin: Caller) -> None:
    response = admin.call("POST", "/api/v1/teams", {"slug": "A", "zzz": 1, "labels": []})
    assert [(error["field"], error["code"]) for error in response.json()["error"]["validationErrors"]] == [
        ("zzz", "unknown_field"),
        ("slug", "invalid"),
        ("displayName", "required"),
        ("labels", "invalid"),
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/json",
        "application/json-patch+json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/jsonx",
        "*/*",
        "",
    ],
)
def test_another_media_type(admin: Caller, content_type: str) -> None:
    response = admin.call("POST", "/api/v1/teams", GOOD, Content_Type=content_type or "-")
    refused(response, 415, "VAL_UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"]
)
def test_json_by_any_spelling(admin: Caller, content_type: str) -> None:
    assert admin.call("POST", "/api/v1/teams", GOOD, Content_Type=content_type).status_code == 201


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/json", 200),
        ("application/*", 200),
        ("text/html, application/json;q=0.5", 200),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200),
        ("", 200),
        ("text/html", 406),
        ("application/xml", 406),
        ("application/jsonp", 406),
    ],
)
def test_what_the_caller_accepts(admin: Caller, accept: str, status: int) -> None:
    response = admin.call("GET", "/api/v1/teams", Accept=accept)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"


def test_the_largest_body_is_read(admin: Caller) -> None:
    padded = b'{"slug": "release", "displayName": "Release"}'.ljust(1024 * 1024)
    assert admin.call("POST", "/api/v1/teams", raw=padded).status_code == 201


def test_one_byte_more_is_413(admin: Caller) -> None:
    response = admin.call("POST", "/api/v1/teams", raw=b" " * (1024 * 1024 + 1))
    refused(response, 413, "VAL_BODY_TOO_LARGE")
    assert response.json()["error"]["details"] == {"limit": 1024 * 1024}


@pytest.mark.parametrize(
    "query",
    [
        "zzz=1",
        "page=0",
        "page=x",
        "pageSize=501",
        "pageSize=0",
        "page=1&cursor=",
        "kind=green",
        "teamId=1",
        "since=now",
        "active=1",
        "slug=%00",
        "page=1&page=2",
        "%00=1",
        "page=9" + "9" * 400,
        "cursor=AAAA",
    ],
)
def test_a_bad_query(admin: Caller, query: str) -> None:
    response = admin.call("GET", f"/api/v1/teams?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["code"] in ("VAL_INVALID", "VAL_UNKNOWN_PARAMETER")
    assert response.json()["error"]["validationErrors"]


def test_a_thousand_parameters(admin: Caller) -> None:
    refused(admin.call("GET", "/api/v1/teams?" + "&".join(["zzz=1"] * 1500)), 413, "VAL_BODY_TOO_LARGE")


def test_a_query_where_none_is_known(admin: Caller) -> None:
    refused(admin.call("GET", "/api/v1/who?a=1"), 400, "VAL_UNKNOWN_PARAMETER")


@pytest.mark.parametrize(
    "team_id",
    ["7", "null", "0191d2f0", "00000000-0000-7000-8000-00000000000g", "..", "%00", "%F0%9F%98%80", "{pk}", "a" * 5000],
)
def test_an_id_that_is_none(admin: Caller, team_id: str) -> None:
    refused(admin.call("GET", f"/api/v1/teams/{team_id}"), 404, "RES_NOT_FOUND")


def test_another_tenants_object_does_not_exist(admin: Caller, stranger: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    for method, path, data in [
        ("GET", f"/api/v1/teams/{team.id}", None),
        ("PATCH", f"/api/v1/teams/{team.id}", {}),
        ("DELETE", f"/api/v1/teams/{team.id}", None),
        ("POST", f"/api/v1/teams/{team.id}/slow", {"zzz": 1}),
    ]:
        response = stranger.call(method, path, data)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "RES_NOT_FOUND")
    assert stranger.call("GET", "/api/v1/teams").json()["data"] == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["slug", "displayName", "orderIndex", "labels", "a"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(data=JSON)
@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_makes_it_fail(admin: Caller, data: Any) -> None:
    response = admin.call("POST", "/api/v1/teams", data, Content_Type="application/json")
    assert response.status_code in (201, 400, 409)


@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                "If_Match",
                "If_None_Match",
                "Idempotency_Key",
                "X_Stella_Tenant",
                "Accept",
                "X_Request_Id",
                "Authorization",
            ]
        ),
        st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30),
    ),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path=st.sampled_from(["/api/v1/teams", "/api/v1/teams/00000000-0000-7000-8000-000000000000", "/api/v1/who"]),
)
@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_makes_it_fail(admin: Caller, headers: dict[str, str], method: str, path: str) -> None:
    assert admin.call(method, path, **headers).status_code < 500
