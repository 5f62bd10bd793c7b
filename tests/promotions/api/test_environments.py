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
from tests.calling import NOWHERE, Caller, caller, refusal
from tests.factories import (
    actor_of,
    make_approval_policy,
    make_environment,
    make_freeze,
    make_person,
    make_product,
    make_ready_tenant,
)
from tests.promotions.deployments import deploy, release, request


@pytest.fixture
def operator(tenant: Tenant, people: dict[str, User]) -> Actor:
    return actor_of(people["tomas"], tenant)


@pytest.fixture
def stranger(db: None) -> Caller:
    """otto administers another tenant."""
    other = make_ready_tenant("merlin")
    return caller(other, make_person(other, "otto", roles=["admin"]))


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
        "productApprovalPolicies",
        "otherProducts",
        "autoPromoteFrom",
        "autoPromoteHold",
        "exclusive",
        "requireManifestReport",
        "requiredOnEveryPath",
        "archivedAt",
        "createdAt",
        "updatedAt",
        "version",
    ]
    assert greta.get(f"/environments/{answer.json()['id']}").json() == answer.json()


def test_a_policy_may_guard_some_products_alone(
    greta: Caller, admin: Actor, line: dict[str, Environment], tenant: Tenant
) -> None:
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_approval_policy(admin, "two-person")
    make_product(tenant, "ledger")
    path = f"/environments/{line['staging'].pk}"
    given = {"productApprovalPolicies": [{"name": "two-person", "products": ["main", "ledger"]}]}
    changed = greta.call("PATCH", path, {**given, "otherProducts": "refuse"}).json()
    assert changed["productApprovalPolicies"] == [{"name": "two-person", "products": ["ledger", "main"]}]
    assert (changed["approvalPolicies"], changed["otherProducts"]) == ([], "refuse")
    assert greta.put(path, changed).json()["version"] == changed["version"]
    for wrong in ("two-person", [{"name": "two-person"}], [{"name": "two-person", "products": ["main"], "more": 1}]):
        assert greta.call("PATCH", path, {"productApprovalPolicies": wrong}).status_code == 400


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
        "frozenProducts": [],
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
