"""POST /approval-policies/{id}/check (contract.md, Policies and gates)."""

from typing import Any
from uuid import uuid4

import pytest

from policies.models import ApprovalPolicy
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_role import end_role
from tests.calling import NOWHERE, Caller, caller, refusal, wrong_fields
from tests.factories import (
    actor_of,
    make_approval_policy,
    make_environment,
    make_person,
    make_product,
    make_ready_tenant,
    make_service,
)
from tests.promotions.api.policies import guard


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


class TestOfOwners:
    """A rule for the owners of a product: of which one is asked."""

    def ask(self, by: Caller, tenant: Tenant, people: dict[str, User], **more: Any) -> Any:
        make_product(tenant, "ledger", owner_teams=["security"])
        rules = [{"name": "owners", "teams": ["@owners"]}]
        policy = make_approval_policy(actor_of(people["greta"], tenant), "owned", rules=rules)
        environment = make_environment(actor_of(people["greta"], tenant), "prod", 11, approval_policies=["owned"])
        body = {"environmentId": str(environment.pk), "requesterId": str(people["tomas"].id), **more}
        return by.post(f"/approval-policies/{policy.id}/check", body)

    def test_its_owners_could_approve(self, greta: Caller, tenant: Tenant, people: dict[str, User]) -> None:
        answer = self.ask(greta, tenant, people, product="ledger").json()
        assert [[person["username"] for person in each] for each in answer["minimalApproverSets"]] == [["mei"]]

    def test_a_product_without_owners_is_approved_by_nobody(
        self, greta: Caller, tenant: Tenant, people: dict[str, User]
    ) -> None:
        assert self.ask(greta, tenant, people, product="main").json()["satisfiable"] is False

    @pytest.mark.parametrize("more", [{}, {"product": "nothing"}])
    def test_the_product_is_needed(
        self, greta: Caller, tenant: Tenant, people: dict[str, User], more: dict[str, str]
    ) -> None:
        response = self.ask(greta, tenant, people, **more)
        assert (response.status_code, wrong_fields(response)) == (400, ["product"])
