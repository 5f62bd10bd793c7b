"""Approval policies over REST (contract.md, Policies and gates)."""

from typing import Any
from uuid import UUID

import pytest

from environments.actions.update_environment import update_environment
from policies.models import ApprovalPolicy, ApprovalPolicyVersion
from stellapromote.accounts.models import Tenant, User
from stellapromote.database_clock import DATABASE_CLOCK
from tests.calling import NOWHERE, Caller, caller, refusal, wrong_fields
from tests.factories import actor_of, make_approval_policy, make_person, make_product, make_ready_tenant
from tests.promotions.api.policies import TWO_PERSON, guard
from tests.proposals import confirmed


@pytest.fixture
def stranger(db: None) -> Caller:
    """otto administers another tenant."""
    other = make_ready_tenant("merlin")
    return caller(other, make_person(other, "otto", roles=["admin"]))


def test_create_answers_the_whole_policy(greta: Caller) -> None:
    response = greta.post("/approval-policies", {**TWO_PERSON, "description": "One of each."})
    assert response.status_code == 201
    body = response.json()
    version = ApprovalPolicyVersion.objects.get()
    assert body.pop("createdAt") == body.pop("updatedAt")
    assert body == {
        "id": str(version.policy_id),
        "name": "two-person",
        "description": "One of each.",
        "rules": [
            {"name": "release", "teams": ["release"], "users": [], "minApprovals": 1},
            {"name": "security", "teams": ["security"], "users": [], "minApprovals": 1},
        ],
        "commentRequired": False,
        "separationOfDuties": {
            "excludeReleaseCreator": True,
            "excludeCommitAuthors": False,
            "excludePolicyEditor": False,
            "excludeDeployer": False,
        },
        "requireSubjectDigest": False,
        "blind": False,
        "enabled": True,
        "version": 1,
        "digest": version.digest,
        "usedBy": [],
        "failsForProducts": [],
        "retiredAt": None,
    }
    assert greta.get(f"/approval-policies/{body['id']}").headers["ETag"] == response.headers["ETag"]


def test_the_same_call_with_the_same_key_creates_once(greta: Caller) -> None:
    first = greta.post("/approval-policies", TWO_PERSON, Idempotency_Key="k1")
    again = greta.post("/approval-policies", TWO_PERSON, Idempotency_Key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert ApprovalPolicy.objects.count() == 1


def test_a_taken_name_is_a_duplicate(greta: Caller, policy: ApprovalPolicy) -> None:
    response = greta.post("/approval-policies", TWO_PERSON)
    assert refusal(response) == (409, "RES_DUPLICATE")
    assert response.json()["error"]["details"] == {"id": str(policy.id)}


def test_used_by_names_the_environments(
    greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
) -> None:
    environment = guard(tenant, people)
    expected = [{"id": environment, "name": "production"}]
    assert greta.get(f"/approval-policies/{policy.id}").json()["usedBy"] == expected
    assert greta.get("/approval-policies").json()["data"][0]["usedBy"] == expected


def test_the_list_is_newest_first_and_without_the_retired(greta: Caller, policy: ApprovalPolicy) -> None:
    second = greta.post("/approval-policies", {**TWO_PERSON, "name": "second"}).json()
    greta.delete(f"/approval-policies/{policy.id}")
    assert [each["name"] for each in greta.get("/approval-policies").json()["data"]] == ["second"]
    everything = greta.get("/approval-policies?includeRetired=true").json()
    assert [each["name"] for each in everything["data"]] == ["second", "two-person"]
    assert everything["meta"]["totalCount"] == 2
    assert greta.get("/approval-policies?name=second").json()["data"] == [second]
    assert greta.get("/approval-policies?name=third").json()["data"] == []


def test_the_list_costs_the_same_however_many(
    greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy, django_assert_max_num_queries: Any
) -> None:
    guard(tenant, people)
    with django_assert_max_num_queries(20) as one:
        greta.get("/approval-policies")
    for number in range(5):
        make_approval_policy(actor_of(people["greta"], tenant), f"policy-{number}")
    with django_assert_max_num_queries(len(one)):
        assert len(greta.get("/approval-policies").json()["data"]) == 6


def test_put_and_patch_merge_and_make_a_version(greta: Caller, policy: ApprovalPolicy) -> None:
    path = f"/approval-policies/{policy.id}"
    put = greta.put(path, {"commentRequired": True}).json()
    patch = greta.call("PATCH", path, {"separationOfDuties": {"excludeCommitAuthors": True}}).json()
    assert (put["version"], patch["version"]) == (2, 3)
    assert patch["commentRequired"] is True
    assert patch["separationOfDuties"]["excludeReleaseCreator"] is True
    assert put["digest"] != patch["digest"]


def test_what_was_read_can_be_written_back(greta: Caller, policy: ApprovalPolicy) -> None:
    path = f"/approval-policies/{policy.id}"
    read = greta.get(path)
    written = greta.put(path, read.json(), If_Match=read.headers["ETag"])
    assert (written.status_code, written.json()) == (200, read.json())


@pytest.mark.parametrize("field", ["id", "name", "version", "digest", "usedBy", "createdAt", "updatedAt", "retiredAt"])
def test_read_only_fields_keep_their_values(greta: Caller, policy: ApprovalPolicy, field: str) -> None:
    assert wrong_fields(greta.put(f"/approval-policies/{policy.id}", {field: "other"})) == [field]


def test_an_old_etag_is_refused(greta: Caller, policy: ApprovalPolicy) -> None:
    path = f"/approval-policies/{policy.id}"
    seen = greta.get(path).headers["ETag"]
    assert greta.put(path, {"requireSubjectDigest": True}, If_Match=seen).status_code == 200
    assert refusal(greta.put(path, {"requireSubjectDigest": False}, If_Match=seen)) == (412, "RES_PRECONDITION_FAILED")
    assert refusal(greta.delete(path, If_Match=seen)) == (412, "RES_PRECONDITION_FAILED")
    assert wrong_fields(greta.put(path, {"requireSubjectDigest": False}, If_Match="7")) == ["If-Match"]


def test_the_same_state_is_304_until_an_environment_names_it(
    greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
) -> None:
    path = f"/approval-policies/{policy.id}"
    seen = greta.get(path).headers["ETag"]
    assert greta.get(path, If_None_Match=seen).status_code == 304
    guard(tenant, people)
    assert greta.get(path, If_None_Match=seen).status_code == 200


def test_delete_retires_and_keeps_the_history(greta: Caller, policy: ApprovalPolicy) -> None:
    path = f"/approval-policies/{policy.id}"
    retired = greta.delete(path)
    assert retired.status_code == 200
    assert retired.json()["retiredAt"] is not None
    assert greta.get(path).json() == retired.json()
    assert greta.get(f"{path}/versions/1").status_code == 200
    assert refusal(greta.delete(path)) == (409, "RES_STATE_CONFLICT")
    assert refusal(greta.put(path, {"requireSubjectDigest": True})) == (409, "RES_STATE_CONFLICT")


def test_a_policy_in_use_is_neither_retired_nor_disabled(
    greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
) -> None:
    environment = guard(tenant, people)
    path = f"/approval-policies/{policy.id}"
    for response in (greta.delete(path), greta.put(path, {"enabled": False})):
        assert refusal(response) == (409, "RES_IN_USE")
        assert response.json()["error"]["details"] == {"environments": ["production"]}
    confirmed(
        update_environment(
            by=actor_of(people["greta"], tenant),
            clock=DATABASE_CLOCK,
            environment_id=UUID(environment),
            changes={"approval_policies": []},
        )
    )
    assert greta.put(path, {"enabled": False}).json()["enabled"] is False
    assert greta.delete(path).status_code == 200


def test_versions_are_listed_newest_first_and_each_stays(
    greta: Caller, people: dict[str, User], policy: ApprovalPolicy
) -> None:
    path = f"/approval-policies/{policy.id}"
    first = greta.get(f"{path}/versions/1").json()
    greta.put(path, {"description": "Changed."})
    listed = greta.get(f"{path}/versions").json()
    assert [each["version"] for each in listed["data"]] == [2, 1]
    assert listed["data"][1] == first == greta.get(f"{path}/versions/1").json()
    assert first["document"]["schema"] == "stella.approval-policy/v1"
    assert (first["createdBy"], first["createdByName"]) == (str(people["greta"].id), "Greta")
    assert listed["data"][0]["document"]["description"] == "Changed."


@pytest.mark.parametrize("number", ["0", "3", "99999999999999999999999"])
def test_a_version_that_is_not_there_is_404(greta: Caller, policy: ApprovalPolicy, number: str) -> None:
    assert refusal(greta.get(f"/approval-policies/{policy.id}/versions/{number}")) == (404, "RES_NOT_FOUND")


def test_each_call_needs_its_scope(tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy) -> None:
    path = f"/approval-policies/{policy.id}"
    check = {"environmentId": NOWHERE, "requesterId": NOWHERE}
    none = caller(tenant, people["greta"], scopes=["release:read"])
    reader = caller(tenant, people["greta"], scopes=["policy:read"])
    reads = [
        ("GET", "/approval-policies"),
        ("GET", path),
        ("GET", f"{path}/versions"),
        ("GET", f"{path}/versions/1"),
        ("GET", "/promotion-gates"),
    ]
    for method, each in reads:
        assert refusal(none.call(method, each)) == (403, "PERM_DENIED")
        assert reader.call(method, each).status_code == 200
    assert refusal(none.post(f"{path}/check", check)) == (403, "PERM_DENIED")
    for method, each, body in (
        ("POST", "/approval-policies", TWO_PERSON),
        ("PUT", path, {"requireSubjectDigest": True}),
        ("PATCH", path, {"requireSubjectDigest": True}),
        ("DELETE", path, None),
    ):
        assert refusal(reader.call(method, each, body)) == (403, "PERM_DENIED")


def test_another_tenant_s_policy_does_not_exist(stranger: Caller, policy: ApprovalPolicy) -> None:
    path = f"/approval-policies/{policy.id}"
    check = {"environmentId": NOWHERE, "requesterId": NOWHERE}
    for method, each, body in (
        ("GET", path, None),
        ("PUT", path, {"requireSubjectDigest": True}),
        ("PATCH", path, {"nothing": True}),
        ("DELETE", path, None),
        ("GET", f"{path}/versions", None),
        ("GET", f"{path}/versions/1", None),
        ("POST", f"{path}/check", check),
    ):
        assert refusal(stranger.call(method, each, body)) == (404, "RES_NOT_FOUND")
    assert stranger.get("/approval-policies?includeRetired=true").json()["data"] == []


def test_a_policy_says_for_which_products_it_fails(greta: Caller, tenant: Tenant) -> None:
    make_product(tenant, "ledger", owner_teams=["release"])
    owned = {"name": "owned", "rules": [{"name": "owners", "teams": ["@owners"]}]}
    made = greta.post("/approval-policies", owned)
    assert made.status_code == 201
    fails = [{"product": "main", "message": "Product main has no owner teams."}]
    assert made.json()["failsForProducts"] == fails
    assert greta.get(f"/approval-policies/{made.json()['id']}").json()["failsForProducts"] == fails
    greta.post("/approval-policies", TWO_PERSON)
    listed = greta.get("/approval-policies").json()["data"]
    assert {each["name"]: each["failsForProducts"] for each in listed} == {"owned": fails, "two-person": []}


def test_a_policy_that_fails_for_every_product_is_refused(greta: Caller, tenant: Tenant) -> None:
    owned = {"name": "owned", "rules": [{"name": "owners", "teams": ["@owners"]}]}
    response = greta.post("/approval-policies", owned)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "POL_UNSATISFIABLE")
    assert response.json()["error"]["details"] == {"products": ["main"]}
