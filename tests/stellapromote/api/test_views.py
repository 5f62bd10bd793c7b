"""What is declared is checked when the class is made; what is enforced does not depend on the handler's good will."""

from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.decorators import action

from stellapromote.accounts.models import Team
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.routers import ApiRouter
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiView, ApiViewSet
from tests.stellapromote.api.conftest import Caller

ANSWER = Answer({"type": "object"})
WHOLE: dict[str, Any] = {
    "scopes": {"list": "policy:read", "create": "policy:write", "run": "policy:write"},
    "bodies": {"create": NoBody, "run": NoBody},
    "answers": {"list": ANSWER, "create": ANSWER, "run": ANSWER},
}


def handler(self: Any, request: ApiRequest, **kwargs: Any) -> ApiResponse:
    return ApiResponse({})


def declare(**changed: Any) -> type[ApiViewSet]:
    run = action(detail=True, methods=["post"])(_named("run"))
    return type("Things", (ApiViewSet,), {"list": handler, "create": handler, "run": run, **WHOLE, **changed})


def _named(name: str) -> Any:
    def run(self: Any, request: ApiRequest, **kwargs: Any) -> ApiResponse:
        return ApiResponse({})

    run.__name__ = name
    return run


def without(mapping: str, name: str) -> dict[str, Any]:
    return {mapping: {key: value for key, value in WHOLE[mapping].items() if key != name}}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (without("scopes", "list"), r"list declares no scope"),
        (without("scopes", "run"), r"run declares no scope"),
        ({"scopes": {**WHOLE["scopes"], "create": "policy:writ"}}, r"create declares the unknown scope 'policy:writ'"),
        ({"scopes": {**WHOLE["scopes"], "create": ("policy:write", "x")}}, r"create declares the unknown scope 'x'"),
        (without("bodies", "create"), r"create declares no body"),
        (without("bodies", "run"), r"run declares no body"),
        (without("answers", "list"), r"list declares no answer"),
        ({"refusals": {"run": ["PROM_NOPE"]}}, r"run declares the unknown code 'PROM_NOPE'"),
    ],
)
def test_an_incomplete_declaration_fails_at_import(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=complaint):
        declare(**changed)


def test_a_complete_one_does_not() -> None:
    declare()


def test_a_plain_view_declares_as_well() -> None:
    with pytest.raises(ImproperlyConfigured, match="get declares no scope"):
        type("Thing", (ApiView,), {"get": handler, "answers": {"get": ANSWER}})


def test_detail_routes_must_say_what_is_there() -> None:
    router = ApiRouter()
    router.register("things", declare(), "thing")
    with pytest.raises(ImproperlyConfigured, match="must define resource"):
        _ = router.urls


def test_a_method_mapped_by_hand_declares_as_well() -> None:
    with pytest.raises(ImproperlyConfigured, match="other declares no scope"):
        type("More", (declare(),), {"other": handler}).as_view({"get": "other"})  # type: ignore[attr-defined]


def test_put_and_patch_are_one_action(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    for method in ("PUT", "PATCH"):
        response = admin.call(method, f"/api/v1/teams/{team.id}", {})
        assert (response.status_code, response.json()["displayName"]) == (200, "Release")
        assert admin.call(method, f"/api/v1/teams/{team.id}", {"displayName": method}).json()["displayName"] == method
        admin.call(method, f"/api/v1/teams/{team.id}", {"displayName": "Release"})


def test_an_object_that_was_read_can_be_written_back(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    read = admin.call("GET", f"/api/v1/teams/{team.id}").json()
    assert admin.call("PUT", f"/api/v1/teams/{team.id}", read).json() == read


@pytest.mark.parametrize("change", [{"slug": "other"}, {"id": None}, {"slug": "release", "id": "1"}])
def test_a_changed_read_only_field_is_400(admin: Caller, change: dict[str, Any]) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    response = admin.call("PATCH", f"/api/v1/teams/{team.id}", {"displayName": "x", **change})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "VAL_INVALID")
    assert {error["code"] for error in response.json()["error"]["validationErrors"]} == {"read_only"}
    team.refresh_from_db()
    assert team.name == "Release"


def test_one_of_several_scopes_is_enough(viewer: Caller, admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="Release")
    assert viewer.call("GET", f"/api/v1/teams/{team.id}").status_code == 200


def test_none_of_several_scopes_names_them_all(kestrel: Any) -> None:
    from tests.stellapromote.api.conftest import make_caller

    nobody = make_caller(kestrel, "nobody")
    response = nobody.call("GET", "/api/v1/teams/00000000-0000-7000-8000-000000000000")
    assert response.status_code == 403
    assert response.json()["error"]["details"] == {"scopes": ["policy:read", "audit:read"]}


def test_whose_role_has_a_right_that_their_token_lacks_is_not_sent_to_an_administrator(kestrel: Any) -> None:
    from tests.stellapromote.api.conftest import make_caller

    team = {"slug": "release", "displayName": "Release"}
    narrow = make_caller(kestrel, "greta", "admin", scopes=["policy:read"])
    told = narrow.call("POST", "/api/v1/teams", team).json()["error"]
    assert told["message"] == "This token does not carry the right policy:write: use one that does."
    narrow = make_caller(kestrel, "idris", "auditor", scopes=["evidence:read"])
    told = narrow.call("GET", "/api/v1/teams/00000000-0000-7000-8000-000000000000").json()["error"]
    assert told["message"] == "This token does not carry the right policy:read or audit:read: use one that does."
    told = make_caller(kestrel, "vera", "viewer").call("POST", "/api/v1/teams", team).json()["error"]
    assert told["message"].startswith("This needs the right policy:write, which the role admin has: ask")


def test_a_single_resource_carries_its_tag_and_304(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="7")
    path = f"/api/v1/teams/{team.id}"
    assert admin.call("GET", path).headers["ETag"] == '"7"'
    response = admin.call("GET", path, If_None_Match='"7"')
    assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", '"7"')
    assert "Content-Type" not in response.headers
    assert admin.call("GET", path, If_None_Match='"6"').status_code == 200


def test_a_write_honours_if_match(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="7")
    path = f"/api/v1/teams/{team.id}"
    refused = admin.call("PATCH", path, {"displayName": "8"}, If_Match='"6"')
    assert refused.status_code == 412
    assert '"7"' not in refused.content.decode()
    done = admin.call("PATCH", path, {"displayName": "8"}, If_Match='"7"')
    assert (done.status_code, done.headers["ETag"]) == (200, '"8"')


def test_a_handler_that_forgets_if_match_leaves_nothing_behind(admin: Caller) -> None:
    team = Team.objects.create(tenant=admin.tenant, slug="release", name="7")
    assert admin.call("DELETE", f"/api/v1/teams/{team.id}", If_Match='"6"').status_code == 500
    assert Team.objects.filter(pk=team.pk).exists()
    assert admin.call("DELETE", f"/api/v1/teams/{team.id}").status_code == 200


def test_if_match_where_it_means_nothing_is_400(admin: Caller) -> None:
    response = admin.call("POST", "/api/v1/teams", {"slug": "a", "displayName": "A"}, If_Match='"7"')
    assert (response.status_code, response.json()["error"]["code"]) == (400, "VAL_NOT_SUPPORTED")
    assert not Team.objects.exists()


def test_head_is_get_without_a_body(admin: Caller) -> None:
    response = admin.call("HEAD", "/api/v1/teams")
    assert (response.status_code, response.content) == (200, b"")


class Guarded(ApiView):
    scopes: ClassVar = {"get": MEMBER}
    answers: ClassVar = {"get": ANSWER}

    def get(self, request: ApiRequest) -> ApiResponse:
        return ApiResponse({})


def test_declared_actions_are_those_with_a_handler() -> None:
    assert Guarded.declared_actions() == {"get": frozenset({"get"})}
    assert set(declare().declared_actions()) == {"list", "create", "run"}
