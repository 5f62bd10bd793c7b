"""Promotion policies: one draft that changes, and published versions that do not (domain.md §6; contract.md)."""

from typing import Any

import orjson
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action

from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.api.bodies import NewPromotionPolicyBody, PromotionPolicyBody, in_wire_names
from policies.api.proposed import proposed
from policies.api.resources import (
    PROPOSED,
    PolicyDiffResource,
    PromotionPolicyResource,
    PromotionPolicyVersionResource,
)
from policies.differences import differences
from policies.etags import promotion_policy_tag
from policies.models import PromotionPolicy, PromotionPolicyVersion, Proposal
from policies.presenters import promotion_policy_document, promotion_version_document
from stellapromote.accounts.scopes import POLICY_PUBLISH, POLICY_READ, POLICY_WRITE
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import integer
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import FieldError, Invalid


class PromotionPolicyViewSet(ApiViewSet):
    """Which gates guard an environment (domain.md §6)."""

    tag = "Policies and gates"
    lookup_field = "name"
    lookup_value_converter = "slug"
    scopes = {
        "list": POLICY_READ,
        "create": POLICY_WRITE,
        "retrieve": POLICY_READ,
        "update": POLICY_WRITE,
        "publish": POLICY_PUBLISH,
        "versions": POLICY_READ,
        "version": POLICY_READ,
        "diff": POLICY_READ,
    }
    bodies = {"create": NewPromotionPolicyBody, "update": PromotionPolicyBody, "publish": NoBody}
    parameters = {
        "list": PAGING,
        "versions": PAGING,
        "diff": (integer("against", "The one before if not given.", at_least=1, at_most=1_000_000),),
    }
    answers = {
        "list": Answer(PromotionPolicyResource, paged=True),
        "create": Answer(PromotionPolicyResource, status=201, etag=True),
        "retrieve": Answer(PromotionPolicyResource, etag=True),
        "update": Answer(PromotionPolicyResource, etag=True),
        "publish": Answer(PromotionPolicyResource, etag=True),
        "versions": Answer(PromotionPolicyVersionResource, paged=True),
        "version": Answer(PromotionPolicyVersionResource),
        "diff": Answer(PolicyDiffResource),
    }
    alternatives = {"publish": PROPOSED}
    refusals = {
        "create": ("RES_DUPLICATE",),
        "publish": (
            "PERM_SEPARATION_OF_DUTIES",
            "PERM_SECOND_FACTOR",
            "RES_STATE_CONFLICT",
            "POL_INVALID",
            "POL_UNSATISFIABLE",
        ),
    }
    conditional = frozenset({"update", "publish"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """Promotion policies, newest first."""
        return self.page(PromotionPolicy.objects.of(request.actor.tenant), present=promotion_policy_document)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Create a promotion policy

        It is a draft until it is published.
        """
        policy = create_promotion_policy(
            by=request.actor, clock=DATABASE_CLOCK, name=self.body["name"], document=self._document()
        )
        return _answer(policy, status=201)

    def retrieve(self, request: ApiRequest, name: str) -> ApiResponse:
        """One promotion policy with its draft, or with what is published."""
        return _answer(self._policy())

    def update(self, request: ApiRequest, name: str) -> ApiResponse:
        """Change the draft

        What is left out stays; without a draft, one begins from what is published. It guards nothing until it is
        published.
        """
        policy = save_draft(
            by=request.actor, clock=DATABASE_CLOCK, name=name, changes=self._document(), if_match=self.if_match
        )
        return _answer(policy)

    @action(detail=True, methods=["post"])
    def publish(self, request: ApiRequest, name: str) -> ApiResponse:
        """Publish the draft

        It becomes the next immutable version, for new promotions. By somebody who did not edit the draft, as long as
        there is anybody else who could; with `If-Match`, so that what they read is what they publish. What loosens a
        protected environment and has no second person here is stored as a proposal.
        """
        return _answer(
            publish_promotion_policy(by=request.actor, clock=DATABASE_CLOCK, name=name, if_match=self.if_match)
        )

    @action(detail=True)
    def versions(self, request: ApiRequest, name: str) -> ApiResponse:
        """All published versions, newest first."""
        return self.page(self._versions(), present=promotion_version_document, order=("-version",))

    @action(detail=True, url_path="versions/<int:number>")
    def version(self, request: ApiRequest, name: str, number: int) -> ApiResponse:
        """One published version."""
        return ApiResponse(promotion_version_document(get_object_or_404(self._versions(), version=number)))

    @action(detail=True, url_path="versions/<int:number>/diff")
    def diff(self, request: ApiRequest, name: str, number: int) -> ApiResponse:
        """The differences between two versions

        Field by field: from `against` to this version.
        """
        after = get_object_or_404(self._versions(), version=number)
        before = get_object_or_404(self._versions(), version=self.query.get("against", max(number - 1, 1)))
        found = differences(orjson.loads(before.canonical), orjson.loads(after.canonical))
        return ApiResponse(
            {
                "version": after.version,
                "against": before.version,
                "digest": after.digest,
                "againstDigest": before.digest,
                "differences": [{"place": each.place, "before": each.before, "after": each.after} for each in found],
            }
        )

    def resource(self) -> dict[str, Any]:
        if "number" in self.kwargs:
            return promotion_version_document(get_object_or_404(self._versions(), version=self.kwargs["number"]))
        return promotion_policy_document(self._policy())

    def _document(self) -> dict[str, Any]:
        """The fields of the document, given in one of two ways. Invalid (400) for both at once."""
        direct = {name: value for name, value in self.body.items() if name not in ("name", "document")}
        document: dict[str, Any] | None = self.body.get("document")
        if document is None:
            return in_wire_names(direct)
        if direct:
            message = "Give document, or its fields directly, not both."
            raise Invalid(message, fields=[FieldError("document", message, "invalid")])
        return document

    def _policy(self) -> PromotionPolicy:
        policies = PromotionPolicy.objects.of(self.request.actor.tenant)
        return get_object_or_404(policies, name=self.kwargs["name"])

    def _versions(self) -> Any:
        return PromotionPolicyVersion.objects.filter(policy=self._policy()).select_related("published_by")


def _answer(policy: PromotionPolicy | Proposal, status: int = 200) -> ApiResponse:
    if isinstance(policy, Proposal):
        return proposed(policy)
    return ApiResponse(promotion_policy_document(policy), status=status, etag=promotion_policy_tag(policy))
