"""The document says what is enforced: scopes, parameters, bodies, every refusal; and it is valid OpenAPI 3.1."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.test import Client

from stellapromote.accounts.models import Team
from stellapromote.api import schema
from stellapromote.api.schema import openapi
from tests.stellapromote.api.conftest import Caller

URLCONF = "tests.stellapromote.api.urls"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(openapi(URLCONF)))  # type: ignore[no-any-return]


def operation(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    return document["paths"][path][method]  # type: ignore[no-any-return]


def codes(document: dict[str, Any], path: str, method: str, status: str) -> list[str]:
    schema = operation(document, path, method)["responses"][status]["content"]["application/json"]["schema"]
    return schema["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]  # type: ignore[no-any-return]


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document)


def test_generating_it_warns_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    schema._made.__wrapped__(URLCONF)
    assert capsys.readouterr().err == ""


def test_every_path_is_there_and_unknown_ones_are_not(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        "/api/v1/open",
        "/api/v1/schema",
        "/api/v1/teams",
        "/api/v1/teams/{id}",
        "/api/v1/teams/{id}/conflict",
        "/api/v1/teams/{id}/rename_then_fail",
        "/api/v1/teams/{id}/rename_then_refuse",
        "/api/v1/teams/{id}/reveal",
        "/api/v1/teams/{id}/slow",
        "/api/v1/who",
    }


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))
    assert "teams_list" in ids
    assert "teams_patch" in ids
    assert "teams_conflict_post" in ids


@pytest.mark.parametrize(
    ("path", "method", "scope", "security"),
    [
        ("/api/v1/teams", "get", "policy:read", [{"token": []}, {"session": []}]),
        ("/api/v1/teams/{id}", "get", ["policy:read", "audit:read"], [{"token": []}, {"session": []}]),
        ("/api/v1/who", "get", "member", [{"token": []}, {"session": []}]),
        ("/api/v1/open", "get", "public", [{}]),
    ],
)
def test_who_may_call_is_documented(
    document: dict[str, Any], path: str, method: str, scope: Any, security: Any
) -> None:
    found = operation(document, path, method)
    assert found["x-required-scope"] == scope
    assert found["security"] == security


def test_summary_and_description_are_the_docstring(document: dict[str, Any]) -> None:
    found = operation(document, "/api/v1/teams", "get")
    assert found["summary"] == "Teams of the tenant."
    assert found["description"] == "In the order of their slugs, backwards.\n\nNeeds the right `policy:read`."


def test_parameters_are_the_declared_ones(document: dict[str, Any]) -> None:
    found = {parameter["name"]: parameter for parameter in operation(document, "/api/v1/teams", "get")["parameters"]}
    assert set(found) == {"page", "pageSize", "cursor", "slug", "kind", "teamId", "since", "active", "X-Stella-Tenant"}
    assert found["kind"]["schema"] == {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}}
    assert found["pageSize"]["schema"]["maximum"] == 500


def test_headers_are_documented_where_they_work(document: dict[str, Any]) -> None:
    def names(path: str, method: str) -> set[str]:
        return {parameter["name"] for parameter in operation(document, path, method)["parameters"]}

    assert "Idempotency-Key" in names("/api/v1/teams", "post")
    assert "Idempotency-Key" not in names("/api/v1/teams/{id}", "patch")
    assert "If-Match" in names("/api/v1/teams/{id}", "patch")
    assert "If-Match" not in names("/api/v1/teams", "post")
    assert "If-None-Match" in names("/api/v1/teams/{id}", "get")


def test_a_list_is_data_and_meta_and_a_creation_is_201(document: dict[str, Any]) -> None:
    answer = operation(document, "/api/v1/teams", "get")["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/TeamResourceList"}
    page = document["components"]["schemas"]["TeamResourceList"]
    assert page["properties"]["data"] == {"type": "array", "items": {"$ref": "#/components/schemas/TeamResource"}}
    assert "201" in operation(document, "/api/v1/teams", "post")["responses"]


def test_bodies_are_camel_case_and_closed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["TeamBody"]["additionalProperties"] is False
    assert set(schemas["TeamBody"]["properties"]) == {"slug", "displayName", "orderIndex", "labels"}
    assert schemas["TeamBody"]["properties"]["slug"]["pattern"] == "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
    assert schemas["TeamBody"]["properties"]["orderIndex"]["maximum"] == 1000


def test_nothing_is_required_of_put_and_patch(document: dict[str, Any]) -> None:
    for method in ("put", "patch"):
        schema = operation(document, "/api/v1/teams/{id}", method)["requestBody"]["content"]["application/json"][
            "schema"
        ]
        name = schema["$ref"].rsplit("/", 1)[1]
        assert "required" not in document["components"]["schemas"][name]


def test_every_refusal_is_documented_by_its_code(document: dict[str, Any]) -> None:
    assert codes(document, "/api/v1/teams/{id}/rename_then_refuse", "post", "422") == ["PROM_APPROVAL_EXPIRED"]
    assert codes(document, "/api/v1/teams/{id}/conflict", "post", "409") == [
        "RES_IDEMPOTENCY_KEY_REUSED",
        "RES_IN_PROGRESS",
        "RES_STATE_CONFLICT",
    ]
    assert codes(document, "/api/v1/teams/{id}", "patch", "412") == ["RES_PRECONDITION_FAILED"]
    assert codes(document, "/api/v1/teams", "get", "403") == ["PERM_TENANT_REQUIRED", "PERM_DENIED"]
    assert set(operation(document, "/api/v1/open", "get")["responses"]) == {"200", "400", "406", "429", "500", "503"}


def test_real_answers_fit_the_document(document: dict[str, Any], admin: Caller, viewer: Caller) -> None:
    Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    calls = [
        (admin.call("GET", "/api/v1/teams"), "/api/v1/teams", "get"),
        (admin.call("GET", "/api/v1/teams?cursor="), "/api/v1/teams", "get"),
        (admin.call("GET", "/api/v1/teams?zzz=1"), "/api/v1/teams", "get"),
        (admin.call("POST", "/api/v1/teams", {"slug": "A"}), "/api/v1/teams", "post"),
        (admin.call("POST", "/api/v1/teams", {"slug": "a", "displayName": "A"}), "/api/v1/teams", "post"),
        (viewer.call("POST", "/api/v1/teams", {}), "/api/v1/teams", "post"),
        (Client().get("/api/v1/teams"), "/api/v1/teams", "get"),
    ]
    for response, path, method in calls:
        documented = operation(document, path, method)["responses"][str(response.status_code)]
        schema = documented["content"]["application/json"]["schema"]
        jsonschema_rs.validate({**schema, "components": document["components"]}, response.json())


def test_it_is_served_to_anybody_with_a_tag(db: None) -> None:
    response = Client().get("/api/v1/schema")
    assert response.json()["openapi"] == "3.1.0"
    again = Client().get("/api/v1/schema", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


def test_first_calls_at_the_same_time_make_the_document_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """drf-spectacular loads parts of itself when they are used: two threads that make it at once break each other."""
    made = []

    def slowly(self: Any, **_: Any) -> dict[str, Any]:
        made.append(1)
        time.sleep(0.05)
        return {"paths": {}}

    monkeypatch.setattr(schema.SchemaGenerator, "get_schema", slowly)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(openapi, ["tests.no.such.urls"] * 4))
    assert (len(answers), made) == (4, [1])
