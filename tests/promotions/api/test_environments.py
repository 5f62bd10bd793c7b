"""Environments over REST (contract.md, Environments)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.etags import environment_tag
from environments.models import Environment
from policies.models import WeakeningEdit
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.clock import rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import (
    actor_of,
    make_approval_policy,
    make_environment,
    make_freeze,
    make_person,
    make_ready_tenant,
)
from tests.promotions.deployments import deploy, release, request

NOWHERE = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def people(tenant: Tenant) -> dict[str, User]:
    return {
        "greta": make_person(tenant, "greta", roles=["admin"]),
        "nia": make_person(tenant, "nia", roles=["approver"], teams=["release"]),
        "tomas": make_person(tenant, "tomas", roles=["operator"]),
    }


@pytest.fixture
def greta(tenant: Tenant, people: dict[str, User]) -> Caller:
    return caller(tenant, people["greta"])


@pytest.fixture
def tomas(tenant: Tenant, people: dict[str, User]) -> Caller:
    return caller(tenant, people["tomas"])


@pytest.fixture
def admin(tenant: Tenant, people: dict[str, User]) -> Actor:
    return actor_of(people["greta"], tenant)


@pytest.fixture
def operator(tenant: Tenant, people: dict[str, User]) -> Actor:
    return actor_of(people["tomas"], tenant)


@pytest.fixture
def stranger(db: None) -> Caller:
    """otto administers another tenant."""
    other = make_ready_tenant("merlin")
    return caller(other, make_person(other, "otto", roles=["admin"]))


@pytest.fixture
def line(admin: Actor) -> dict[str, Environment]:
    """dev 1, staging 2, prod 3, none protected: one person moves and archives them alone."""
    return {
        name: make_environment(admin, name, index, protected=False)
        for index, name in enumerate(("dev", "staging", "prod"), 1)
    }


def at(**offset: float) -> str:
    return rfc3339(DATABASE_CLOCK.now() + timedelta(**offset))


def tag_of(answer: Any, version: int) -> str:
    return environment_tag(answer.json()["id"], version)


def test_creating_answers_201_with_the_whole_object_and_its_etag(greta: Caller, people: dict[str, User]) -> None:
    answer = greta.post("/environments", {"name": "prod", "displayName": "Production", "orderIndex": 3})
    assert (answer.status_code, answer["ETag"]) == (201, tag_of(answer, 1))
    assert list(answer.json()) == [
        "id",
        "name",
        "displayName",
        "orderIndex",
        "isProduction",
        "protected",
        "config",
        "requiredApprovals",
        "requireSeparationOfDuties",
        "promotionPolicy",
        "approvalPolicies",
        "autoPromoteFrom",
        "autoPromoteHold",
        "exclusive",
        "requireManifestReport",
        "archivedAt",
        "createdAt",
        "updatedAt",
        "version",
    ]
    assert greta.get(f"/environments/{answer.json()['id']}").json() == answer.json()


def test_everything_can_be_given_at_creation(greta: Caller, admin: Actor, line: dict[str, Environment]) -> None:
    make_approval_policy(admin, "two-person")
    given = {
        "name": "live",
        "displayName": "Live",
        "orderIndex": 4,
        "isProduction": True,
        "config": {"deploymentTimeout": 60, "healthCheckInterval": 5, "variables": {"REGION": "eu"}},
        "requiredApprovals": 2,
        "requireSeparationOfDuties": True,
        "promotionPolicy": "default",
        "approvalPolicies": ["two-person"],
        "autoPromoteFrom": "prod",
        "autoPromoteHold": True,
        "exclusive": "environment",
        "requireManifestReport": True,
    }
    answer = greta.post("/environments", given)
    assert answer.status_code == 201, answer.content
    assert {name: answer.json()[name] for name in given} == given


@pytest.mark.parametrize(
    ("body", "required"),
    [
        ({"requireSod": True}, True),
        ({"requireSeparationOfDuties": True}, True),
        ({"requireSod": True, "requireSeparationOfDuties": True}, True),
        ({"requireSod": False}, False),
    ],
)
def test_separation_of_duties_has_two_names(greta: Caller, body: dict[str, bool], required: bool) -> None:
    answer = greta.post("/environments", {"name": "dev", "displayName": "Dev", "orderIndex": 1, **body})
    assert answer.json()["requireSeparationOfDuties"] is required


@pytest.mark.parametrize("given", [True, False])
def test_the_two_names_must_not_contradict_each_other(greta: Caller, given: bool) -> None:
    body = {"name": "dev", "displayName": "Dev", "orderIndex": 1}
    answer = greta.post("/environments", {**body, "requireSod": given, "requireSeparationOfDuties": not given})
    assert wrong_fields(answer) == ["requireSod"]


def test_the_list_is_a_bare_array_in_promotion_order(greta: Caller, line: dict[str, Environment]) -> None:
    greta.put(f"/environments/{line['prod'].pk}", {"orderIndex": 1})
    assert [(each["name"], each["orderIndex"]) for each in greta.get("/environments").json()] == [
        ("prod", 1),
        ("dev", 2),
        ("staging", 3),
    ]


def test_archived_ones_are_listed_when_asked_for_and_last(greta: Caller, line: dict[str, Environment]) -> None:
    assert greta.post(f"/environments/{line['dev'].pk}/archive").status_code == 200
    assert [each["name"] for each in greta.get("/environments").json()] == ["staging", "prod"]
    everything = greta.get("/environments?includeArchived=true").json()
    assert [each["name"] for each in everything] == ["staging", "prod", "dev"]
    assert everything[-1]["orderIndex"] is None


def test_the_state_is_added_when_asked_for(
    greta: Caller, admin: Actor, operator: Actor, line: dict[str, Environment]
) -> None:
    one = release(operator, "2026.47.1")
    promotion = deploy(operator, one, line["dev"])
    window = make_freeze(admin, line["staging"], at(hours=-1), at(hours=1), reason="Stock-taking")
    request(operator, one, line["staging"])

    dev, staging, _ = greta.get("/environments?includeState=true").json()
    assert dev["currentRelease"] == dev["currentReleases"][0]
    assert (dev["currentRelease"]["name"], dev["currentRelease"]["promotionId"]) == ("2026.47.1", str(promotion.pk))
    assert (dev["freeze"]["frozen"], dev["openPromotions"]) == (False, 0)
    assert staging["freeze"] == {
        "frozen": True,
        "reason": "Stock-taking",
        "windowId": str(window.pk),
        "nextOpen": rfc3339(window.ends_at),
        "nextClose": None,
    }
    assert (staging["currentRelease"], staging["currentReleases"], staging["openPromotions"]) == (None, [], 1)
    assert greta.get(f"/environments/{line['staging'].pk}?includeState=true").json() == staging
    assert "freeze" not in greta.get(f"/environments/{line['staging'].pk}").json()


def test_the_list_with_state_takes_a_constant_number_of_statements(
    greta: Caller, admin: Actor, line: dict[str, Environment]
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert greta.get("/environments?includeState=true").status_code == 200
        return len(captured)

    statements()  # the token's last use is noted once a minute
    few = statements()
    for number in range(5):
        make_environment(admin, f"e{number}", 10 + number)
    assert statements() == few <= 7


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_put_and_patch_both_merge(greta: Caller, line: dict[str, Environment], method: str) -> None:
    answer = greta.call(method, f"/environments/{line['dev'].pk}", {"requiredApprovals": 1})
    assert (answer.status_code, answer["ETag"]) == (200, tag_of(answer, 2))
    assert (answer.json()["requiredApprovals"], answer.json()["displayName"]) == (1, "Dev")


def test_the_whole_object_can_be_sent_back(greta: Caller, line: dict[str, Environment]) -> None:
    path = f"/environments/{line['dev'].pk}"
    stored = greta.get(path).json()
    answer = greta.put(path, {**stored, "displayName": "Playground"})
    assert (answer.status_code, answer.json()["displayName"]) == (200, "Playground")


def test_an_archived_object_can_be_sent_back(greta: Caller, line: dict[str, Environment]) -> None:
    path = f"/environments/{line['dev'].pk}"
    greta.post(f"{path}/archive")
    assert greta.put(path, greta.get(path).json()).status_code == 200


@pytest.mark.parametrize("field", ["id", "name", "createdAt", "updatedAt", "archivedAt", "version"])
def test_a_read_only_field_with_another_value_is_refused(
    greta: Caller, line: dict[str, Environment], field: str
) -> None:
    assert wrong_fields(greta.put(f"/environments/{line['dev'].pk}", {field: "other"})) == [field]


def test_moving_shifts_the_others_and_changes_their_etags(greta: Caller, line: dict[str, Environment]) -> None:
    greta.put(f"/environments/{line['prod'].pk}", {"orderIndex": 2})
    tags = {name: greta.get(f"/environments/{row.pk}")["ETag"] for name, row in line.items()}
    assert tags == {name: environment_tag(line[name].pk, 1 if name == "dev" else 2) for name in line}
    assert WeakeningEdit.objects.filter(environment_id=line["prod"].pk).exists()


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("PUT {}", {"displayName": "Mine"}),
        ("PATCH {}", {"displayName": "Mine"}),
        ("DELETE {}", None),
        ("POST {}/archive", None),
    ],
)
def test_a_stale_if_match_is_412_and_changes_nothing(
    greta: Caller, line: dict[str, Environment], call: str, body: Any
) -> None:
    method, path = call.format(f"/environments/{line['prod'].pk}").split()
    answer = greta.call(method, path, body, If_Match='"9"')
    assert refusal(answer) == (412, "RES_PRECONDITION_FAILED")
    assert greta.get(f"/environments/{line['prod'].pk}")["ETag"] == environment_tag(line["prod"].pk, 1)


def test_if_match_holds_for_the_present_etag(greta: Caller, line: dict[str, Environment]) -> None:
    path = f"/environments/{line['dev'].pk}"
    assert greta.put(path, {"displayName": "A"}, If_Match=greta.get(path)["ETag"]).status_code == 200


@pytest.mark.parametrize("tag", ["7", "'7'", '"7', "W/7", '"a" "b"', "\u00e9"])
def test_an_unreadable_if_match_is_400(greta: Caller, line: dict[str, Environment], tag: str) -> None:
    answer = greta.put(f"/environments/{line['dev'].pk}", {"displayName": "A"}, If_Match=tag)
    assert answer.status_code == 400


def test_an_unchanged_environment_is_304(greta: Caller, line: dict[str, Environment]) -> None:
    tag = environment_tag(line["dev"].pk, 1)
    assert greta.get(f"/environments/{line['dev'].pk}", If_None_Match=tag).status_code == 304


def test_state_is_never_304(greta: Caller, line: dict[str, Environment]) -> None:
    tag = environment_tag(line["dev"].pk, 1)
    answer = greta.get(f"/environments/{line['dev'].pk}?includeState=true", If_None_Match=tag)
    assert (answer.status_code, answer.has_header("ETag")) == (200, False)


def test_deleting_one_that_was_never_used(greta: Caller, line: dict[str, Environment]) -> None:
    answer = greta.delete(f"/environments/{line['prod'].pk}")
    assert (answer.status_code, answer.json()) == (200, {"id": str(line["prod"].pk), "deleted": True})
    assert refusal(greta.get(f"/environments/{line['prod'].pk}")) == (404, "RES_NOT_FOUND")


def test_one_with_history_is_not_deleted_and_says_how_much(
    greta: Caller, operator: Actor, line: dict[str, Environment]
) -> None:
    deploy(operator, release(operator, "one"), line["dev"])
    answer = greta.delete(f"/environments/{line['dev'].pk}")
    assert refusal(answer) == (409, "RES_IN_USE")
    assert answer.json()["error"]["details"] == {"promotions": 1}


def test_one_with_active_promotions_is_not_archived(
    greta: Caller, admin: Actor, operator: Actor, line: dict[str, Environment]
) -> None:
    make_freeze(admin, line["dev"], at(hours=-1), at(hours=1))
    request(operator, release(operator, "one"), line["dev"])
    answer = greta.post(f"/environments/{line['dev'].pk}/archive")
    assert refusal(answer) == (409, "RES_STATE_CONFLICT")
    assert answer.json()["error"]["details"] == {"activePromotions": 1}


def test_archiving_and_unarchiving_answer_the_whole_object(greta: Caller, line: dict[str, Environment]) -> None:
    path = f"/environments/{line['staging'].pk}"
    archived = greta.post(f"{path}/archive")
    assert (archived.status_code, archived.json()["orderIndex"], archived["ETag"]) == (200, None, tag_of(archived, 2))
    back = greta.post(f"{path}/unarchive", {"orderIndex": 2})
    assert (back.status_code, back.json()["orderIndex"], back.json()["archivedAt"]) == (200, 2, None)


def test_history_lists_deployments_newest_first_in_pages(
    greta: Caller, operator: Actor, line: dict[str, Environment]
) -> None:
    for name in ("one", "two", "three"):
        deploy(operator, release(operator, name), line["dev"])
    page = greta.get(f"/environments/{line['dev'].pk}/history?pageSize=2").json()
    assert [each["releaseName"] for each in page["data"]] == ["three", "two"]
    assert page["meta"]["totalCount"] == 3
    assert {"promotionId", "status", "startedAt", "completedAt", "manifestDigest"} <= page["data"][0].keys()
    first = greta.get(f"/environments/{line['dev'].pk}/history?pageSize=2&cursor=").json()
    rest = greta.get(f"/environments/{line['dev'].pk}/history?pageSize=2&cursor={first['meta']['nextCursor']}").json()
    assert [each["releaseName"] for each in rest["data"]] == ["one"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/environments/{}", None),
        ("PUT", "/environments/{}", {"displayName": "Mine"}),
        ("PATCH", "/environments/{}", {"displayName": "Mine"}),
        ("DELETE", "/environments/{}", None),
        ("POST", "/environments/{}/archive", None),
        ("POST", "/environments/{}/unarchive", {"orderIndex": 1}),
        ("GET", "/environments/{}/history", None),
    ],
)
def test_another_tenants_environment_does_not_exist(
    stranger: Caller, line: dict[str, Environment], method: str, path: str, body: Any
) -> None:
    for identifier in (line["prod"].pk, NOWHERE, uuid4()):
        assert refusal(stranger.call(method, path.format(identifier), body)) == (404, "RES_NOT_FOUND")
    assert Environment.objects.get(name="prod").version == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/environments", {"name": "x", "displayName": "X", "orderIndex": 9}),
        ("PUT", "/environments/{}", {"displayName": "Mine"}),
        ("DELETE", "/environments/{}", None),
        ("POST", "/environments/{}/archive", None),
        ("POST", "/environments/{}/unarchive", {"orderIndex": 1}),
    ],
)
def test_writing_needs_the_right_to_write(
    tomas: Caller, line: dict[str, Environment], method: str, path: str, body: Any
) -> None:
    answer = tomas.call(method, path.format(line["prod"].pk), body)
    assert refusal(answer) == (403, "PERM_DENIED")
    assert answer.json()["error"]["details"] == {"scope": "environment:write"}


@pytest.mark.parametrize("path", ["/environments", "/environments/{}", "/environments/{}/history"])
def test_reading_needs_the_right_to_read(
    tenant: Tenant, people: dict[str, User], line: dict[str, Environment], path: str
) -> None:
    limited = caller(tenant, people["greta"], scopes=["environment:write"])
    assert refusal(limited.get(path.format(line["dev"].pk))) == (403, "PERM_DENIED")


VALID = {"name": "qa", "displayName": "QA", "orderIndex": 7}


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        ({}, "displayName", "VAL_INVALID"),
        ([], "body", "VAL_INVALID"),
        ("text", "body", "VAL_INVALID"),
        (None, "displayName", "VAL_INVALID"),
        ({**VALID, "name": None}, "name", "VAL_INVALID"),
        ({**VALID, "name": 7}, "name", "VAL_INVALID"),
        ({**VALID, "name": "QA"}, "name", "VAL_INVALID"),
        ({**VALID, "name": "q\u0000a"}, "name", "VAL_INVALID"),
        ({**VALID, "displayName": "a\u0000b"}, "displayName", "VAL_INVALID"),
        ({**VALID, "displayName": "x" * 100_000}, "displayName", "VAL_INVALID"),
        ({**VALID, "orderIndex": None}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "orderIndex": 1.5}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "orderIndex": 10**300}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "orderIndex": {}}, "orderIndex", "VAL_INVALID"),
        ({**VALID, "requiredApprovals": 10**12}, "requiredApprovals", "VAL_INVALID"),
        ({**VALID, "approvalPolicies": "two-person"}, "approvalPolicies", "VAL_INVALID"),
        ({**VALID, "approvalPolicies": [["two-person"]]}, "approvalPolicies[0]", "VAL_INVALID"),
        ({**VALID, "approvalPolicies": ["absent"]}, "approvalPolicies[0]", "VAL_INVALID"),
        ({**VALID, "promotionPolicy": "absent"}, "promotionPolicy", "VAL_INVALID"),
        ({**VALID, "autoPromoteFrom": "absent"}, "autoPromoteFrom", "VAL_INVALID"),
        ({**VALID, "config": "x"}, "config", "VAL_INVALID"),
        ({**VALID, "config": {"variables": {"TOKEN": "x"}}}, "config.variables.TOKEN", "VAL_INVALID"),
        ({**VALID, "requireSod": 1}, "requireSod", "VAL_INVALID"),
        ({**VALID, "tenant": NOWHERE}, "tenant", "VAL_UNKNOWN_FIELD"),
        ({**VALID, "id": NOWHERE}, "id", "VAL_UNKNOWN_FIELD"),
        ({**VALID, "config": {"shell": "x"}}, "config.shell", "VAL_UNKNOWN_FIELD"),
        ({**VALID, "currentRelease": None}, "currentRelease", "VAL_UNKNOWN_FIELD"),
    ],
)
def test_a_body_that_cannot_be_used_is_400_and_stores_nothing(greta: Caller, body: Any, place: str, code: str) -> None:
    answer = greta.post("/environments", body)
    assert place in wrong_fields(answer)
    assert refusal(answer) == (400, code)
    assert not Environment.objects.exists()


@pytest.mark.parametrize(
    "query",
    [
        "includeState=yes",
        "includeState=",
        "includeState=true&includeState=false",
        "state=true",
        "include_state=true",
        "page=1",
        "includeArchived=1",
    ],
)
def test_an_unknown_parameter_or_value_is_400(greta: Caller, query: str) -> None:
    assert greta.get(f"/environments?{query}").status_code == 400


@pytest.mark.parametrize("identifier", ["x", "1", "None", NOWHERE + "0", "%00", "..%2f"])
def test_an_id_that_is_none_is_404(greta: Caller, identifier: str) -> None:
    assert refusal(greta.get(f"/environments/{identifier}")) == (404, "RES_NOT_FOUND")


def test_a_taken_place_or_name_is_409(greta: Caller, line: dict[str, Environment]) -> None:
    for taken in ({"name": "dev"}, {"orderIndex": 1}):
        assert refusal(greta.post("/environments", {**VALID, **taken})) == (409, "RES_DUPLICATE")


def test_the_environment_to_promote_from_is_taken_by_id_and_answered_by_name(
    greta: Caller, line: dict[str, Environment]
) -> None:
    path = f"/environments/{line['prod'].pk}"
    assert greta.put(path, {"autoPromoteFrom": str(line["staging"].pk)}).json()["autoPromoteFrom"] == "staging"
    assert refusal(greta.put(path, {"autoPromoteFrom": str(line["dev"].pk)})) == (422, "ENV_INVALID_AUTO_PROMOTE")
    assert refusal(greta.put(path, {"autoPromoteFrom": NOWHERE})) == (400, "VAL_INVALID")


def test_breaking_an_automatic_promotion_is_422(greta: Caller, line: dict[str, Environment]) -> None:
    greta.put(f"/environments/{line['prod'].pk}", {"autoPromoteFrom": "staging"})
    answer = greta.put(f"/environments/{line['staging'].pk}", {"orderIndex": 1})
    assert refusal(answer) == (422, "ENV_INVALID_AUTO_PROMOTE")


def test_creating_twice_with_one_idempotency_key_creates_once(greta: Caller) -> None:
    first = greta.post("/environments", VALID, Idempotency_Key="k1")
    again = greta.post("/environments", VALID, Idempotency_Key="k1")
    assert (first.status_code, again.status_code, first.content) == (201, 201, again.content)
    assert again["Idempotency-Replayed"] == "true"
    assert Environment.objects.count() == 1
