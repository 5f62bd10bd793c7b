"""GET /me: who the caller is, and what they may do (contract.md)."""

from typing import Any

from rest_framework import serializers

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource
from stellapromote.api.views import ApiRequest, ApiView


class TenantResource(Resource):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class MeResource(Resource):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["person", "service"])
    username = serializers.CharField()
    display_name = serializers.CharField()
    tenant = TenantResource(help_text="The tenant of this call.")
    roles = serializers.ListField(child=serializers.CharField())
    teams = serializers.ListField(child=serializers.CharField())
    scopes = serializers.ListField(child=serializers.CharField(), help_text="What this call may do, sorted.")
    auth_method = serializers.ChoiceField(["token", "session"])
    token_id = serializers.UUIDField(allow_null=True)
    tenants = TenantResource(many=True, help_text="Those the caller may act in: a token acts in one.")


class MeView(ApiView):
    """The caller."""

    tag = "Operations"
    scopes = {"get": MEMBER}
    answers = {"get": Answer(MeResource)}

    def get(self, request: ApiRequest) -> ApiResponse:
        """Who you are, in which tenant, with which rights."""
        return ApiResponse(_me(request.actor))


def _me(actor: Actor) -> dict[str, Any]:
    tenants = _tenants(actor)
    return {
        "id": actor.account,
        "kind": actor.kind,
        "username": actor.username,
        "displayName": actor.display_name,
        "tenant": next(tenant for tenant in tenants if tenant["id"] == actor.tenant_id),
        "roles": actor.roles,
        "teams": actor.teams,
        "scopes": sorted(actor.scopes),
        "authMethod": actor.auth_method,
        "tokenId": actor.token_id,
        "tenants": tenants,
    }


def _tenants(actor: Actor) -> list[dict[str, Any]]:
    """A token belongs to one tenant and tells of no other; a session may choose among the person's."""
    tenants = Tenant.objects.order_by("slug")
    if actor.auth_method == "session":
        tenants = tenants.filter(memberships__user_id=actor.account, memberships__ended_at=None)
    else:
        tenants = tenants.filter(pk=actor.tenant)
    return [{"id": tenant.pk, "slug": tenant.slug, "name": tenant.name} for tenant in tenants]
