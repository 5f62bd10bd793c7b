"""Approval policies, whose answers need facts from above: which environments they guard, and who could approve."""

from functools import partial
from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework.decorators import action

from environments.models import Environment
from policies.actions.create_approval_policy import create_approval_policy
from policies.api.bodies import ApprovalPolicyBody, CheckBody, NewApprovalPolicyBody, in_wire_names
from policies.api.proposed import proposed
from policies.api.resources import (
    PROPOSED,
    ApprovalPolicyResource,
    ApprovalPolicyVersionResource,
    CheckResource,
)
from policies.etags import approval_policy_tag
from policies.models import ApprovalPolicy, ApprovalPolicyVersion, Proposal
from policies.presenters import approval_policy_document, approval_version_document
from policies.product_voters import ProductVoters
from promotions.actions.retire_approval_policy import retire_approval_policy
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.reading.approver_check import check_approver
from promotions.reading.policy_use import environments_naming
from stellapromote.accounts.scopes import POLICY_READ, POLICY_WRITE
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import flag, line
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK

TAG = "Policies and gates"


class ApprovalPolicyViewSet(ApiViewSet):
    """Who must approve (domain.md §5)."""

    tag = TAG
    scopes = {
        "list": POLICY_READ,
        "create": POLICY_WRITE,
        "retrieve": POLICY_READ,
        "update": POLICY_WRITE,
        "destroy": POLICY_WRITE,
        "versions": POLICY_READ,
        "version": POLICY_READ,
        "check": POLICY_READ,
    }
    bodies = {"create": NewApprovalPolicyBody, "update": ApprovalPolicyBody, "check": CheckBody}
    parameters = {
        "list": (
            *PAGING,
            line("name", "The one of this name.", max_length=63),
            flag("include_retired", "Also those that were retired; false if not given."),
        ),
        "versions": PAGING,
    }
    answers = {
        "list": Answer(ApprovalPolicyResource, paged=True),
        "create": Answer(ApprovalPolicyResource, status=201, etag=True),
        "retrieve": Answer(ApprovalPolicyResource, etag=True),
        "update": Answer(ApprovalPolicyResource, etag=True),
        "destroy": Answer(ApprovalPolicyResource, etag=True, description="The retired policy."),
        "versions": Answer(ApprovalPolicyVersionResource, paged=True),
        "version": Answer(ApprovalPolicyVersionResource),
        "check": Answer(CheckResource),
    }
    alternatives = {"update": PROPOSED}
    refusals = {
        "create": ("RES_DUPLICATE", "RES_NAME_USED", "POL_UNSATISFIABLE"),
        "update": ("RES_IN_USE", "RES_STATE_CONFLICT", "POL_UNSATISFIABLE"),
        "destroy": ("RES_IN_USE", "RES_STATE_CONFLICT"),
    }

    def list(self, request: ApiRequest) -> ApiResponse:
        """Approval policies, newest first."""
        policies = ApprovalPolicy.objects.of(request.actor.tenant).prefetch_related("environments")
        if not self.query.get("include_retired", False):
            policies = policies.live()
        if "name" in self.query:
            policies = policies.filter(name=self.query["name"])
        product_voters = ProductVoters(request.actor.tenant, DATABASE_CLOCK.now())
        return self.page(policies, present=partial(_listed, product_voters=product_voters))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Create an approval policy

        It is version 1. Rules that nobody eligible could satisfy are refused. The team `@owners` in a rule stands for
        the owner teams of the promotion's product. `failsForProducts` names the products whose requests would be
        refused or could not be approved under it, and a policy that fails for all of them is refused.
        """
        content = {name: value for name, value in self.body.items() if name != "enabled"}
        policy = create_approval_policy(
            by=request.actor,
            clock=DATABASE_CLOCK,
            content=in_wire_names(content),
            enabled=self.body.get("enabled", True),
        )
        return _answer(policy, status=201)

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """One approval policy, retired or not."""
        return _answer(self._policy())

    def update(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Change an approval policy

        What is left out stays. A changed document is a new version, for new promotions; the same one is none. A policy
        that environments name cannot be disabled. What makes entering a protected environment easier is stored as a
        proposal.
        """
        changes = {name: value for name, value in self.body.items() if name != "enabled"}
        policy = update_approval_policy(
            by=request.actor,
            clock=DATABASE_CLOCK,
            policy_id=pk,
            changes=in_wire_names(changes),
            enabled=self.body.get("enabled"),
            if_match=self.if_match,
        )
        return _answer(policy)

    def destroy(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Retire an approval policy

        Its versions stay readable. A policy that environments name cannot be retired.
        """
        return _answer(
            retire_approval_policy(by=request.actor, clock=DATABASE_CLOCK, policy_id=pk, if_match=self.if_match)
        )

    @action(detail=True)
    def versions(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """All versions, newest first."""
        return self.page(self._versions(), present=approval_version_document, order=("-version",))

    @action(detail=True, url_path="versions/<int:number>")
    def version(self, request: ApiRequest, pk: Any, number: int) -> ApiResponse:
        """One version."""
        return ApiResponse(approval_version_document(get_object_or_404(self._versions(), version=number)))

    @action(detail=True, methods=["post"])
    def check(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Who could approve?

        Judges the policy, together with everything else that the environment requires, for a promotion that this
        person would request now. Changes nothing.
        """
        environments = Environment.objects.of(request.actor.tenant).select_related("promotion_policy__current")
        answer = check_approver(
            policy=self._policy(),
            environment=get_object_or_404(environments, pk=self.body["environment_id"]),
            requester_id=self.body["requester_id"],
            product=self.body.get("product"),
            at=DATABASE_CLOCK.now(),
        )
        return ApiResponse(answer.as_json())

    def resource(self) -> dict[str, Any]:
        if "number" in self.kwargs:
            return approval_version_document(get_object_or_404(self._versions(), version=self.kwargs["number"]))
        policy = self._policy()
        return approval_policy_document(policy, environments_naming([policy.pk])[policy.pk], _product_voters_of(policy))

    def _policy(self) -> ApprovalPolicy:
        return get_object_or_404(ApprovalPolicy.objects.of(self.request.actor.tenant), pk=self.kwargs["pk"])

    def _versions(self) -> Any:
        return ApprovalPolicyVersion.objects.filter(policy=self._policy()).select_related("created_by")


def _listed(policy: ApprovalPolicy, product_voters: ProductVoters) -> dict[str, Any]:
    used_by = sorted(policy.environments.all(), key=lambda each: each.name)
    environments = [{"id": str(each.id), "name": each.name} for each in used_by]
    return approval_policy_document(policy, environments, product_voters)


def _answer(policy: ApprovalPolicy | Proposal, status: int = 200) -> ApiResponse:
    if isinstance(policy, Proposal):
        return proposed(policy)
    used_by = environments_naming([policy.pk])[policy.pk]
    tag = approval_policy_tag(policy, [each["name"] for each in used_by])
    return ApiResponse(approval_policy_document(policy, used_by, _product_voters_of(policy)), status=status, etag=tag)


def _product_voters_of(policy: ApprovalPolicy) -> ProductVoters:
    return ProductVoters(policy.tenant_id, DATABASE_CLOCK.now())
