"""Approval policies over REST (contract.md, Policies and gates)."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from environments.actions.update_environment import update_environment
from policies.models import ApprovalPolicy, ApprovalPolicyVersion
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_role import end_role
from tests.calling import Caller, caller, refusal, wrong_fields
from tests.factories import (
    actor_of,
    make_approval_policy,
    make_environment,
    make_person,
    make_ready_tenant,
    make_service,
)
from tests.proposals import confirmed

TWO_PERSON = {
    "name": "two-person",
    "rules": [{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"]}],
}
NOWHERE = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def people(tenant: Tenant) -> dict[str, User]:
    return {
        "greta": make_person(tenant, "greta", roles=["admin"]),
        "nia": make_person(tenant, "nia", roles=["approver"], teams=["release"]),
        "mei": make_person(tenant, "mei", roles=["approver"], teams=["security"]),
        "ravi": make_person(tenant, "ravi", roles=["approver", "operator"], teams=["release"]),
        "tomas": make_person(tenant, "tomas", roles=["operator"]),
    }


@pytest.fixture
def greta(tenant: Tenant, people: dict[str, User]) -> Caller:
    return caller(tenant, people["greta"])


@pytest.fixture
def tomas(tenant: Tenant, people: dict[str, User]) -> Caller:
    return caller(tenant, people["tomas"])


@pytest.fixture
def stranger(db: None) -> Caller:
    """otto administers another tenant."""
    other = make_ready_tenant("merlin")
    return caller(other, make_person(other, "otto", roles=["admin"]))


@pytest.fixture
def policy(tenant: Tenant, people: dict[str, User]) -> ApprovalPolicy:
    return make_approval_policy(actor_of(people["greta"], tenant), **TWO_PERSON)  # type: ignore[arg-type]


def guard(tenant: Tenant, people: dict[str, User], name: str = "production", **options: Any) -> str:
    """An environment guarded by the policy two-person; its id."""
    options = {"approval_policies": ["two-person"], **options}
    return str(make_environment(actor_of(people["greta"], tenant), name, 10, **options).id)


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


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"name": None}, ["name"]),
        ({"name": 7}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "Two Persons"}, ["name"]),
        ({"name": "two-"}, ["name"]),
        ({"name": "a" * 64}, ["name"]),
        ({"name": "two\x00"}, ["name"]),
        ({"name": "anyone"}, ["name"]),
        ({"description": 7}, ["description"]),
        ({"description": "a" * 2001}, ["description"]),
        ({"description": "\x00"}, ["description"]),
        ({"description": "https://user:password@example.org"}, ["description"]),
        ({"rules": None}, ["rules"]),
        ({"rules": "all"}, ["rules"]),
        ({"rules": {}}, ["rules"]),
        ({"rules": [None]}, ["rules[0]"]),
        ({"rules": [{}]}, ["rules[0].name"]),
        ({"rules": [{"name": "a", "teams": "release"}]}, ["rules[0].teams"]),
        ({"rules": [{"name": "a", "teams": [7]}]}, ["rules[0].teams[0]"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 0}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": -1}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": True}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 1.5}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 10**15}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"], "minApprovals": 10**40}]}, ["rules[0].minApprovals"]),
        ({"rules": [{"name": "a", "teams": ["release"]}] * 2}, ["rules[1].name"]),
        ({"rules": [{"name": "a", "teams": ["release"]}] * 21}, ["rules"]),
        ({"rules": [{"name": "a", "teams": ["nobody"]}]}, ["rules[0].teams[0]"]),
        ({"rules": [{"name": "a", "users": ["stranger"]}]}, ["rules[0].users[0]"]),
        ({"commentRequired": "true"}, ["commentRequired"]),
        ({"commentRequired": None}, ["commentRequired"]),
        ({"separationOfDuties": []}, ["separationOfDuties"]),
        ({"separationOfDuties": {"excludeReleaseCreator": 0}}, ["separationOfDuties.excludeReleaseCreator"]),
        ({"requireSubjectDigest": 1}, ["requireSubjectDigest"]),
        ({"blind": "no"}, ["blind"]),
        ({"enabled": "no"}, ["enabled"]),
        ({"enabled": None}, ["enabled"]),
        # two things at once are both told
        ({"description": 7, "rules": [{}]}, ["description", "rules[0].name"]),
    ],
)
def test_what_is_wrong_is_told_by_place_and_nothing_is_stored(
    greta: Caller, changes: dict[str, Any], places: list[str]
) -> None:
    assert sorted(wrong_fields(greta.post("/approval-policies", {**TWO_PERSON, **changes}))) == places
    assert not ApprovalPolicy.objects.exists()


def test_the_message_says_which_team_there_is_not_and_what_to_do(greta: Caller) -> None:
    rules = [{"name": "a", "teams": ["release", "secruity"], "users": ["stranger"]}]
    error = greta.post("/approval-policies", {**TWO_PERSON, "rules": rules}).json()["error"]
    assert error["message"] == (
        "rules[0].teams[1]: There is no team secruity. Correct the name, or add the team first. "
        "And 1 more, see validationErrors."
    )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"quorum": 1}, "quorum"),
        ({"rules": [{"name": "a", "teams": ["release"], "quorum": 1}]}, "rules[0].quorum"),
        ({"separationOfDuties": {"off": True}}, "separationOfDuties.off"),
    ],
)
def test_unknown_fields_are_refused_wherever_they_stand(greta: Caller, changes: dict[str, Any], place: str) -> None:
    response = greta.post("/approval-policies", {**TWO_PERSON, **changes})
    assert refusal(response) == (400, "VAL_UNKNOWN_FIELD")
    assert wrong_fields(response) == [place]
    assert response.json()["error"]["validationErrors"][0]["code"] == "unknown_field"


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"name": "a"}],
        [{"name": "a", "users": ["tomas"]}],
        [{"name": "a", "teams": ["release"], "minApprovals": 3}],
    ],
)
def test_rules_that_nobody_could_satisfy_are_refused(
    greta: Caller, rules: list[dict[str, Any]], policy: ApprovalPolicy
) -> None:
    for response in (
        greta.post("/approval-policies", {"name": "other", "rules": rules}),
        greta.put(f"/approval-policies/{policy.id}", {"rules": rules}),
    ):
        assert refusal(response) == (422, "POL_UNSATISFIABLE")
    assert ApprovalPolicyVersion.objects.count() == 1


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


class TestCheck:
    """POST /approval-policies/{id}/check."""

    def check(self, by: Caller, policy: ApprovalPolicy, environment: str, requester: User) -> Any:
        body = {"environmentId": environment, "requesterId": str(requester.id)}
        response = by.post(f"/approval-policies/{policy.id}/check", body)
        assert response.status_code == 200, response.content
        return response.json()

    def names(self, answer: Any) -> list[list[str]]:
        return [[person["username"] for person in each] for each in answer["minimalApproverSets"]]

    def test_it_names_the_smallest_sets(
        self, tomas: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        answer = self.check(tomas, policy, guard(tenant, people), people["tomas"])
        assert answer["satisfiable"] is True
        assert self.names(answer) == [["mei", "nia"], ["mei", "ravi"]]
        assert answer["minimalApproverSets"][0][0] == {
            "id": str(people["mei"].id),
            "username": "mei",
            "displayName": "Mei",
        }

    def test_the_requester_is_in_none(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        answer = self.check(greta, policy, guard(tenant, people), people["ravi"])
        assert self.names(answer) == [["mei", "nia"]]
        assert {"code": "REQUESTER", "message": "Ravi (ravi) requested this promotion.", "username": "ravi"} in answer[
            "reasons"
        ]

    def test_the_owners_of_the_requesting_service_are_in_none(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        service = make_service(tenant, people["nia"], "ci-runner")
        answer = self.check(greta, policy, guard(tenant, people), service.user)
        assert self.names(answer) == [["mei", "ravi"]]
        assert "SERVICE_OWNER" in [each["code"] for each in answer["reasons"]]

    def test_it_says_what_is_missing(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        environment = guard(tenant, people)
        end_role(by=command_actor(tenant), clock=DATABASE_CLOCK, user_id=people["mei"].id, role="approver")
        answer = self.check(greta, policy, environment, people["tomas"])
        assert (answer["satisfiable"], answer["minimalApproverSets"]) == (False, [])
        told = {each["code"]: each["message"] for each in answer["reasons"]}
        assert told["APPROVAL_UNSATISFIABLE"] == "Rule security of two-person needs 1 person, and nobody is eligible."
        assert told["NO_VOTING_ROLE"] == "Mei (mei) has no role that votes."

    def test_what_else_the_environment_requires_counts(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        three = guard(tenant, people, required_approvals=3)
        assert self.names(self.check(greta, policy, three, people["tomas"])) == [["mei", "nia", "ravi"]]
        assert self.check(greta, policy, three, people["nia"])["satisfiable"] is False

    def test_it_is_judged_for_an_environment_that_does_not_name_it_yet(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        dev = guard(tenant, people, "dev", approval_policies=[])
        assert self.names(self.check(greta, policy, dev, people["tomas"])) == [["mei", "nia"], ["mei", "ravi"]]

    def test_editors_are_left_out_where_the_policy_says_so(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        lena = make_person(tenant, "lena", roles=["admin", "approver"], teams=["release"])
        environment = guard(tenant, people)
        caller(tenant, lena).put(f"/approval-policies/{policy.id}", {"description": "Edited by lena."})
        assert ["lena", "mei"] in self.names(self.check(greta, policy, environment, people["tomas"]))
        duties = {"separationOfDuties": {"excludePolicyEditor": True}}
        caller(tenant, lena).put(f"/approval-policies/{policy.id}", duties)
        answer = self.check(greta, policy, environment, people["tomas"])
        assert ["lena", "mei"] not in self.names(answer)
        assert ("POLICY_EDITOR", "lena") in [(each["code"], each["username"]) for each in answer["reasons"]]

    def test_at_most_ten_sets_are_told(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        for number in range(12):
            make_person(tenant, f"approver-{number}", roles=["approver"], teams=["release"])
        assert len(self.names(self.check(greta, policy, guard(tenant, people), people["tomas"]))) == 10

    def test_it_changes_nothing(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        self.check(greta, policy, guard(tenant, people), people["tomas"])
        assert ApprovalPolicy.objects.get().revision == policy.revision

    @pytest.mark.parametrize(
        ("body", "places"),
        [
            ({}, ["environmentId", "requesterId"]),
            ({"environmentId": 7, "requesterId": "x"}, ["environmentId", "requesterId"]),
            ({"environmentId": NOWHERE, "requesterId": NOWHERE, "at": "now"}, ["at"]),
        ],
    )
    def test_what_is_wrong_is_told_by_place(
        self, greta: Caller, policy: ApprovalPolicy, body: dict[str, Any], places: list[str]
    ) -> None:
        assert sorted(wrong_fields(greta.post(f"/approval-policies/{policy.id}/check", body))) == places

    def test_environments_and_people_of_another_tenant_do_not_exist(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], policy: ApprovalPolicy
    ) -> None:
        other = make_ready_tenant("merlin")
        otto = make_person(other, "otto", roles=["admin"])
        foreign = str(make_environment(actor_of(otto, other), "dev", 1).id)
        own = guard(tenant, people)
        for environment, requester in (
            (foreign, people["tomas"].id),
            (own, otto.id),
            (own, uuid4()),
            (NOWHERE, otto.id),
        ):
            body = {"environmentId": environment, "requesterId": str(requester)}
            response = greta.post(f"/approval-policies/{policy.id}/check", body)
            assert refusal(response) == (404, "RES_NOT_FOUND")
