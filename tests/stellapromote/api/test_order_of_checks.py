"""The order of checks of contract.md is walked: what comes later is wrong, too, and the first refusal is given."""

from typing import Any

import pytest
from django.test import Client

from stellapromote.accounts.models import Membership, Team
from tests.stellapromote.api.conftest import Caller

NOWHERE = "00000000-0000-7000-8000-000000000000"
TOO_LARGE = b" " * (1024 * 1024 + 1)
JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}
WRONG_CONDITION = {"If-Match": '"other"'}
UNREADABLE_KEY = {"Idempotency-Key": "a b"}

# What every row has wrong unless it says otherwise: scope, object, field, key, condition.
ROWS: list[tuple[str, str, dict[str, Any]]] = [
    # unknown path: before the method and before the caller is asked for
    (
        "404 RES_NOT_FOUND",
        "unknown path",
        {"path": "/api/v1/nope/x", "caller": None, "body": TOO_LARGE, "headers": XML},
    ),
    ("404 RES_NOT_FOUND", "an id that is no UUID is an unknown path", {"path": "/api/v1/teams/7", "caller": None}),
    # method: before the caller is asked for
    (
        "405 RES_METHOD_NOT_ALLOWED",
        "method",
        {"method": "PUT", "path": "/api/v1/teams", "caller": None, "body": TOO_LARGE},
    ),
    # who: before the tenant
    ("401 AUTH_TOKEN_MISSING", "nobody", {"caller": None, "body": TOO_LARGE, "headers": XML}),
    ("401 AUTH_TOKEN_INVALID", "unreadable token", {"caller": "garbage", "body": TOO_LARGE, "headers": XML}),
    # tenant: before size, media type and syntax
    ("403 PERM_TENANT_REQUIRED", "left the tenant", {"caller": "left", "body": TOO_LARGE, "headers": XML}),
    (
        "403 PERM_TENANT_REQUIRED",
        "another tenant named",
        {"headers": {"X-Stella-Tenant": "merlin", **XML}, "body": b"{"},
    ),
    # size, then media type: before syntax
    ("413 VAL_BODY_TOO_LARGE", "too large", {"body": TOO_LARGE, "headers": XML}),
    ("415 VAL_UNSUPPORTED_MEDIA_TYPE", "not JSON by name", {"body": b"<x/>", "headers": XML}),
    ("406 VAL_NOT_ACCEPTABLE", "wants another answer", {"body": b"{", "headers": {"Accept": "text/html", **JSON}}),
    # syntax: before the scope
    ("400 VAL_MALFORMED_JSON", "not JSON", {"body": b"{"}),
    # scope: before the object
    ("403 PERM_DENIED", "no right", {"path": f"/api/v1/teams/{NOWHERE}"}),
    # object: before fields, parameters, key and condition
    (
        "404 RES_NOT_FOUND",
        "no object",
        {"caller": "admin", "path": f"/api/v1/teams/{NOWHERE}", "headers": WRONG_CONDITION},
    ),
    ("404 RES_NOT_FOUND", "no object, wrong parameter", {"caller": "admin", "path": f"/api/v1/teams/{NOWHERE}?zzz=1"}),
    ("404 RES_NOT_FOUND", "another tenant's object", {"caller": "admin", "path": "/api/v1/teams/{foreign}"}),
    (
        "404 RES_NOT_FOUND",
        "no object, unreadable condition",
        {"caller": "admin", "path": f"/api/v1/teams/{NOWHERE}", "headers": {"If-Match": "7"}, "body": b"{}"},
    ),
    # fields: before key and condition
    ("400 VAL_UNKNOWN_FIELD", "unknown field", {"caller": "admin", "headers": WRONG_CONDITION}),
    ("400 VAL_UNKNOWN_PARAMETER", "unknown parameter", {"caller": "admin", "path": "/api/v1/teams/{team}?zzz=1"}),
    (
        "400 VAL_UNKNOWN_FIELD",
        "unknown field with an unreadable key",
        {"caller": "admin", "method": "POST", "path": "/api/v1/teams/{team}/conflict", "headers": UNREADABLE_KEY},
    ),
    # key: before the state
    (
        "400 VAL_INVALID",
        "unreadable key",
        {
            "caller": "admin",
            "method": "POST",
            "path": "/api/v1/teams/{team}/conflict",
            "headers": UNREADABLE_KEY,
            "body": b"{}",
        },
    ),
    # condition: last before the action's own rules
    (
        "412 RES_PRECONDITION_FAILED",
        "changed meanwhile",
        {"caller": "admin", "headers": WRONG_CONDITION, "body": b"{}"},
    ),
    # state
    (
        "409 RES_STATE_CONFLICT",
        "the action's own rules",
        {"caller": "admin", "method": "POST", "path": "/api/v1/teams/{team}/conflict", "body": b"{}"},
    ),
]


@pytest.mark.parametrize(("expected", "row"), [(code, row) for code, _, row in ROWS], ids=[name for _, name, _ in ROWS])
def test_the_first_refusal_wins(
    admin: Caller, viewer: Caller, stranger: Caller, expected: str, row: dict[str, Any]
) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    foreign = Team.objects.create(tenant=stranger.tenant, slug="release", name="Release")
    headers: dict[str, str] = {**JSON, **row.get("headers", {})}
    caller = row.get("caller", "viewer")
    if caller == "left":
        Membership.objects.filter(user=viewer.user).update(ended_at=viewer.token.created_at)
    if caller is not None:
        text = {"viewer": viewer.text, "left": viewer.text, "admin": admin.text, "garbage": "x"}[caller]
        headers["Authorization"] = f"Bearer {text}"
    path = row.get("path", "/api/v1/teams/{team}").format(team=team.id, foreign=foreign.id)
    response = Client().generic(
        row.get("method", "PATCH"),
        path,
        row.get("body", b'{"zzz": 1}'),
        content_type=headers.pop("Content-Type"),
        headers=headers,
    )
    assert f"{response.status_code} {response.json()['error']['code']}" == expected
    team.refresh_from_db()
    assert team.name == "Release"
