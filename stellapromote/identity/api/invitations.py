from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework.decorators import action

from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.invitation_links import send_invitation, withdraw_invitation
from stellapromote.identity.actions.invite import Invited, invite
from stellapromote.identity.api.bodies import NewInvitation
from stellapromote.identity.api.resources import InvitationResource, MadeInvitationResource
from stellapromote.identity.invitations import open_invitations
from stellapromote.identity.presenters import invitation_document, slugs_of_teams


class InvitationViewSet(ApiViewSet):
    """Invitations of people who are not members yet."""

    tag = "Invitations"
    scopes = {"list": TENANT_ADMIN, "create": TENANT_ADMIN, "destroy": TENANT_ADMIN, "send": TENANT_ADMIN}
    bodies = {"create": NewInvitation, "send": NoBody}
    parameters = {"list": PAGING}
    answers = {
        "list": Answer(InvitationResource, paged=True),
        "create": Answer(MadeInvitationResource, status=201),
        "destroy": Answer(InvitationResource),
        "send": Answer(MadeInvitationResource),
    }
    refusals = {
        "create": ("RES_DUPLICATE", "SYS_RATE_LIMITED"),
        "destroy": ("RES_STATE_CONFLICT",),
        "send": ("RES_STATE_CONFLICT", "SYS_RATE_LIMITED"),
    }
    conditional = frozenset()

    def list(self, request: ApiRequest) -> ApiResponse:
        """The invitations that were not accepted or withdrawn, newest first"""
        tenant_id = request.actor.tenant
        slugs = slugs_of_teams(tenant_id)
        return self.page(open_invitations(tenant_id), present=lambda each: invitation_document(each, slugs))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Invite a person

        The person gets a one-time link for 72 hours. With an e-mail server the link is sent there and shown to nobody;
        without one the answer alone has it, and is never stored. The answer is the same for a username that has an
        account: its person accepts signed in. You invite in person, not by a service.
        """
        return _made(request, invite(by=request.actor, clock=DATABASE_CLOCK, **self.body), 201)

    def destroy(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Withdraw an invitation

        Its link gives nothing any more.
        """
        withdrawn = withdraw_invitation(by=request.actor, clock=DATABASE_CLOCK, invitation_id=pk)
        return ApiResponse(invitation_document(withdrawn, slugs_of_teams(request.actor.tenant)))

    @action(detail=True, methods=["post"])
    def send(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Make a new link

        The link before ends. The new one is sent or shown as that of a new invitation, and lives 72 hours.
        """
        return _made(request, send_invitation(by=request.actor, clock=DATABASE_CLOCK, invitation_id=pk), 200)

    def resource(self) -> dict[str, Any]:
        tenant_id = self.request.actor.tenant
        found = open_invitations(tenant_id).filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404("No such invitation.")
        return invitation_document(found, slugs_of_teams(tenant_id))


def _made(request: ApiRequest, invited: Invited, status: int) -> ApiResponse:
    document = invitation_document(invited.invitation, slugs_of_teams(request.actor.tenant))
    return ApiResponse({**document, "link": invited.link}, status=status, secret=True)
