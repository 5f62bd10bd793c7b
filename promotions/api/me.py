"""GET and PATCH /me: who the caller is, what they may do, and their time zone (contract.md)."""

from typing import Any

from rest_framework import serializers

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.fields import LineField
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Body, Resource
from stellapromote.api.views import ApiRequest, ApiView
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.change_time_zone import change_time_zone
from stellapromote.identity.rules import check_owns_account
from stellapromote.identity.sign_in_records import person_without_tenant


class TenantResource(Resource):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()


class ScopeLimitResource(Resource):
    scope = serializers.CharField()
    products = serializers.ListField(child=serializers.CharField(), help_text="Slugs.")


class MeResource(Resource):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["person", "service"])
    username = serializers.CharField()
    display_name = serializers.CharField()
    tenant = TenantResource(help_text="The tenant of this call.")
    roles = serializers.ListField(child=serializers.CharField())
    teams = serializers.ListField(child=serializers.CharField())
    scopes = serializers.ListField(child=serializers.CharField(), help_text="What this call may do, sorted.")
    limits = ScopeLimitResource(many=True, help_text="Those of the scopes that count for some products alone.")
    auth_method = serializers.ChoiceField(["token", "session"])
    token_id = serializers.UUIDField(allow_null=True)
    time_zone = serializers.CharField(help_text="In which their pages show times; an IANA name.")
    tenants = TenantResource(many=True, help_text="Those the caller may act in: a token acts in one.")


class MeChanges(Body):
    time_zone = LineField(max_length=64, required=False)


class MeView(ApiView):
    """The caller."""

    tag = "Operations"
    scopes = {"get": MEMBER, "patch": MEMBER}
    bodies = {"patch": MeChanges}
    answers = {"get": Answer(MeResource), "patch": Answer(MeResource)}
    refusals = {"patch": ("PERM_DENIED",)}
    conditional = frozenset()

    def get(self, request: ApiRequest) -> ApiResponse:
        """Who you are, in which tenant, with which rights."""
        return ApiResponse(self.resource())

    def patch(self, request: ApiRequest) -> ApiResponse:
        """Change your time zone

        An account belongs to its person: signed in, not by a token.
        """
        check_owns_account(request.actor, request.actor.account)
        if self.body:
            assert isinstance(request.user, User)
            by = person_without_tenant(request._request, request.user)
            request.user.time_zone = change_time_zone(by=by, clock=DATABASE_CLOCK, **self.body).time_zone
        return ApiResponse(self.resource())

    def resource(self) -> dict[str, Any]:
        return _me(self.request.actor, getattr(self.request.user, "time_zone", "UTC"))


def _me(actor: Actor, time_zone: str) -> dict[str, Any]:
    tenants = _tenants(actor)
    return {
        "id": actor.account,
        "kind": actor.kind,
        "username": actor.username,
        "displayName": actor.display_name,
        "tenant": next(tenant for tenant in tenants if tenant["id"] == actor.tenant_id),
        "roles": actor.role_names,
        "teams": actor.teams,
        "scopes": sorted(actor.scopes),
        "limits": [{"scope": scope, "products": sorted(actor.limits[scope])} for scope in sorted(actor.limits)],
        "authMethod": actor.auth_method,
        "tokenId": actor.token_id,
        "timeZone": time_zone,
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
