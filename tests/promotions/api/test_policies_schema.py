"""Every answer about policies and gates is as the OpenAPI document says (contract.md: the schema is the contract)."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stellapromote.accounts.models import Tenant
from tests.calling import Caller, caller
from tests.factories import actor_of, make_approval_policy, make_environment, make_person, make_ready_tenant

POLICY, PROMOTION = "/approval-policies/{id}", "/promotion-policies/{name}"


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def greta(tenant: Tenant) -> Caller:
    return caller(tenant, make_person(tenant, "greta", roles=["admin"]))


def test_answers_are_as_documented(greta: Caller, tenant: Tenant) -> None:
    nia = make_person(tenant, "nia", roles=["approver"], teams=["release"])
    gus = make_person(tenant, "gus", roles=["admin"])
    by, second = actor_of(gus, tenant), caller(tenant, gus)
    policy = make_approval_policy(by)
    check = {"environmentId": str(make_environment(by, "dev", 1).id), "requesterId": str(nia.id)}
    names = {"id": str(policy.id), "name": "strict", "number": "1"}
    schema = greta.get("/schema").json()
    calls: list[tuple[str, str, Any, int]] = [
        ("GET", "/approval-policies", None, 200),
        ("GET", POLICY, None, 200),
        ("PUT", POLICY, {"requireSubjectDigest": True}, 200),
        ("PATCH", POLICY, {"blind": "yes"}, 400),
        ("GET", f"{POLICY}/versions", None, 200),
        ("GET", f"{POLICY}/versions/{{number}}", None, 200),
        ("POST", f"{POLICY}/check", check, 200),
        ("DELETE", POLICY, None, 200),
        ("PUT", POLICY, {"requireSubjectDigest": False}, 409),
        ("POST", "/approval-policies", {"name": "second", "rules": [{"name": "a", "users": ["nia"]}]}, 201),
        ("POST", "/approval-policies", {"name": "third", "rules": []}, 422),
        ("POST", "/promotion-policies", {"name": "strict", "approvalTtl": 60}, 201),
        ("GET", "/promotion-policies", None, 200),
        ("GET", PROMOTION, None, 200),
        ("PUT", PROMOTION, {"supersedeOlder": True}, 200),
        ("POST", f"{PROMOTION}/publish", None, 403),
        ("POST", f"{PROMOTION}/publish", None, 200),
        ("POST", f"{PROMOTION}/publish", None, 409),
        ("GET", f"{PROMOTION}/versions", None, 200),
        ("GET", f"{PROMOTION}/versions/{{number}}", None, 200),
        ("GET", f"{PROMOTION}/versions/{{number}}/diff", None, 200),
        ("POST", f"{PROMOTION}/simulate", {"last": 5}, 200),
        ("GET", "/promotion-gates", None, 200),
    ]
    for method, template, body, status in calls:
        path = template.format(**names)
        if (template, status) == (f"{PROMOTION}/publish", 200):
            response = second.call(method, path, body, If_Match=greta.get(PROMOTION.format(**names)).headers["ETag"])
        else:
            response = greta.call(method, path, body)
        assert response.status_code == status, (method, template, response.content)
        operation = schema["paths"][f"/api/v1{template}"][method.lower()]
        documented = operation["responses"][str(status)]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**documented, "components": schema["components"]})
        assert [error.message for error in validator.iter_errors(response.json())] == [], (method, template)
