"""GET and PATCH /sign-in-settings: what the tenant requires of a sign-in (contract.md, Products, people)."""

from typing import Any

from rest_framework import serializers

from policies.api.proposed import proposed
from policies.api.resources import PROPOSED
from policies.models import Proposal
from promotions.actions.change_sign_in_settings import DEFAULT_GRACE, LONGEST_GRACE, change_sign_in_settings
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.fields import StrictBooleanField, StrictIntegerField
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Body, Resource
from stellapromote.api.views import ApiRequest, ApiView
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import sign_in_settings_document
from stellapromote.identity.roster import sign_in_settings_of


class SignInSettingsResource(Resource):
    """What the tenant requires of a sign-in."""

    id = serializers.UUIDField(help_text="Of the tenant.")
    require_second_factor = serializers.BooleanField(help_text="Of people who vote, override or confirm.")
    second_factor_from = serializers.DateTimeField(allow_null=True, help_text="In force from then on.")


class SignInSettingsChanges(Body):
    require_second_factor = StrictBooleanField(required=False)
    grace_days = StrictIntegerField(
        min_value=0,
        max_value=LONGEST_GRACE,
        required=False,
        help_text=f"Days until it is in force; {DEFAULT_GRACE} if not given. If required already: fewer than remain.",
    )


class SignInSettingsView(ApiView):
    """What the tenant requires of a sign-in."""

    tag = "Members"
    scopes = {"get": MEMBER, "patch": TENANT_ADMIN}
    bodies = {"patch": SignInSettingsChanges}
    answers = {"get": Answer(SignInSettingsResource, etag=True), "patch": Answer(SignInSettingsResource, etag=True)}
    alternatives = {"patch": PROPOSED}

    def get(self, request: ApiRequest) -> ApiResponse:
        """What the tenant requires of a sign-in"""
        return self._shown()

    def patch(self, request: ApiRequest) -> ApiResponse:
        """Require a second factor of people who decide

        From the end of the days of grace on, votes, overrides and confirmations of a session or token without one are
        refused. To require it no longer is a proposal while the tenant has a protected environment.
        """
        changed = change_sign_in_settings(by=request.actor, clock=DATABASE_CLOCK, if_match=self.if_match, **self.body)
        return proposed(changed) if isinstance(changed, Proposal) else self._shown()

    def resource(self) -> dict[str, Any]:
        return sign_in_settings_document(sign_in_settings_of(self.request.actor.tenant))

    def _shown(self) -> ApiResponse:
        document = self.resource()
        return ApiResponse(document, etag=tag_of("sign-in-settings", document))
